"""Hosts: who is slow, given up, deciding the end."""

from __future__ import annotations

from typing import Any

from crawler.dashboard.parts import choice, counted, hidden, host_link
from crawler.dashboard.sources import Look
from crawler.dashboard.state import Host, State
from crawler.dashboard.view import PagePart, View
from crawler.dashboard.views.overview import state_of
from crawler.markup import Html, charts, el, words
from crawler.markup.parts import TableColumn, empty, note, section, soft, table, warn
from crawler.robots import in_force
from crawler.web import outcome

_SHOWN = 100
_SORTS = {
    "queued": ("pending", True),
    "pages": ("pages", True),
    "host": ("name", False),
    "delay": ("coalesce(delay, 0)", True),
}
_SQL = "SELECT name, pending, pages, delay, failures FROM hosts ORDER BY pending DESC"


def hosts(look: Look, now: State) -> Html:
    """Return the hosts that the URL asks for."""
    state, name = look.params.get("state", "all"), look.params.get("name", "")
    links = [look.sql(_SQL), el("a", "Politeness report", href=look.href("politeness"))]
    part = el("label", "Part of a name", class_="unseen", for_="hq")
    field = el(
        "input", type="search", id="hq", name="name", value=name, placeholder="part of a name"
    )
    kept = hidden(**{k: v for k, v in look.params.items() if k in ("state", "sort", "order")})
    form = el("form", part, field, kept, action=look.href("hosts"))
    chosen = choice("Hosts by state", _states(look, now, state))
    filters = el("div", chosen, form, class_="filters")
    found = _found(look, now, state, name)
    if not found:
        told = "No host is like that." if name or state != "all" else "No host was met yet."
        return section("hosts", "Hosts", filters, empty(told), links=links, level="h1")
    shown = table("Hosts", _columns(look), _rows(look, now, found[:_SHOWN]))
    return section(
        "hosts", "Hosts", filters, shown, *_below(look, now, found), links=links, level="h1"
    )


_WHERE = {
    "all": "true",
    "queued": "pending > 0",
    "slowed": "pending > 0 AND (delay > ?1 OR next_at > ?2)",
    "given_up": "host_id IN (SELECT host_id FROM pages WHERE outcome <> 'ok'"
    " AND outcome = 'host_given_up')",
    "done": "pending = 0",
}
_NAMES = {
    "all": "All",
    "queued": "With a queue",
    "slowed": "Slowed or resting",
    "given_up": "Given up",
    "done": "Done",
}


def _states(look: Look, now: State, chosen: str) -> list[tuple[Any, str, bool]]:
    found = []
    sums = {"all": now.hosts.number, "queued": now.hosts.queued, "done": now.hosts.idle}
    for key, where in _WHERE.items():
        sql = f"SELECT count(*) FROM {look.many_hosts} WHERE {where}"
        number = sums[key] if key in sums else look.one(_numbered(sql, now))
        href = look.again("hosts", state=None if key == "all" else key, after=None)
        found.append((counted(_NAMES[key], number), href, key == chosen))
    return found


def _numbered(sql: str, now: State) -> str:
    slow, rest = 4 * max(now.least, 0.05), now.look.now + 3
    return sql.replace("?1", str(slow)).replace("?2", str(rest))


def _found(look: Look, now: State, state: str, name: str) -> list[Host]:
    column, falling = _SORTS.get(look.params.get("sort", "queued"), _SORTS["queued"])
    falling = {"asc": False, "desc": True}.get(look.params.get("order", ""), falling)
    where = _numbered(_WHERE.get(state, "true"), now)
    like = "%" + name.replace("!", "!!").replace("%", "!%").replace("_", "!_") + "%"
    sql = (
        f"{now.hosts_sql} WHERE {where} AND name LIKE ? ESCAPE '!'"
        f" ORDER BY {column} {'DESC' if falling else ''}, host_id LIMIT {_SHOWN + 1} OFFSET ?"
    )
    return [now.host(row) for row in look.rows(sql, like, _after(look))]


def _after(look: Look) -> int:
    text = look.params.get("after", "0")
    return min(int(text), 1_000_000) if text.isdecimal() and len(text) < 9 else 0


def _columns(look: Look) -> tuple[TableColumn, ...]:
    def sorted_by(name: str, key: str, class_: str = "") -> TableColumn:
        here = look.params.get("sort", "queued") == key
        falling = look.params.get("order", "desc" if _SORTS[key][1] else "asc") == "desc"
        order = ("asc" if falling else "desc") if here else None
        href = look.again("hosts", sort=key, order=order, after=None)
        said = ("descending" if falling else "ascending") if here else None
        return TableColumn(name, class_, href=href, sort=said)

    return (
        sorted_by("Host", "host", "cut"),
        TableColumn("State"),
        sorted_by("Queued", "queued", "n"),
        TableColumn("", "grow mid"),
        sorted_by("Pages", "pages", "n"),
        TableColumn("Errors", "n mid"),
        TableColumn("A second", "n mid"),
        sorted_by("Delay", "delay", "n mid"),
        TableColumn("Answers in", "n wide"),
        TableColumn("19 of 20 in", "n wide"),
        TableColumn("robots.txt", "wide"),
        TableColumn("To go", "n mid"),
    )


def _rows(look: Look, now: State, found: list[Host]) -> list[tuple[Any, ...]]:
    ids = ", ".join(str(host.host_id) for host in found)
    sql = f"SELECT host_id, status, body FROM robots WHERE host_id IN ({ids})"
    robots = {host_id: (status, body) for host_id, status, body in look.rows(sql)}
    errors = dict(
        look.rows(
            "SELECT host_id, count(*) FROM pages WHERE outcome <> 'ok' AND outcome IN"
            f" ({outcome.names('error')}) AND outcome <> 'host_given_up' GROUP BY host_id"
        )
    )
    most = max(host.queued for host in found)
    return [
        (
            host_link(look, host.name),
            state_of(host),
            words.number(host.queued),
            charts.bar(host.queued, most),
            words.number(host.pages),
            _share(errors.get(host.host_id, 0), host.pages),
            words.rate(host.recent.pace) if host.recent.pace else soft("0"),
            warn(words.seconds(host.delay)) if host.slowed else words.seconds(host.delay),
            _took(host.recent.middle),
            _took(host.recent.most),
            robots_in_words(*robots.get(host.host_id, (0, None))),
            words.duration(host.to_go) if host.queued else "",
        )
        for host in found
    ]


def _took(seconds: float | None) -> str:
    return "" if seconds is None else words.duration(seconds)


def _share(errors: int, pages: int) -> Html:
    shown = words.share(errors, errors + pages)
    if not errors:
        return soft("0")
    return Html(shown) if errors < 0.1 * (errors + pages) else el("span", shown, class_="bad")


def robots_in_words(status: int | None, body: bytes | None) -> Html:
    """Return what a robots.txt comes to: none, unreachable, or how many lines it has."""
    if status == 0:
        return soft("not asked yet")
    rules = in_force(status, body or b"")
    if rules is None:
        return el("span", "unreachable", class_="bad")
    lines = sum(1 for line in (body or b"").splitlines() if line.strip())
    if status is None or status >= 400 or not lines:
        return soft("none")
    return Html(words.plural(lines, "line"))


def _below(look: Look, now: State, found: list[Host]) -> list[Html]:
    said = note(
        "A host is scheme, name and port. ",
        el("b", "Delay"),
        f" is the time between two starts now; {words.seconds(now.least)} is what the settings"
        " promise at least. ",
        el("b", "Answers in"),
        " is the middle of the latest answers.",
    )
    if len(found) <= _SHOWN:
        return [said]
    more = look.again("hosts", after=_after(look) + _SHOWN)
    told = el("span", f"{_SHOWN} of more.")
    return [said, el("div", told, el("a", "More", href=more), class_="pager")]


VIEW = View("hosts", "Hosts", (PagePart("hosts", 2.0, hosts),), key="h")
