"""The strips over time: pages, errors, queue and bytes, from the table `ticks`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crawler.dashboard.parts import choice
from crawler.dashboard.sources import Look
from crawler.dashboard.state import State
from crawler.markup import Html, charts, words
from crawler.markup.parts import empty, section

SPANS = {
    "15m": ("15 min", 900),
    "1h": ("1 h", 3600),
    "6h": ("6 h", 21600),
    "all": ("Whole crawl", 0),
}
_BUCKETS = 120
_PAUSE = 30.0  # seconds without a row, from which on nothing ran
_SQL = (
    "SELECT datetime(at, 'unixepoch') AS at, seconds, pages, errors, queued, bytes FROM ticks"
    " ORDER BY tick_id"
)


def over_time(look: Look, now: State) -> Html:
    """Return the section with the strips of the span that the URL asks for."""
    span = look.params.get("span", "all")
    span = span if span in SPANS else "all"
    options = [(told, look.again("", span=key), key == span) for key, (told, _) in SPANS.items()]
    links = [choice("Span of time", options), look.sql(_SQL)]
    rows = _rows(look, now, SPANS[span][1])
    if len(rows) < 2:
        told = "Nothing to draw yet: the first figures come after a second."
        return section("time", "Over time", empty(told), links=links)
    return section("time", "Over time", _drawn(look, now, rows, span), links=links)


def _rows(look: Look, now: State, seconds: int) -> list[tuple[float, ...]]:
    """Return time, seconds, pages, errors, bytes and queue, summed up in at most 120 parts."""
    last = look.one("SELECT at FROM ticks ORDER BY tick_id DESC LIMIT 1")
    first = look.one("SELECT at - seconds FROM ticks ORDER BY tick_id LIMIT 1")
    if last is None:
        return []
    end = max(last, now.now)
    begin = max(first, end - seconds) if seconds else first
    width = max(1.0, (end - begin) / _BUCKETS)
    number = max(2, min(_BUCKETS, int((end - begin) / width)))
    sql = (
        f"SELECT {look.reader.floor('(at - ?1 - 0.001) / ?2')} AS bucket, sum(seconds), sum(pages),"
        " sum(errors), sum(bytes), max(queued) FROM ticks WHERE at > ?1 AND at - ?1 > 0.001"
        " AND at < ?1 + ?2 * ?3 GROUP BY bucket ORDER BY bucket"
    )
    rest = (begin, width, number + 0.001)
    found = {min(row[0], number - 1): row for row in look.rows(sql, *rest)}
    rows: list[tuple[float, ...]] = []
    queued, missing = 0.0, int(_PAUSE / width) + 1
    for bucket in range(number):
        row = found.get(bucket)
        if row is None:  # between two rows: a tick is longer than a part, or nothing ran
            ahead = next((found[b] for b in range(bucket, bucket + missing) if b in found), None)
            behind = not bucket or any(b in found for b in range(bucket - missing, bucket))
            fills = ahead is not None and behind and width < 10
            row = ahead if fills and ahead is not None else (bucket, 0, 0, 0, 0, queued)
        _, took, pages, errors, size, queued = row
        at = begin + (bucket + 0.5) * width
        rows.append((at, took, *_a_second(took, pages, errors, size), queued))
    return rows


def _a_second(took: float, *sums: float) -> tuple[float, ...]:
    return tuple(one / took if took else 0.0 for one in sums)


def _drawn(look: Look, now: State, rows: Sequence[tuple[float, ...]], span: str) -> Html:
    times = [row[0] for row in rows]
    columns = list(zip(*rows, strict=True))
    _, took, pages, errors, size, queued = columns
    running = now.state in ("running", "paused")
    pace = words.rate(sum(worker["pace"] for worker in now.living)) if running else None
    present = words.number(now.queued)
    series = [
        _strip("Pages a second", pages, words.rate, tall=True, now=pace),
        _strip("Errors a second", errors, words.rate, bars=True),
        _strip("URLs queued", queued, words.number, now=present),
        _strip("Bytes a second", size, words.size),
    ]
    length = times[-1] - times[0]
    seconds = length < 900
    said = [words.clock(at, now.look.now, seconds=seconds) for at in times]
    every = max(1, (len(times) - 1) // 6)
    ticks = [*said[: -every // 2 or None : every][:6], "now" if running else said[-1]]
    axis = charts.Axis(said, ticks, _pauses(took), _marks(look, times))
    what = SPANS[span][0] if span != "all" else f"The whole crawl, {words.duration(length)}"
    return charts.strips(series, axis, f"{what}: pages, errors, queue and bytes over time")


def _strip(name: str, values: Sequence[float], shown: Any, **more: Any) -> charts.Strip:
    most = f"most {shown(max(values))}"
    return charts.Strip(name, values, [shown(value) for value in values], most, **more)


def _pauses(took: Sequence[float]) -> list[tuple[int, int]]:
    """Return the parts in which nothing ran."""
    found: list[tuple[int, int]] = []
    for at, seconds in enumerate(took):
        if seconds:
            continue
        if found and found[-1][1] == at:
            found[-1] = (found[-1][0], at + 1)
        else:
            found.append((at, at + 1))
    return found


def _marks(look: Look, times: Sequence[float]) -> list[tuple[float, str]]:
    """Return where runs began, and where somebody steered."""
    begin, end = times[0], times[-1]
    found: list[tuple[float, str]] = []
    for run_id, at in look.rows("SELECT run_id, started_at FROM runs ORDER BY run_id DESC LIMIT 9"):
        found.append((words.moment(at) or 0.0, f"run {run_id}"))
    sql = (
        "SELECT action, applied_at FROM control WHERE state = 'applied' AND via <> 'run'"
        " ORDER BY control_id DESC LIMIT 9"
    )
    found += [(words.moment(at) or 0.0, action) for action, at in look.rows(sql)]
    width = max(1.0, end - begin)
    marks = sorted(((at - begin) / width, told) for at, told in found if begin < at < end)
    kept: list[tuple[float, str]] = []
    for at, told in marks:  # what would stand on another text is a line alone
        close = bool(kept) and at - kept[-1][0] < 0.1
        kept.append((at, "" if close else told))
    return kept
