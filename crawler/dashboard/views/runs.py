"""Runs: what is new, and were we polite."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from crawler.dashboard.parts import choice, counted, host_link, url_link
from crawler.dashboard.sources import Look
from crawler.dashboard.state import State, decoded
from crawler.dashboard.view import PagePart, View
from crawler.errors import CrawlerError, UsageError
from crawler.inspect import diff
from crawler.inspect.politeness_report import HostPoliteness, manners
from crawler.markup import Html, el, words
from crawler.markup.parts import TableColumn, bad, empty, lead, note, section, soft, table
from crawler.store.address import DatabaseAddress

_SHOWN, _MOST = 50, 200_000
_POLITE = 100_000  # rows of pages, above which one asks for the report of all hosts
_SQL = (
    "SELECT run_id, spider, started_at, ended_at, state, reason, pages, errors, seconds FROM runs"
    " ORDER BY run_id DESC"
)


def runs(look: Look, now: State) -> Html:
    """Return the runs, and the other stores that are shown; two of them can be compared."""
    sql = (
        "SELECT run_id, spider, started_at, state, reason, pages, errors, seconds, settings"
        " FROM runs ORDER BY run_id DESC LIMIT ?"
    )
    found = look.rows(sql, _SHOWN)
    links = [look.sql(_SQL), el("a", "Politeness report", href=look.href("politeness"))]
    if not found:
        return section("runs", "Runs", empty("No run yet."), links=links, level="h1")
    settings = [decoded(row[8], {}) for row in found]
    rows = []
    for at, (run, _spider, began, state, reason, pages, errors, seconds, _) in enumerate(found):
        first = at + 1 == len(found)
        before = settings[at] if first else settings[at + 1]
        shown = "running" if state == "running" and now.state in ("running", "paused") else state
        pair = (_radio("from", run, at == 1), _radio("to", run, at == 0))
        rows.append(
            (
                *(pair if len(found) > 1 else ()),
                f"run {run}",
                shown if shown != "running" or at == 0 else "killed",
                words.clock(words.moment(began), look.now),
                words.duration(seconds) if seconds else "",
                words.number(pages),
                words.number(errors),
                reason or "",
                ", ".join(islice(_changed(before, settings[at]), 4))
                or (soft("as before") if not first else ""),
            )
        )
    chosen = ("from", "to") if len(found) > 1 else ()
    columns = (
        *(
            *map(TableColumn, chosen),
            TableColumn("run"),
            TableColumn("state", "mid"),
            TableColumn("began"),
        ),
        *(TableColumn("took", "n mid"), TableColumn("pages", "n"), TableColumn("errors", "n mid")),
        *(TableColumn("ended by", "wide"), TableColumn("settings", "wide cut")),
    )
    shown = table("Runs", columns, rows)
    if len(rows) > 1:
        button = el("div", el("button", "Compare", class_="first"), class_="form")
        shown = el("form", shown, button, action=look.href("diff"))
    return section("runs", "Runs", shown, *_others(look), links=links, level="h1")


def _radio(name: str, run: int, checked: bool) -> Html:
    id_ = f"{name}{run}"
    label = el(
        "label", f"{'Compare' if name == 'from' else 'with'} run {run}", class_="unseen", for_=id_
    )
    box = el("input", type="radio", id=id_, name=name, value=run, checked=checked)
    return el("span", label, box)


def _changed(was: Any, now: Any, head: str = "") -> Iterator[str]:
    """Yield the settings that differ from the run before."""
    if not isinstance(was, dict) or not isinstance(now, dict):
        return
    for key in sorted(now):
        if isinstance(now[key], dict):
            yield from _changed(was.get(key, {}), now[key], f"{head}{key}.")
        elif was.get(key) != now[key] and not head.startswith("spider"):
            yield f"{head}{key}"


def _others(look: Look) -> Iterator[Html]:
    here = look.source.path
    if isinstance(here, DatabaseAddress):
        return
    others = [path for path in sorted(here.parent.glob("*.db")) if path != here][:20]
    if not others:
        return
    links = [
        el("li", el("a", path.name, href=look.href("diff", store=path.name, wait="30")))
        for path in others
    ]
    yield note("Compare with another store beside it:")
    yield el("ul", *links, class_="small")


def _pairs(look: Look) -> tuple[str, Iterator[diff.Difference]]:
    """Return what is compared, in words, and the differences."""
    path = look.source.path
    name = look.params.get("store")
    if name and isinstance(path, DatabaseAddress):
        raise UsageError("a crawl in PostgreSQL has no stores beside it; crawler diff compares two")
    if name and not isinstance(path, DatabaseAddress):
        other = path.parent / Path(name).name
        if Path(name).name != name or not other.is_file() or not name.endswith(".db"):
            raise UsageError(f"there is no store {name[:100]} beside {path.name}")
        return f"{name} compared with {path.name}, pages by URL", diff.stores(other, path)
    first, last = look.params.get("from", ""), look.params.get("to", "")
    if not (first.isdecimal() and last.isdecimal() and len(first + last) < 19):
        raise UsageError("choose two runs, or another store, to be compared")
    low, high = sorted((int(first), int(last)))
    return f"run {low} compared with run {high}", diff.runs(path, low, high)


def differences(look: Look, now: State) -> Html:
    """Return what differs between two runs, or from another store."""
    try:
        told, found = _pairs(look)
        rows = list(islice(found, _MOST))
    except CrawlerError as error:
        return lead("diff", "Differences", bad(str(error)))
    kinds = Counter(row.kind for row in rows)
    title = (
        ", ".join(f"{number:,} {kind}" for kind, number in kinds.most_common()) or "No difference"
    )
    chosen = look.params.get("kind", "")
    options = [(counted("All", len(rows)), look.again("diff", kind=None), not chosen)]
    options += [
        (counted(kind, number), look.again("diff", kind=kind), kind == chosen)
        for kind, number in kinds.most_common()
    ]
    shown = [row for row in rows if not chosen or row.kind == chosen]
    made = [
        (
            row.kind,
            row.what,
            url_link(look, row.key) if row.what == "page" else el("bdi", row.key),
            el("span", el("bdi", row.before), class_="was") if row.before else "",
            el("bdi", row.after or ""),
        )
        for row in shown[:_SHOWN]
    ]
    columns = (
        *(TableColumn("kind"), TableColumn("what", "mid"), TableColumn("which", "fill wrap")),
        *(TableColumn("was", "cut mid"), TableColumn("is", "cut wrap")),
    )
    filters = el("div", choice("By kind of change", options), class_="filters")
    cut = note(f"The first {_SHOWN} of {len(shown):,}; crawler diff has all.")
    more = cut if len(shown) > _SHOWN else ""
    body = table("What differs", columns, made) if made else empty("They are alike.")
    return el(
        "div",
        lead("head", title, told + "."),
        section("differences", "Differences", filters, body, more),
        id="diff",
    )


def politeness(look: Look, now: State) -> Html:
    """Return how each host was treated, against what was promised."""
    total = sum(now.outcomes.values())
    if total > _POLITE and "wait" not in look.params:
        told = f"It reads every start, {words.number(total)} of them: about"
        link = el("a", "Read them", href=look.again("politeness", wait="30"))
        wait = el("p", f"{told} {words.duration(total * 8e-6)}. ", link)
        return section("manners", "Politeness", wait, level="h1")
    found = manners(look.reader)
    rows = [_polite(look, one) for one in found[:200]]
    kept = all(one.kept for one in found)
    title = "All promises were kept" if kept else "Not every promise was kept"
    columns = (
        *(
            TableColumn("host", "cut"),
            TableColumn("starts", "n"),
            TableColumn("most at once", "n mid"),
        ),
        *(
            TableColumn("promised", "n mid"),
            TableColumn("least gap", "n"),
            TableColumn("promised", "n mid"),
        ),
        TableColumn("kept"),
    )
    said = note("Starts and gaps as the store has them; a Crawl-delay is only ever longer.")
    return section("manners", title, table("Politeness by host", columns, rows), said, level="h1")


def _polite(look: Look, one: HostPoliteness) -> tuple[Any, ...]:
    return (
        host_link(look, one.host),
        words.number(one.requests),
        words.number(one.in_flight),
        words.number(one.per_host),
        words.seconds(one.least) if one.least is not None else soft("one start"),
        words.seconds(one.delay),
        "yes" if one.kept else bad(f"{one.early} too early" if one.early else "too many at once"),
    )


VIEW = View("runs", "Runs", (PagePart("runs", 10.0, runs),), key="r")
DIFF = View("diff", "Differences", (PagePart("diff", 0, differences),), under="runs")
POLITENESS = View("politeness", "Politeness", (PagePart("manners", 0, politeness),), under="runs")
