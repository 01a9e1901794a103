"""Pages: what is coming in; and the search over URLs, hosts and words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from crawler import urls
from crawler.dashboard.parts import choice, counted, hidden, host_link, outcome_of, url_link
from crawler.dashboard.sources import Look
from crawler.dashboard.state import State
from crawler.dashboard.view import PagePart, View
from crawler.errors import QueryError
from crawler.inspect.search import search as search_text
from crawler.markup import Html, el, words
from crawler.markup.parts import TableColumn, empty, note, section, soft, table
from crawler.web import outcome

_SHOWN = 33
_TYPED = 100_000  # of the latest pages, among which those of a type are looked for: it has no index
_RARE = 0.01  # share of all pages, below which the pages of a host are taken from its URLs
_COLUMNS = "page_id, fetched_at, outcome, status, url, title, content_type, size, elapsed, depth"
_NAMES = {
    "": "All",
    "stored": "Stored",
    "passed": "Passed over",
    "errors": "Errors",
    "queued": "Queued",
}
_SQL = (
    "SELECT fetched_at, outcome, url, title, size, elapsed FROM pages ORDER BY page_id DESC"
    " LIMIT 100"
)


def pages(look: Look, now: State) -> Html:
    """Return the latest pages that the URL asks for."""
    held = look.params.get("live") == "no"
    hold = el(
        "a", "Go on" if held else "Hold", href=look.again("pages", live=None if held else "no")
    )
    links = [hold, look.sql(_SQL), el("a", "CSV", href=look.href("sql", sql=_SQL, format="csv"))]
    kind = look.params.get("outcome", "")
    options = _options(look, now, kind)
    filters = el("div", choice("Pages by outcome", options), _form(look), class_="filters")
    if kind == "queued":
        return section("pages", "Pages", filters, *_queued(look), links=links, level="h1")
    rows = _rows(look, now, kind)
    if not rows:
        among = f" among the latest {_TYPED:,}" if look.params.get("type") else ""
        told = empty(f"No page is like that{among}.")
        return section("pages", "Pages", filters, told, links=links, level="h1")
    return section("pages", "Pages", filters, *_table(look, rows), links=links, level="h1")


def _options(look: Look, now: State, chosen: str) -> list[tuple[Any, str, bool]]:
    numbers: dict[str, int | None] = {
        "": sum(now.outcomes.values()),
        "stored": now.ended("stored"),
        "passed": sum(now.outcomes.get(name, 0) for name in kinds("passed")),
        "errors": sum(now.outcomes.get(name, 0) for name in kinds("errors")),
        "queued": now.queued,
    }
    names = dict(_NAMES)
    if chosen not in names:
        names[chosen], numbers[chosen] = chosen, now.outcomes.get(chosen, 0)
    return [
        (
            counted(name, numbers[key]),
            look.again("pages", outcome=key or None, before=None),
            key == chosen,
        )
        for key, name in names.items()
    ]


def kinds(group: str) -> list[str]:
    """Return the outcomes of a group: stored, errors or passed over; or the one of that name."""
    stored, error = outcome.having("stored"), outcome.having("error")
    if group == "stored":
        return sorted(stored)
    if group == "errors":
        return sorted(error - stored)
    if group == "passed":
        return sorted(frozenset(outcome.Outcome) - stored - error)
    return [group] if group in outcome.Outcome._value2member_map_ else []


def _form(look: Look) -> Html:
    def field(name: str, told: str, size: int, **more: Any) -> list[Html]:
        id_ = f"p-{name}"
        label = el("label", told, for_=id_, class_="unseen")
        value = look.params.get(name)
        box = el("input", id=id_, name=name, placeholder=told, size=size, value=value, **more)
        return [label, box, Html(" ")]

    kept = hidden(**{k: v for k, v in look.params.items() if k in ("outcome", "live")})
    fields = [*field("host", "host", 14), *field("type", "type", 10, class_="mid")]
    submit = el("button", "Show", class_="unseen")
    return el("form", *fields, *kept, submit, class_="choice", action=look.href("pages"))


def _rows(look: Look, now: State, kind: str) -> list[tuple[Any, ...]]:
    """Return the latest rows: each outcome by its index, a host by its URLs where it is rare."""
    conditions: list[str] = []
    values: list[Any] = []
    before = look.params.get("before", "")
    last = int(before) if before.isdecimal() and len(before) < 16 else None
    if last is not None:
        conditions.append("page_id < ?")
        values.append(last)
    if type_ := look.params.get("type"):
        conditions.append("content_type LIKE ? ESCAPE '!' AND page_id > ?")
        latest = look.one("SELECT max(page_id) FROM pages") if last is None else last
        values += [f"%{_liked(type_)}%", (latest or 0) - _TYPED]
    rare = False
    if host := look.params.get("host"):
        names = _hosts(look, host)
        ranges = " OR ".join(["(host_id = ? AND url >= ? AND url < ?)"] * len(names)) or "false"
        conditions.append(f"({ranges})")
        for host_id, name, _ in names:  # a file has an index of URLs, PostgreSQL one of hosts
            values += [host_id, f"{name}/", f"{name}0"]
        total = int(now.values.get("pages", 0)) or 1
        rare = sum(number for *_, number in names) / total < _RARE
    where = " AND ".join(conditions) or "true"
    if not kind:
        order = "+page_id" if rare else "page_id"
        sql = f"SELECT {_COLUMNS} FROM pages WHERE {where} ORDER BY {order} DESC LIMIT {_SHOWN}"
        return look.rows(sql, *values)
    rows: list[tuple[Any, ...]] = []
    for name in kinds(kind):
        if name != "ok" and not now.outcomes.get(name):
            continue
        bad = "outcome <> 'ok' AND " if name != "ok" else ""
        sql = (
            f"SELECT {_COLUMNS} FROM pages WHERE {bad}outcome = '{name}' AND {where}"
            f" ORDER BY page_id DESC LIMIT {_SHOWN}"
        )
        rows += look.rows(sql, *values)
    return sorted(rows, reverse=True, key=lambda row: row[0])[:_SHOWN]


def _hosts(look: Look, given: str) -> list[tuple[int, str, int]]:
    """Return the hosts of a name, as it stands or without its scheme: id, name, pages."""
    names = ("", "http://", "https://")
    sql = "SELECT host_id, name, pages FROM hosts WHERE name IN (?, ?, ?)"
    return [tuple(row) for row in look.rows(sql, *(f"{scheme}{given}" for scheme in names))]


def _liked(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def _table(look: Look, rows: Sequence[tuple[Any, ...]]) -> Iterable[Html]:
    made = []
    for page_id, at, name, status, url, title, type_, size, took, depth in rows:
        cells = (
            soft(words.clock(words.moment(at), look.now, seconds=True)),
            outcome_of(name, status),
            url_link(look, url),
            el("bdi", title) if title else "",
            _short_type(type_),
            words.size(size),
            words.duration(took) if took is not None else "",
            words.number(depth),
        )
        made.append((f"p{page_id}", cells))
    columns = (
        *(
            TableColumn("at"),
            TableColumn("outcome"),
            TableColumn("URL", "fill wrap"),
            TableColumn("title", "cut wide"),
        ),
        *(TableColumn("type", "wide"), TableColumn("size", "n mid"), TableColumn("took", "n mid")),
        TableColumn("depth", "n mid"),
    )
    yield table("Pages, the latest first", columns, made)
    latest = "before" not in look.params
    told = "New ones come in above while you are at the top." if latest else ""
    older = el("a", "Older", href=look.again("pages", before=rows[-1][0]))
    said = f"{'The latest ' if latest else ''}{len(rows)}. {told}"
    yield el("div", el("span", said), older if len(rows) >= _SHOWN else "", class_="pager")


def _short_type(type_: str | None) -> str:
    return (type_ or "").partition(";")[0].rpartition("/")[2][:20]


def _queued(look: Look) -> Iterable[Html]:
    sql = (
        "SELECT url, depth, attempts FROM todo WHERE host_id IN (SELECT host_id FROM"
        f" {look.many_hosts} WHERE pending > 0 ORDER BY pending DESC LIMIT 50)"
        f" ORDER BY host_id, rank, seq LIMIT {_SHOWN}"
    )
    rows = [(url_link(look, u), words.number(d), words.number(a)) for u, d, a in look.rows(sql)]
    if not rows:
        yield empty("Nothing is queued.")
        return
    columns = (
        TableColumn("URL", "fill wrap"),
        TableColumn("depth", "n"),
        TableColumn("tries", "n"),
    )
    yield table("URLs that are queued", columns, rows)
    yield note("The first of the hosts with the longest queues, in their order.")


VIEW = View("pages", "Pages", (PagePart("pages", 0.5, pages),), key="p")


# ---------------------------------------------------------------- search


def found(look: Look, now: State) -> Html:
    """Return what is like the words: a URL, hosts, parts of URLs, texts."""
    asked = look.params.get("q", "").strip()
    if not asked:
        return section("found", "Search", empty("Give a URL, a host, or words."), level="h1")
    parts = [*_exact(look, asked), *_like_hosts(look, asked), *_like_urls(look, asked)]
    parts += _texts(look, asked)
    return section("found", el("bdi", asked), *parts, level="h1")


def _exact(look: Look, asked: str) -> Iterable[Html]:
    url = urls.parse(asked) if "://" in asked else None
    if url is not None:
        yield note("All that is known of ", url_link(look, url))


def _like_hosts(look: Look, asked: str) -> Iterable[Html]:
    sql = (
        "SELECT name, pending, pages FROM hosts WHERE name LIKE ? ESCAPE '!'"
        " ORDER BY pages DESC LIMIT 10"
    )
    rows = [
        (host_link(look, name), words.number(queued), words.number(number))
        for name, queued, number in look.rows(sql, f"%{_liked(asked)}%")
    ]
    if rows:
        columns = (
            TableColumn("host", "fill wrap"),
            TableColumn("queued", "n"),
            TableColumn("pages", "n"),
        )
        yield section("hosts", "Hosts", table("Hosts like it", columns, rows))


def _like_urls(look: Look, asked: str) -> Iterable[Html]:
    if " " in asked:
        return
    sql = "SELECT url, outcome, status FROM pages WHERE url LIKE ? ESCAPE '!' LIMIT 20"
    if "://" in asked:  # by the index: text that begins so
        sql = "SELECT url, outcome, status FROM pages WHERE url >= ? AND url < ? LIMIT 20"
        rows = look.rows(sql, asked, asked + "\U0010ffff")
    else:
        rows = look.rows(sql, f"%{_liked(asked)}%")
    made = [(url_link(look, url), outcome_of(name, status)) for url, name, status in rows]
    if made:
        columns = (TableColumn("URL", "fill wrap"), TableColumn("outcome"))
        yield section("urls", "URLs", table("URLs like it", columns, made))


def _texts(look: Look, asked: str) -> Iterable[Html]:
    try:
        rows = list(search_text(look.reader, asked, limit=20).rows)
    except QueryError as error:
        yield section("texts", "Text", empty(str(error)))
        return
    if not rows:
        yield section("texts", "Text", empty("No page has these words."))
        return
    made = [
        (url_link(look, url), el("bdi", title or ""), el("bdi", " ".join(snippet.split())))
        for url, title, snippet in rows
    ]
    columns = (
        TableColumn("URL", "cut wrap"),
        TableColumn("title", "cut mid"),
        TableColumn("text", "text most"),
    )
    yield section("texts", "Text", table("Pages with these words", columns, made))


SEARCH = View("search", "Search", (PagePart("found", 0, found),), under="pages")
