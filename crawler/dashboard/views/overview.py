"""Overview: is it well, when will it end, what needs me."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from crawler.dashboard import needs
from crawler.dashboard.over_time import over_time
from crawler.dashboard.parts import host_link, outcome_of, short_host, url_link
from crawler.dashboard.sources import Look
from crawler.dashboard.state import Host, State, quoted
from crawler.dashboard.view import PagePart, View
from crawler.markup import Html, charts, el, join, words
from crawler.markup.parts import (
    TableColumn,
    bad,
    count,
    empty,
    lead,
    note,
    section,
    soft,
    table,
    warn,
)
from crawler.spider import SiteSpider
from crawler.web import outcome

_DECIDING, _LATEST = 7, 7
_ASKED = "stopped"  # the reason of a run that ended as somebody asked it to


def deciding(look: Look, now: State) -> list[Host]:
    """Return the hosts with the longest queues, those that take longest first."""
    return now.once("deciding", lambda: _deciding(look, now))


def _deciding(look: Look, now: State) -> list[Host]:
    sql = f"{now.hosts_sql} WHERE pending > 0 ORDER BY pending DESC LIMIT 200"
    slow = (
        f"{now.hosts_sql} WHERE pending > 0 AND delay IS NOT NULL"
        " ORDER BY pending * delay DESC LIMIT 50"
    )
    rows = {row[0]: row for row in (*look.rows(sql), *look.rows(slow))}
    return sorted(map(now.host, rows.values()), key=lambda host: -host.to_go)


def head(look: Look, now: State) -> Html:
    """Return the sentence: how long it will take, or how it ended."""
    return lead("head", *_HEADS[now.state](look, now))


def _running(look: Look, now: State) -> tuple[Any, ...]:
    hosts = [host for host in deciding(look, now) if host.state not in ("blocked", "paused")]
    queued = el("b", words.number(now.queued))
    number = now.hosts.queued
    if not hosts:
        return ("Nearly done", join([queued, " URLs are queued."]))
    pace = sum(worker["pace"] for worker in now.living)
    by_pace = now.queued / pace if pace > 0.05 else 0.0
    first, rest = hosts[0], hosts[1].to_go if len(hosts) > 1 else 0.0
    longest = max(first.to_go, by_pace)
    title = f"About {words.duration(longest)} to go"
    on = join([queued, f" URLs are queued on {words.plural(number, 'host')}. "])
    if by_pace > first.to_go:
        return (title, join([on, f"All of it goes at {words.rate(pace)} a second."]))
    told = "alone takes that long at the pace it bears" if number > 1 else "takes that long"
    said = [on, _named(look, first), f" {told}"]
    if number > 1 and max(rest, by_pace * 0) < 0.8 * first.to_go:
        said += ["; the others are done in ", el("b", words.duration(rest))]
    return (title, join([*said, "."]))


def _named(look: Look, host: Host) -> Html:
    return el("a", short_host(host.name), href=look.href("host", name=host.name))


def _paused(look: Look, now: State) -> tuple[Any, ...]:
    row = next((r for r in now.asked if r.action == "pause" and not r.target), None)
    queued = el("b", words.number(now.queued))
    flying = sum(worker["in_flight"] for worker in now.living)
    rest = "nothing is in flight and all is committed" if not flying else f"{flying} are in flight"
    wait = join([queued, f" URLs wait; {rest}."])
    if row is None:
        return ("Paused", wait)
    at = words.moment(row.applied_at or row.at) or now.look.now
    who = f" by {row.who}" if row.who else ""
    why = f": “{row.reason}”" if row.reason else ""
    title = f"Paused for {words.duration(now.look.now - at)}"
    return (title, join([f"Paused at {words.clock(at, now.look.now)}{who}{why}. ", wait]))


def _finished(look: Look, now: State) -> tuple[Any, ...]:
    pages = int(now.values.get("pages", 0))
    spent = look.one("SELECT sum(seconds) FROM runs") or 0.0
    ended = now.run.ended if now.run else None
    when = f"Finished on {words.day(ended)}: n" if ended else "N"
    return (
        f"{words.plural(pages, 'page')} in {words.duration(spent)}",
        f"{when}othing is queued any more.",
    )


def _stopped(look: Look, now: State) -> tuple[Any, ...]:
    run = now.run
    title = (
        f"Stopped {words.duration(look.now - run.ended)} ago" if run and run.ended else "Stopped"
    )
    reason = (run.reason if run else None) or _ASKED
    if reason == _ASKED:
        return (title, join([*_who(now), *_go_on(look, now)]))
    way = f"; {_LIMITS[reason]}" if reason in _LIMITS else ""
    return (title, join([f"Ended by: {reason}{way}. ", *_go_on(look, now)]))


def _who(now: State) -> Iterator[Any]:
    """Yield who stopped it, and why."""
    row = next((row for row in now.asked if row.action == "stop"), None)
    who = (row.who if row else "") or "Somebody"
    why = f": “{row.reason}”" if row and row.reason else ""
    yield f"{who} stopped it{why}. "


_LIMITS = {
    "max_pages": "a higher limit goes on",
    "max_items": "a higher limit goes on",
    "max_time": "the next run has as long again",
    "max_errors": "the next run bears as many again",
    "max_bytes": "the next run has as many again",
}
"""How a run that ended by a limit is gone on with."""


def _broken(look: Look, now: State) -> tuple[Any, ...]:
    run = now.run
    at = run.ended if run else None
    sign = max((worker["at"] for worker in now.workers), default=None)
    at = at or sign
    title = f"Broken off {words.duration(look.now - at)} ago" if at else "Broken off"
    why = {
        "interrupted": "Somebody stopped it. ",
        "failed": "It failed; the log says why. ",
    }.get(run.state if run else "", "The process was killed. ")
    return (
        title,
        join([why, "Nothing is lost: all that was committed stays. ", *_go_on(look, now)]),
    )


def _go_on(look: Look, now: State) -> tuple[Any, ...]:
    """Return how many URLs wait, and the command that goes on with them."""
    queued = el("b", words.number(now.queued))
    spider = now.run.spider if now.run else look.source.name
    if spider == SiteSpider.name:  # the built-in one has its seeds from the command line alone
        way: Any = "the command that began it"
    else:
        path = shlex.quote(str(look.source.path))
        way = el("code", f"crawler run {spider} --store {path}")
    return (queued, " URLs are queued. Go on with ", way, ".")


def _new(look: Look, now: State) -> tuple[Any, ...]:
    return ("Not begun", "The store is empty: no run has begun yet.")


_HEADS = {
    "running": _running,
    "paused": _paused,
    "finished": _finished,
    "stopped": _stopped,
    "broken": _broken,
    "new": _new,
}


def whole(look: Look, now: State) -> Html:
    """Return all URLs known, by what became of them."""
    stored, errors, queued = now.ended("stored"), 0, now.queued
    errors = sum(
        n
        for name, n in now.outcomes.items()
        if name in outcome.having("error") and name not in outcome.having("stored")
    )
    passed = sum(now.outcomes.values()) - stored - errors
    parts = (
        ("k1", "stored", stored, "stored"),
        ("k2", "passed over", passed, "passed"),
        ("k3", "errors", errors, "errors"),
        ("k4", "queued", queued, "queued"),
    )
    total = stored + passed + errors + queued
    label = (
        f"Of {words.plural(total, 'URL')} known: {stored:,} stored, {passed:,} passed over,"
        f" {errors:,} ended in errors, {queued:,} queued"
    )
    key = el(
        "ul",
        *(
            el(
                "li",
                el("i", class_=class_),
                el("a", name, href=look.href("pages", outcome=which)),
                " ",
                el("b", words.number(number)),
                " ",
                soft(words.share(number, total)),
            )
            for class_, name, number, which in parts
        ),
        class_="key",
    )
    sql = "SELECT name, value FROM counters WHERE name LIKE 'outcome.%'"
    drawn = charts.whole([(part[0], float(part[2])) for part in parts], label)
    return section("whole", "All URLs known", drawn, key, links=[look.sql(sql)])


def state_of(host: Host) -> Html:
    """Return the state of a host in its colour."""
    if host.kind in ("rests", "slow", "paused"):
        return warn(host.state)
    if host.kind in ("given_up", "blocked"):
        return bad(host.state)
    return soft(host.state) if host.kind in ("done", "waits") else el("span", host.state)


def end(look: Look, now: State) -> Html:
    """Return the hosts that decide when it ends."""
    hosts = deciding(look, now)[:_DECIDING]
    sql = "SELECT name, pending, delay FROM hosts WHERE pending > 0 ORDER BY pending DESC LIMIT 8"
    links = [el("a", "All hosts", href=look.href("hosts")), look.sql(sql)]
    title = "What decides the end"
    if not hosts:
        return section("deciding", title, empty("Nothing is queued."), links=links)
    most = hosts[0].to_go
    rows = (
        (
            host_link(look, host.name),
            state_of(host),
            words.number(host.queued),
            words.rate(host.recent.pace) if host.recent.pace else "",
            charts.bar(host.to_go, most),
            words.duration(host.to_go),
        )
        for host in hosts
    )
    columns = (
        *(TableColumn("host", "cut"), TableColumn("state"), TableColumn("queued", "n")),
        *(TableColumn("a second", "n mid"), TableColumn("", "grow"), TableColumn("to go", "n")),
    )
    shown = table("Hosts by the time they still take", columns, rows)
    return section("deciding", title, shown, *_others(look, now), links=links)


def _others(look: Look, now: State) -> Iterator[Html]:
    done = now.hosts.done
    said = [f"{words.plural(done, 'host is', 'hosts are')} done"] if done else []
    given_up = sorted(now.given_up)
    if given_up:
        name = look.one("SELECT name FROM hosts WHERE host_id = ?", given_up[0]) or ""
        more = f" and {len(given_up) - 1} more are" if len(given_up) > 1 else " is"
        link = el("a", short_host(name), href=look.href("host", name=name))
        said.append(join([link, f"{more} given up"]))
    if said:
        yield note(join(said, ", "), ".")


def latest(look: Look, now: State) -> Html:
    """Return the latest pages."""
    sql = (
        "SELECT page_id, fetched_at, outcome, status, url, elapsed FROM pages"
        " ORDER BY page_id DESC LIMIT ?"
    )
    rows = (
        (
            f"p{page_id}",
            (
                soft(words.clock(words.moment(at), look.now, seconds=True)),
                outcome_of(name, status),
                url_link(look, url),
                words.duration(elapsed) if elapsed is not None else "",
            ),
        )
        for page_id, at, name, status, url, elapsed in look.rows(sql, _LATEST)
    )
    columns = (
        TableColumn("at"),
        TableColumn("outcome"),
        TableColumn("URL", "fill"),
        TableColumn("took", "n mid"),
    )
    links = [el("a", "All pages", href=look.href("pages"))]
    return section("latest", "Just in", table("The latest pages", columns, rows), links=links)


def errors(look: Look, now: State) -> Html:
    """Return the errors by outcome and status, the most frequent first."""
    sql = (
        "SELECT outcome, status, count(*), count(DISTINCT host_id), max(fetched_at) FROM pages"
        f" WHERE outcome <> 'ok' AND outcome IN ({outcome.names('error')})"
        " GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 7"
    )
    rows = look.rows(sql)
    links = [el("a", "All problems", href=look.href("problems")), look.sql(_ERRORS)]
    if not rows:
        return section("errors", "Errors", empty("None."), links=links)
    made = (
        (
            join([_problem(look, name), soft(status)], " ") if status else _problem(look, name),
            words.number(number),
            words.number(hosts),
            soft(words.clock(words.moment(last), look.now)),
        )
        for name, status, number, hosts, last in rows
    )
    columns = (
        *(TableColumn("outcome", "fill"), TableColumn("requests", "n")),
        TableColumn("hosts", "n"),
    )
    shown = table("Errors by outcome", (*columns, TableColumn("last", "n")), made)
    return section("errors", "Errors", shown, links=links)


_ERRORS = "SELECT outcome, status, count(*) FROM errors GROUP BY 1, 2 ORDER BY 3 DESC"


def _problem(look: Look, name: str) -> Html:
    return el("a", name, href=look.href("pages", outcome=name))


def items(look: Look, now: State) -> Html:
    """Return the items by type."""
    links = [el("a", "All items", href=look.href("items"))]
    if not now.item_types:
        told = "The spider yields none; what pages hold is in the table pages."
        return section("itemtypes", "Items", empty(told), links=links)
    problems = {name: number for name, number, _ in needs.refused_items(look, now)}
    rows = (
        (
            el("a", name, href=look.href("items", type=name)),
            words.number(number),
            words.rate(_a_minute(look, now, name)),
            count(problems.get(name, 0), wrong=True),
        )
        for name, number in now.item_types.items()
    )
    columns = (
        *(TableColumn("type", "fill"), TableColumn("stored", "n")),
        TableColumn("a minute", "n"),
    )
    shown = table("Items by type", (*columns, TableColumn("problems", "n")), rows)
    return section("itemtypes", "Items", shown, links=links)


def _a_minute(look: Look, now: State, name: str) -> float:
    """Return how many items of a type came a minute, of the last thousand."""
    if now.state != "running":
        return 0.0
    sql = (
        f"SELECT pages.fetched_at, count(*) FROM (SELECT page_id FROM {quoted(name)}"
        " ORDER BY item_id DESC LIMIT 1000) AS late JOIN pages USING (page_id)"
        " GROUP BY 1 ORDER BY 1"
    )
    rows = [(words.moment(at), number) for at, number in look.rows(sql)]
    recent = [(at, number) for at, number in rows if at is not None and look.now - at < 600]
    if not recent:
        return 0.0
    span = look.now - min(at for at, _ in recent)
    return float(60 * sum(number for _, number in recent) / max(1.0, span))


VIEW = View(
    "",
    "Overview",
    (
        PagePart("head", 1.0, head),
        PagePart("whole", 1.0, whole),
        PagePart("needs", 2.0, needs.needs),
        PagePart("time", 1.0, over_time),
        (PagePart("deciding", 2.0, end), PagePart("latest", 0.5, latest)),
        (PagePart("errors", 5.0, errors), PagePart("itemtypes", 2.0, items)),
    ),
    key="o",
)
