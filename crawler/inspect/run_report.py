"""One run as one self-contained HTML page: what to do first, plots, the slowest, the broken.

It is made of the parts of the live page, reads the same on a phone and on paper, and needs nothing
beside itself: no script, no server.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from crawler.errors import UsageError
from crawler.inspect import sections
from crawler.inspect.first_steps import RunEnd, first_steps, listed
from crawler.inspect.query import Reader
from crawler.inspect.section_parts import HOW_READ, link_map, outcome_map
from crawler.markup import Html, charts, el, join, words
from crawler.markup.parts import (
    TableColumn,
    breakable,
    count,
    empty,
    lead,
    note,
    prose,
    section,
    soft,
    styles,
    table,
)
from crawler.store import damage, views
from crawler.version import __version__
from crawler.web import outcome

_PAGES = " FROM pages WHERE run_id = ?"
_BUCKETS, _LISTED = 120, 15
_WAY = "find it with `crawler query`, set it right, or start over with --fresh"
_SIZES = (
    "SELECT CASE WHEN size < 1000 THEN 'below 1 kB' WHEN size < 10000 THEN '1 to 10 kB'"
    " WHEN size < 100000 THEN '10 to 100 kB' WHEN size < 1000000 THEN '100 kB to 1 MB'"
    " ELSE 'above 1 MB' END, count(*)" + _PAGES + " AND size IS NOT NULL GROUP BY 1"
    " ORDER BY min(size)"
)
_REJECTED = (
    "SELECT item, reason, count(*) AS number, min(page_url) AS page, substr(min(value), 1, 300) AS"
    " value FROM problems WHERE run_id = ? GROUP BY item, reason ORDER BY 3 DESC"
)
_MANNERS = (
    "SELECT name AS host, count(*) AS requests, round((julianday(max(fetched_at))"
    " - julianday(min(fetched_at))) * 86400 / CASE WHEN count(*) > 1 THEN count(*) - 1 ELSE 1 END,"
    " 3) AS seconds_between, max(hosts.delay) AS delay, round(avg(elapsed), 3) AS seconds_to_answer"
    " FROM pages JOIN hosts USING (host_id) WHERE run_id = ? GROUP BY name ORDER BY 2 DESC"
)
_SLOWEST = (
    f"SELECT url, round(elapsed, 2) AS seconds, size{_PAGES} AND outcome <> 'sitemap' AND elapsed"
    " IS NOT NULL ORDER BY elapsed DESC"
)
_AS_ASKED = {"finished", "running", "stopped"}  # states in which nothing is broken


class _Run(NamedTuple):
    run_id: int
    spider: str
    started: str
    ended: str | None
    state: str
    reason: str | None
    pages: int
    errors: int
    seconds: float
    pid: int

    @property
    def told(self) -> str:
        """How it ended, in words."""
        why = f": {self.reason}" if self.reason and self.reason != self.state else ""
        return f"{self.state}{why}"


def page(reader: Reader, run: int | None = None) -> str:
    """Return the report of a run, the last one unless told otherwise.

    UsageError without it, StoreDamaged where a value that it shows is none.
    """
    found = _run(reader, run)
    # A report reads and shows values of the store: what it raises is what they are.
    with damage.told(reader.path, "a value that the report shows", _WAY):
        return _written(reader, found)


def _written(reader: Reader, found: _Run) -> str:
    title = f"{found.spider}, run {found.run_id}"
    ended = RunEnd(found.run_id, found.spider, found.state, _queued(reader, found))
    ends = _counted(reader, found)
    body = (
        _lead(reader, found, ends),
        section("first", "What to do first", listed(first_steps(reader, ended))),
        section("whole", "What became of it", *_whole(ends)),
        section("time", "Over time", _over_time(reader, found)),
        _outcomes(ends),
        section(
            "sections",
            "Outcomes by section",
            note(HOW_READ),
            *outcome_map(sections.by_path(reader, run=found.run_id)),
        ),
        section(
            "linked", "Links between sections", *link_map(sections.links(reader, run=found.run_id))
        ),
        _errors(reader, found),
        _refused(reader, found),
        _broken(reader),
        _table("slowest", "Slowest pages", reader, _SLOWEST, found),
        _table("manners", "Politeness: hosts and their gaps", reader, _MANNERS, found),
        el("div", *_spread(reader, found), class_="pair"),
    )
    state = found.state if found.state in _AS_ASKED else "broken"
    crawl = el(
        "p",
        el("span", found.state.capitalize(), class_="state", data_state=state),
        el("b", title),
        el("span", breakable(str(reader.path)), class_="soft"),
        class_="crawl",
    )
    foot = el("footer", el("p", f"Crawlkeep {__version__} · times are UTC"))
    head = el("header", el("div", crawl, class_="bar"))
    whole = el("body", head, el("main", *body, id="main"), foot, class_="report")
    return _document(title, whole)


def _document(title: str, body: Html) -> str:
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("title", title),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("style", Html(styles())),
    )
    return f"<!doctype html>\n{el('html', head, body, lang='en')}\n"


def _run(reader: Reader, number: int | None) -> _Run:
    sql = (
        "SELECT run_id, spider, started_at, ended_at, state, reason, pages, errors, seconds, pid"
        " FROM runs WHERE run_id = coalesce(?, (SELECT max(run_id) FROM runs))"
    )
    for row in reader.query(sql, (number,)).rows:
        found = _Run(*row)
        killed = found.state == "running" and not reader.runs_on(found.pid)
        return found._replace(state="killed", reason=None) if killed else found
    raise UsageError(f"{reader.path} has no run {number or ''}")


def _queued(reader: Reader, found: _Run) -> int:
    """Return how many URLs are queued; of a run that others followed, none."""
    rows = reader.query("SELECT max(run_id), (SELECT count(*) FROM todo) FROM runs").rows
    [(last, number)] = list(rows)
    return int(number) if found.run_id == last else 0


def _lead(reader: Reader, run: _Run, ends: _Ends) -> Html:
    sql = f"SELECT coalesce(sum(size), 0), count(DISTINCT host_id){_PAGES}"
    [(size, hosts)] = reader.query(sql, (run.run_id,)).rows
    took = words.duration(run.seconds).replace(" ", "\u00a0")  # its units stay with its numbers
    title = f"{words.plural(run.pages, 'page')} in {took}"
    lost = sum(n for name, n in ends if name in outcome.having("error"))
    title += f", {words.plural(lost, 'error')}" if lost else ", no error"
    pace = words.rate(run.pages / run.seconds) if run.seconds else "0"
    began, end = words.moment(run.started), words.moment(run.ended)
    times = " to ".join(dict.fromkeys(words.day(at) for at in (began, end) if at is not None))
    said = (
        f"From {words.plural(hosts, 'host')}, {words.size(size)} of bodies, {pace} pages a second."
        f" {times}: {run.told}."
    )
    return lead("head", title, said, *_items(reader, run))


def _items(reader: Reader, run: _Run) -> Iterator[str]:
    told = []
    for (name,) in list(reader.query("SELECT name FROM item_types ORDER BY name").rows):
        sql = f'SELECT count(*) FROM "{name}" WHERE run_id = ?'
        [(number,)] = reader.query(sql, (run.run_id,)).rows
        told.append(f"{words.number(number)} {name}")
    if told:
        yield f"Items: {', '.join(told)}."


_Ends = list[tuple[str, int]]  # outcomes, and how many requests ended so, the most first


def _counted(reader: Reader, run: _Run) -> _Ends:
    sql = f"SELECT outcome, count(*){_PAGES} GROUP BY 1 ORDER BY 2 DESC"
    return [(name, number) for name, number in reader.query(sql, (run.run_id,)).rows]


def _whole(ends: _Ends) -> Iterator[Html]:
    stored, error = outcome.having("stored"), outcome.having("error")
    sums = {"k1": 0, "k2": 0, "k3": 0}
    for name, number in ends:
        sums["k1" if name in stored else "k3" if name in error else "k2"] += number
    names = {"k1": "stored", "k2": "passed over", "k3": "errors"}
    total = sum(sums.values())
    told = ", ".join(f"{sums[class_]:,} {name}" for class_, name in names.items())
    yield charts.whole([(class_, float(n)) for class_, n in sums.items()], f"Requests: {told}")
    items = (
        join(
            [
                el("i", class_=class_),
                names[class_],
                " ",
                el("b", words.number(number)),
                " ",
                soft(words.share(number, total)),
            ]
        )
        for class_, number in sums.items()
    )
    yield el("ul", *(el("li", one) for one in items), class_="key")


def _outcomes(ends: _Ends) -> Html:
    if not ends:
        return section("outcomes", "Outcomes", empty("No request ended."))
    error, most = outcome.having("error"), ends[0][1]
    known = outcome.Outcome._value2member_map_
    rows = (
        (
            el("span", name, class_="bad") if name in error else name,
            words.number(number),
            charts.bar(number, most),
            prose(outcome.MEANINGS[outcome.Outcome(name)].about) if name in known else "",
        )
        for name, number in ends
    )
    columns = (
        *(TableColumn("outcome"), TableColumn("requests", "n"), TableColumn("", "grow mid")),
        TableColumn("means", "text"),
    )
    return section("outcomes", "Outcomes", table("Requests by outcome", columns, rows))


def _over_time(reader: Reader, run: _Run) -> Html:
    """Return pages, errors and bytes a second, as the live page draws them."""
    sql = f"SELECT min(julianday(fetched_at)), max(julianday(fetched_at)), count(*){_PAGES}"
    [(first, last, number)] = reader.query(sql, (run.run_id,)).rows
    if number and (first is None or last is None):
        raise ValueError("a fetched_at of pages is no time")
    if number < 3 or not last > first:
        return empty("Too short for a picture.")
    span = (last - first) * 86400 + 0.001
    buckets = max(2, min(_BUCKETS, number // 3))
    width = span / buckets
    place = reader.floor(f"(julianday(fetched_at) - {first!r}) * 86400 / {width!r}")
    sql = (
        f"SELECT {place}, count(*), sum(CASE WHEN outcome IN ({outcome.names('error')}) THEN 1"
        f" ELSE 0 END), coalesce(sum(size), 0){_PAGES} GROUP BY 1"
    )
    found = {row[0]: row[1:] for row in reader.query(sql, (run.run_id,)).rows}
    columns = [[found.get(at, (0, 0, 0))[n] / width for at in range(buckets)] for n in range(3)]
    made = (
        charts.Strip(name, values, [shown(v) for v in values], f"most {shown(max(values))}", **more)
        for (name, shown, more), values in zip(_STRIPS, columns, strict=True)
    )
    begin = (first - 2440587.5) * 86400
    times = [words.clock(begin + (at + 0.5) * width, begin, seconds=True) for at in range(buckets)]
    ticks = [words.duration(span * part / 6) if part else "0 s" for part in range(7)]
    axis = charts.Axis(times, ticks)
    return charts.strips(list(made), axis, "Pages, errors and bytes over time", still=True)


_STRIPS: tuple[tuple[str, Any, dict[str, Any]], ...] = (
    ("Requests a second", words.rate, {"tall": True}),
    ("Errors a second", words.rate, {"bars": True}),
    ("Bytes a second", words.size, {}),
)


def _spread(reader: Reader, run: _Run) -> Iterator[Html]:
    """Yield how requests spread over statuses and sizes, and over depths and hosts."""
    status = f"SELECT status, count(*){_PAGES} AND status > 0 GROUP BY 1 ORDER BY 2 DESC"
    depth = f"SELECT depth, count(*){_PAGES} GROUP BY 1 ORDER BY 1"
    hosts = (
        "SELECT name, count(*) FROM pages JOIN hosts USING (host_id) WHERE run_id = ?"
        " GROUP BY 1 ORDER BY 2 DESC"
    )
    left = (("status", "HTTP statuses", status), ("sizes", "Sizes", _SIZES))
    right = (("depth", "Depth", depth), ("hosts", "Hosts", hosts))
    for group in (left, right):
        yield el("div", *(_bars(id_, title, reader, sql, run) for id_, title, sql in group))


def _bars(id_: str, title: str, reader: Reader, sql: str, run: _Run) -> Html:
    _, rows, *cut = _first(reader, sql, run, "pages")
    if not rows:
        return section(id_, title, empty("None."))
    most = max(number for _, number in rows)
    made = (
        (breakable(str(label)), words.number(number), charts.bar(number, most))
        for label, number in rows
    )
    columns = (TableColumn(title, "label"), TableColumn("requests", "n"), TableColumn("", "grow"))
    return section(id_, title, table(title, columns, made), *cut)


def _errors(reader: Reader, run: _Run) -> Html:
    sql = (
        f"SELECT url, outcome, status{_PAGES} AND outcome IN ({outcome.names('error')})"
        " ORDER BY page_id"
    )
    return _table("errors", "Errors", reader, sql, run, all_in="errors")


def _refused(reader: Reader, run: _Run) -> Html:
    return _table("refused", "Refused items", reader, _REJECTED, run, all_in="problems")


def _broken(reader: Reader) -> Html:
    sql = f"SELECT source, target, outcome FROM ({views.select('broken_links')}) AS told"
    return _table("links", "Broken links (of all runs)", reader, sql, all_in="broken_links")


def _first(reader: Reader, sql: str, run: _Run | None, all_in: str) -> tuple[Any, ...]:
    """Return the first rows of a query, and a note where there are more: `all_in` has them."""
    found = reader.query(f"{sql} LIMIT {_LISTED + 1}", () if run is None else (run.run_id,))
    rows = list(found.rows)
    more = f"The first {_LISTED}; `{all_in}` has all, for `crawler query`."
    return found.columns, rows[:_LISTED], *([note(prose(more))] if len(rows) > _LISTED else ())


def _table(
    id_: str,
    title: str,
    reader: Reader,
    sql: str,
    run: _Run | None = None,
    *,
    all_in: str = "pages",
) -> Html:
    names, rows, *cut = _first(reader, sql, run, all_in)
    if not rows:
        return section(id_, title, empty("None."))
    numbers = [
        all(isinstance(row[n], (int, float)) or row[n] is None for row in rows)
        for n in range(len(names))
    ]
    columns = [
        TableColumn(name.replace("_", " "), "n" if number else "breaks")
        for name, number in zip(names, numbers, strict=True)
    ]
    made = [tuple(_cell(value) for value in row) for row in rows]
    return section(id_, title, table(title, columns, made), *cut)


def _cell(value: Any) -> Html:
    if value is None:
        return Html("")
    if isinstance(value, int):
        return count(value)
    return el("bdi", breakable(str(value)))
