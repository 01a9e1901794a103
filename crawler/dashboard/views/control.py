"""Control: add and block, and who did what; and the questions before what drops something."""

from __future__ import annotations

from typing import Any

from crawler import control
from crawler.dashboard.parts import hidden, url_link
from crawler.dashboard.sources import Look
from crawler.dashboard.state import State
from crawler.dashboard.view import PagePart, View
from crawler.errors import UsageError
from crawler.links.selection import CRAWL, HOST, Selection
from crawler.markup import Html, el, join, words
from crawler.markup.parts import TableColumn, bad, empty, note, section, soft, table, warn
from crawler.store.control_rows import ControlRow
from crawler.web import outcome

_SHOWN = 100


def add(look: Look, now: State) -> Html:
    """Return the form that adds URLs."""
    area = el("textarea", name="target", rows="5", spellcheck="false")
    label = el("label", "One a line; in scope or not", area, class_="room")
    urgent = el(
        "label",
        "Priority",
        el("input", name="priority", inputmode="numeric", value="0", size="5"),
    )
    button = el("button", "Add", class_="first", name="action", value="add")
    rest = el("div", urgent, _why(), button, class_="form")
    form = el(
        "form", el("div", label, class_="form"), rest, method="post", action=look.href("control")
    )
    return section("add", "Add URLs", form, level="h1")


def _why() -> Html:
    return el("label", "Why (goes into the log)", el("input", name="reason"), class_="room")


def block(look: Look, now: State) -> Html:
    """Return the form that blocks, and what is blocked."""
    told = el("span", "A host, a pattern like ", el("code", "shop.example/trap/*"), ", or a URL")
    box = el("label", told, el("input", name="target", required=True), class_="room")
    form = el(
        "form",
        hidden(action="block"),
        el("div", box, class_="form"),
        el("div", _why(), " ", el("button", "Count first…"), class_="form"),
        action=look.href("ask"),
    )
    return section("block", "Block", form, *(_blocked(look, row) for row in now.blocked))


def _blocked(look: Look, row: ControlRow) -> Html:
    since = words.clock(words.moment(row.applied_at), look.now)
    button = el("button", "Unblock", name="action", value="unblock", class_="plain")
    kept = hidden(target=row.target)
    form = el("form", kept, button, method="post", action=look.href("control"))
    return el(
        "div", note("Blocked: ", el("code", row.target), f" since {since}"), form, class_="form"
    )


def log(look: Look, now: State) -> Html:
    """Return what was asked, and what came of it."""
    sql = (
        "SELECT at, who, via, action, target, value, reason, state, result FROM control"
        " ORDER BY control_id DESC LIMIT 100"
    )
    title = "What was asked, and what came of it"
    rows = [(f"c{row.control_id}", _row(look, row)) for row in now.asked[:_SHOWN]]
    if not rows:
        return section("log", title, empty("Nothing yet."), links=[look.sql(sql)])
    columns = (
        *(
            TableColumn("at"),
            TableColumn("who", "mid"),
            TableColumn("by", "mid"),
            TableColumn("action"),
        ),
        *(
            TableColumn("of what", "cut"),
            TableColumn("how", "mid"),
            TableColumn("what came of it", "text most"),
        ),
    )
    shown = table("Control log, the latest first", columns, rows)
    return section("log", title, shown, links=[look.sql(sql)])


def _row(look: Look, row: ControlRow) -> tuple[Any, ...]:
    at, done = words.moment(row.at), words.moment(row.applied_at)
    result = row.result or ""
    if row.state == "asked":
        came: Any = warn("waits for a run")
    elif row.state == "refused":
        came = bad(result)
    else:
        after = f" after {words.duration(done - at)}" if at and done and done >= at else ""
        came = f"{result}{after}"
    how = ", ".join(t for t in (row.value, f"“{row.reason}”" if row.reason else None) if t)
    return (
        soft(words.clock(at, look.now, seconds=True)),
        row.who,
        row.via,
        row.action,
        el("bdi", row.target.replace("\n", " ")[:300] or "the crawl"),
        how,
        came,
    )


VIEW = View(
    "control",
    "Control",
    ((PagePart("add", 0, add), PagePart("block", 2.0, block)), PagePart("log", 0.5, log)),
    key="c",
)


# ---------------------------------------------------------------- questions


def question(look: Look, now: State) -> Html:
    """Return the question before something is dropped, with how much, and the first of it."""
    action, target = look.params.get("action", ""), look.params.get("target", "")
    if action == "stop":
        return _stop(look, now)
    if action == "block":
        return _block(look, target)
    if action == "retry":
        return _retry(look, target)
    if action == "reopen":
        return _reopen(look, target)
    raise UsageError("there is no such question")


def _asked(look: Look, title: Any, told: Any, fields: Html, button: Html, keep: Html) -> Html:
    form = el(
        "form",
        fields,
        el("label", "Why (goes into the log)", _reason(look), class_="room"),
        button,
        keep,
        class_="form",
        method="post",
        action=look.href("control"),
    )
    return el("section", el("div", el("h1", title), el("p", told), form, class_="lead"), id="ask")


def _reason(look: Look) -> Html:
    return el("input", name="reason", value=look.params.get("reason"))


def _stop(look: Look, now: State) -> Html:
    flying = sum(worker["in_flight"] for worker in now.living)
    grace = float(now.settings.get("engine", {}).get("grace", 10.0))
    spider = now.run.spider if now.run else look.source.name
    told = join(
        [
            f"{words.plural(flying, 'request')} in flight get {words.seconds(grace)} to end, then"
            " all is committed and the process ends. Nothing is lost: ",
            el("b", words.number(now.queued)),
            " URLs stay queued. This page cannot start it again; ",
            el("code", f"crawler run {spider}"),
            " does.",
        ]
    )
    stop = el("button", "Stop the crawl", class_="loss", name="action", value="stop")
    keep = el("a", "Let it run", class_="button", href=look.href(""))
    return _asked(look, "Stop the crawl?", told, Html(""), stop, keep)


def _shown(target: str) -> str:
    return target.partition("://")[2] or target


def _block(look: Look, target: str) -> Html:
    selection = Selection.parse(target)
    if selection.kind == CRAWL or selection.takes_all:
        raise UsageError("it would take every URL; name a host or a path, or stop the crawl")
    number, first = control.count(look.reader, target)
    drop = f" and drop {words.plural(number, 'URL')}" if number else ""
    title = f"Block {_shown(target)}{drop}?"
    what = "of this host" if selection.kind == HOST else "of it"
    leave = ["They leave the queue as ", el("b", "blocked"), " and are not sent; what"]
    told = join(
        [
            *(leave if number else ["Nothing that is queued is like that. What"]),
            f" is found {what} later is not taken. Stored pages stay. ",
            el("b", "Unblock"),
            " lets new URLs in again, and ",
            el("code", "crawler retry"),
            " brings back those that were dropped.",
        ]
    )
    said = f"Drop {words.plural(number, 'URL')} and block" if number else "Block"
    act = el("button", said, class_="loss", name="action", value="block")
    keep = el("a", "Keep them", class_="button", href=look.href(""))
    asked = _asked(look, title, told, hidden(target=target, expected=number), act, keep)
    return join([asked, _first(look, number, first, "dropped")])


def _first(look: Look, number: int, first: list[tuple[str, int]], becomes: str) -> Html:
    if not first:
        return Html("")
    rows = [(url_link(look, url), words.number(depth)) for url, depth in first]
    columns = (TableColumn("URL", "fill wrap"), TableColumn("depth", "n"))
    shown = table(f"URLs that would be {becomes}", columns, rows)
    title = f"The first {len(first)} of {words.number(number)}" if number > 1 else "This one"
    return section("queue", title, shown)


def _retry(look: Look, target: str) -> Html:
    selection = Selection.parse(target)
    if selection.kind != HOST:
        raise UsageError("name a host")
    names = [glob.removesuffix("/*") for glob in selection.globs]
    marks = ", ".join("?" * len(names))
    where = (
        f"outcome <> 'ok' AND outcome IN ({outcome.names('requeued')})"
        f" AND host_id IN (SELECT host_id FROM hosts WHERE name IN ({marks}))"
    )
    number = look.one(f"SELECT count(*) FROM pages WHERE {where}", *names) or 0
    first = look.rows(f"SELECT url, depth FROM pages WHERE {where} LIMIT 10", *names)
    title = f"Try {words.plural(number, 'URL')} of {_shown(target)} again?"
    told = join(
        [
            "They are queued again, with their tries at none, and the host gets another chance."
            " What they ended as stays until the next visit takes its place.",
        ]
    )
    act = el(
        "button",
        f"Queue {words.plural(number, 'URL')}",
        class_="first",
        name="action",
        value="retry",
    )
    keep = el("a", "Leave them", class_="button", href=look.href("problems"))
    asked = _asked(look, title, told, hidden(target=target), act, keep)
    return join([asked, _first(look, number, [(u, d) for u, d in first], "queued")])


def _reopen(look: Look, target: str) -> Html:
    told = join(
        [
            el("code", _shown(target)),
            ": what is found of it from now on is taken again. The pattern closes once more when"
            " page after page says nothing new.",
        ]
    )
    act = el("button", "Open it again", class_="first", name="action", value="reopen")
    keep = el("a", "Leave it closed", class_="button", href=look.href("traps"))
    title = "Open this pattern again?"
    return _asked(look, title, told, hidden(target=target), act, keep)


ASK = View("ask", "Question", (PagePart("ask", 0, question),), under="control")
