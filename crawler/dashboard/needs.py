"""What needs somebody, at most seven things, the worst first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from crawler.dashboard.parts import short_host
from crawler.dashboard.sources import Look
from crawler.dashboard.state import State
from crawler.markup import Html, el, join, words
from crawler.markup.parts import empty, section

_MOST = 7
_FULL = 0.05  # share of the disk that is left, below which it is told
_LATE = 1000  # of the latest requests the share of errors is taken
_TIMES = 3  # times the usual share of errors
_LONG = 1000  # URLs queued of a pattern that says little new
_FRESH = 1 / 3


class Concern(NamedTuple):
    """What is wrong, and where one looks or acts."""

    bad: bool
    told: Html
    acts: tuple[Html, ...]


def needs(look: Look, now: State) -> Html:
    """Return the section; it says so where nothing is wrong."""
    found = sorted(_all(look, now), key=lambda need: not need.bad)[:_MOST]
    if not found:
        return section("needs", "Needs you", empty("Nothing needs you."))
    items = (
        el(
            "li",
            el("span", need.told),
            " ",
            el("span", *need.acts, class_="act"),
            class_="bad" if need.bad else None,
        )
        for need in found
    )
    return section("needs", f"Needs you ({len(found)})", el("ul", *items, class_="needs"))


def _all(look: Look, now: State) -> Iterator[Concern]:
    yield from _silent(look, now)
    yield from _disk(look, now)
    yield from _given_up(look, now)
    yield from _refused_items(look, now)
    yield from _many_errors(look, now)
    yield from _slow(look, now)
    yield from _little_new(look, now)


def _look(look: Look, view: str, **params: str) -> Html:
    return el("a", "Look", href=look.href(view, **params))


def _silent(look: Look, now: State) -> Iterator[Concern]:
    for worker in now.workers:
        if now.silent(worker):
            ago = words.duration(look.now - worker["at"])
            told = join([el("b", worker["name"]), f" has given no sign for {ago}."])
            yield Concern(True, told, (_look(look, "workers"),))
    if now.state == "broken" and now.run is not None and now.run.state in ("running", "killed"):
        told = Html(
            f"Run {now.run.run_id} ended without a word: process {now.run.pid} is gone. What was in"
            " flight is queued again."
        )
        yield Concern(True, told, (_look(look, "workers"),))


def _disk(look: Look, now: State) -> Iterator[Concern]:
    if now.free is not None and now.free[0] < _FULL * now.free[1]:
        told = f"The disk of the store has {words.size(now.free[0])} left."
        yield Concern(True, Html(told), (_look(look, "workers"),))


def _given_up(look: Look, now: State) -> Iterator[Concern]:
    sql = (
        "SELECT name, count(*), min(fetched_at), max(error) FROM pages JOIN hosts USING (host_id)"
        " WHERE outcome <> 'ok' AND outcome = 'host_given_up' GROUP BY name"
        " ORDER BY 2 DESC LIMIT 3"
    )
    for name, number, since, error in look.rows(sql):
        at = words.clock(words.moment(since), look.now)
        why = f": {error}" if error else ""
        told = join(
            [
                el("b", short_host(name)),
                f" is given up since {at}{why}. {words.number(number)} of its URLs ended unsent.",
            ]
        )
        again = el("a", "Try again…", href=look.href("ask", action="retry", target=name))
        yield Concern(True, told, (_look(look, "host", name=name), again))


def refused_items(look: Look, now: State) -> list[tuple[str, int, str]]:
    """Return the types of items that did not fit: how many, and the reason that was last."""
    sql = (
        "SELECT kind.item, number, reason FROM (SELECT item, count(*) AS number, max(problem_id) AS"
        " last FROM problems GROUP BY item) AS kind JOIN problems ON problem_id = last"
        " ORDER BY number DESC"
    )
    return now.once("refused_items", lambda: [(row[0], row[1], row[2]) for row in look.rows(sql)])


def _refused_items(look: Look, now: State) -> Iterator[Concern]:
    for item, number, reason in refused_items(look, now)[:3]:
        told = join([el("b", item), f": {words.plural(number, 'item')} not stored. “{reason}”."])
        yield Concern(True, told, (_look(look, "problems"),))


def _many_errors(look: Look, now: State) -> Iterator[Concern]:
    usual, total = now.ended("error"), sum(now.outcomes.values())
    if total < 2 * _LATE:
        return
    from crawler.web import outcome

    sql = (
        "SELECT count(*) FROM (SELECT outcome FROM pages ORDER BY page_id DESC"
        f" LIMIT {_LATE}) AS late WHERE outcome IN ({outcome.names('error')})"
    )
    late = int(look.one(sql) or 0)
    if late > 0.02 * _LATE and late / _LATE > _TIMES * usual / total:
        told = (
            f"Errors rise: {words.share(late, _LATE)} of the last {words.number(_LATE)} requests,"
            f" {words.share(usual, total)} over all."
        )
        yield Concern(True, Html(told), (_look(look, "problems"),))


def _slow(look: Look, now: State) -> Iterator[Concern]:
    if now.state != "running":
        return
    sql = f"{now.hosts_sql} WHERE pending > 0 AND delay > ? ORDER BY pending * delay DESC LIMIT 2"
    for row in look.rows(sql, 4 * max(now.least, 0.05)):
        host = now.host(row)
        told = join(
            [
                el("b", short_host(host.name)),
                f" is slowed down to a request every {words.duration(host.delay)}, from"
                f" {words.duration(host.least)}:"
                f" {words.plural(host.queued, 'URL takes', 'URLs take')}"
                f" {words.duration(host.to_go)}.",
            ]
        )
        block = el("a", "Block…", href=look.href("ask", action="block", target=host.name))
        yield Concern(False, told, (_look(look, "host", name=host.name), block))


def _little_new(look: Look, now: State) -> Iterator[Concern]:
    """Yield open patterns with many pages of which few said anything new."""
    sql = (
        "SELECT pattern, pages, known FROM patterns WHERE pages >= ? AND known < pages * ?"
        " AND known > 0 AND pattern NOT IN (SELECT pattern FROM endless)"
        " ORDER BY pages DESC LIMIT 2"
    )
    for pattern, pages, known in look.rows(sql, _LONG, _FRESH):
        told = join(
            [
                el("b", pattern.partition("://")[2]),
                f": {words.plural(pages, 'page')}, {words.share(known, pages)} of them new.",
            ]
        )
        yield Concern(False, told, (_look(look, "traps"),))
