"""One host: how is it treated, and what is next."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from typing import Any

from crawler.dashboard.parts import hidden, outcome_of, short_host, url_link
from crawler.dashboard.sources import Look
from crawler.dashboard.state import HOST_SQL, Host, State
from crawler.dashboard.view import PagePart, View
from crawler.dashboard.views.hosts import robots_in_words
from crawler.dashboard.views.overview import state_of
from crawler.errors import UsageError
from crawler.markup import Html, charts, el, join, words
from crawler.markup.parts import TableColumn, empty, note, section, soft, table, warn
from crawler.web import outcome

_NEXT = 20
_MOST = 5_000  # of the latest pages of a host, of which the strips are drawn
_BUCKETS, _A_PART = 120, 6  # parts of the strips, and the answers in one
_REFUSING = (429, 503)


def _of(look: Look, now: State) -> Host:
    name = look.params.get("name", "")
    sql = f"{HOST_SQL} hosts WHERE name IN (?, 'http://' || ?, 'https://' || ?)"
    for row in look.rows(sql, name, name, name):
        return now.host(row)
    raise UsageError(f"{name or 'the host'} was never met")


def head(look: Look, now: State) -> Html:
    """Return how the host stands, in a sentence."""
    host = _of(look, now)
    all_ = el("a", "Hosts", href=look.href("hosts"))
    queued = join([el("b", words.number(host.queued)), " URLs are queued"])
    queued = queued if host.queued else Html("Nothing of it is queued")
    togo = f": {words.duration(host.to_go)} at this pace" if host.queued else ""
    trouble = f" {words.plural(host.failures, 'slow-down')} in a row." if host.failures else ""
    said = join([state_of(host), ". ", queued, togo, ".", trouble])
    body = el("div", el("p", all_), el("h1", el("bdi", short_host(host.name))), el("p", said))
    return el("section", el("div", *[body], class_="lead"), id="head")


def over_time(look: Look, now: State) -> Html:
    """Return starts, refusals and answer times of the host."""
    host = _of(look, now)
    sql = (
        "SELECT fetched_at, status, elapsed FROM pages WHERE host_id = ? AND url >= ? AND url < ?"
        f" ORDER BY +page_id DESC LIMIT {_MOST}"
    )
    link = look.sql(
        f"SELECT fetched_at, outcome, elapsed FROM pages WHERE host_id = {host.host_id}"
        " ORDER BY page_id DESC LIMIT 1000"
    )
    rows = [
        (at, status, took)
        for text, status, took in look.rows(sql, *_between(host))
        if (at := words.moment(text)) is not None and took is not None
    ]
    if len(rows) < 3:
        return section("time", "Over time", empty("Too few answers for a picture."), links=[link])
    return section("time", "Over time", _strips(look, host, rows[::-1]), links=[link])


def _between(host: Host) -> tuple[int, str, str]:
    """Return what holds of a host's URLs: a file has an index of URLs, PostgreSQL of hosts."""
    return host.host_id, f"{host.name}/", f"{host.name}0"


def _strips(look: Look, host: Host, rows: list[tuple[float, Any, float]]) -> Html:
    begin, end = min(r[0] for r in rows), max(r[0] for r in rows)
    # With fewer answers a part, whether one or two fell into it would be all that is drawn.
    number = max(2, min(_BUCKETS, len(rows) // _A_PART))
    width = max(0.05, (end - begin) / number)
    edges = [begin + width * n for n in range(number)]
    starts, refused = [0.0] * number, [0.0] * number
    answers: list[list[float]] = [[] for _ in range(number)]
    for at, status, took in rows:
        place = max(0, bisect.bisect_right(edges, at) - 1)
        starts[place] += 1 / width
        refused[place] += (status in _REFUSING) / width
        answers[place].append(took)
    middle = [sorted(one)[len(one) // 2] if one else 0.0 for one in answers]
    rate = [words.rate(one) for one in starts]
    series = [
        charts.Strip("Starts a second", starts, rate, f"most {words.rate(max(starts))}"),
        charts.Strip(
            "Refused a second", refused, [words.rate(r) for r in refused], "429, 503", bars=True
        ),
        charts.Strip(
            "Answers in",
            middle,
            [words.duration(m) for m in middle],
            f"most {words.duration(max(middle))}",
        ),
    ]
    seconds = end - begin < 900
    times = [words.clock(at, look.now, seconds=seconds) for at in edges]
    ticks = times[:: max(1, number // 6)][:6]
    axis = charts.Axis(times, [*ticks, times[-1]])
    label = f"{short_host(host.name)}: starts, refusals and answer time"
    return charts.strips(series, axis, label)


def steer(look: Look, now: State) -> Html:
    """Return what can be done about the host."""
    host = _of(look, now)
    action = look.href("control")

    def form(name: str, told: str, value: str, act: str) -> Html:
        box = el("label", told, el("input", name=name, inputmode="decimal", value=value, size="6"))
        button = el("button", "Set", name="action", value=act)
        kept = hidden(target=host.name, back=look.again("host"))
        return el("form", kept, box, button, class_="form", method="post", action=action)

    asleep = host.name in now.asleep
    verb, act = ("Go on with this host", "resume") if asleep else ("Pause this host", "pause")
    kept = hidden(target=host.name, back=look.again("host"))
    pause = el(
        "form", kept, el("button", verb, name="action", value=act), method="post", action=action
    )
    block = el(
        "a", "Block…", class_="button", href=look.href("ask", action="block", target=host.name)
    )
    again = el(
        "a", "Try again…", class_="button", href=look.href("ask", action="retry", target=host.name)
    )
    said = note(
        "What you do here is written to the table ",
        el("code", "control"),
        " with who and when, and takes effect within a second.",
    )
    delay = form("delay", "Seconds between two starts", f"{round(host.delay, 3):g}", "set")
    first = form("priority", "Priority over other hosts", "0", "prioritize")
    return section(
        "steer", "Steer", delay, first, el("div", pause, block, again, class_="form"), said
    )


def errors(look: Look, now: State) -> Html:
    """Return what went wrong on the host, and what was tried again."""
    host = _of(look, now)
    sql = (
        "SELECT outcome, status, count(*), max(fetched_at) FROM pages WHERE outcome <> 'ok'"
        f" AND outcome IN ({outcome.names('error')}) AND host_id = ? GROUP BY 1, 2"
        " ORDER BY 3 DESC LIMIT 20"
    )
    tried = (
        "SELECT outcome, status, count(*), max(at) FROM attempts"
        " WHERE host_id = ? AND url >= ? AND url < ? GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 20"
    )
    rows = [(*row, "stored as it is") for row in look.rows(sql, host.host_id)]
    rows += [(*row, "tried again") for row in look.rows(tried, *_between(host))]
    link = look.sql(
        f"SELECT outcome, status, count(*) FROM attempts WHERE host_id = {host.host_id}"
        " GROUP BY 1, 2"
    )
    if not rows:
        return section("errors", "Errors and retries", empty("None."), links=[link])
    made = (
        (outcome_of(n, s), words.number(c), words.clock(words.moment(last), look.now), then)
        for n, s, c, last, then in rows
    )
    columns = (
        *(TableColumn("outcome", "fill"), TableColumn("times", "n"), TableColumn("last", "n")),
        TableColumn("what follows", "mid"),
    )
    shown = table("Errors of this host", columns, made)
    return section("errors", "Errors and retries", shown, links=[link])


def politeness(look: Look, now: State) -> Html:
    """Return what is promised to the host, and what it asks for."""
    host = _of(look, now)
    promised = f"{words.seconds(host.least)} between two starts, {now.per_host} at once"
    delay = words.seconds(host.delay)
    facts: list[tuple[str, Any]] = [
        ("promised", promised),
        ("delay now", warn(delay) if host.slowed else delay),
        ("robots.txt", _robots(look, host)),
        ("slow-downs", f"{host.failures} in a row"),
    ]
    if host.recent.middle is not None and host.recent.most is not None:
        middle, most = words.duration(host.recent.middle), words.duration(host.recent.most)
        facts.append(("answers in", f"{middle} in the middle, 19 of 20 in {most}"))
    said = el(
        "dl", *(part for k, v in facts for part in (el("dt", k), el("dd", v))), class_="facts"
    )
    report = el("a", "Politeness report", href=look.href("politeness"))
    return section("manners", "Politeness", said, links=[report])


def _robots(look: Look, host: Host) -> Html:
    sql = "SELECT fetched_at, status, body FROM robots WHERE host_id = ?"
    for at, status, body in look.rows(sql, host.host_id):
        when = words.clock(at, look.now, seconds=True)
        told = f"{status or 'no answer'} at {when}: "
        shown = body.decode("utf-8", "replace")[:4000] if body and status == 200 else ""
        rest = _rules(shown) if shown else ""
        return join([told, robots_in_words(status, body), rest])
    return soft("not asked yet")


def _rules(text: str) -> Html:
    shown = el("pre", text, tabindex="0", role="region", aria_label="robots.txt")
    return el("details", el("summary", "as it is"), shown)


def queue(look: Look, now: State) -> Html:
    """Return the next URLs of the host."""
    host = _of(look, now)
    link = look.sql(
        f"SELECT url, depth, attempts FROM todo WHERE host_id = {host.host_id} ORDER BY rank, seq"
        " LIMIT 100"
    )
    own = el("a", "Its pages", href=look.href("pages", host=short_host(host.name)))
    sql = (
        "SELECT todo.url, todo.depth, todo.attempts, pages.url FROM todo LEFT JOIN pages ON"
        " pages.page_id = todo.parent_id WHERE todo.host_id = ? ORDER BY rank, seq LIMIT ?"
    )
    rows = list(_queue_rows(look, look.rows(sql, host.host_id, _NEXT)))
    title = f"Next of {words.number(host.queued)} queued"
    if not rows:
        return section("queue", "Queue", empty("Nothing of it is queued."), links=[link, own])
    columns = (
        *(TableColumn("URL", "fill wrap"), TableColumn("depth", "n"), TableColumn("tries", "n")),
        TableColumn("found on", "cut mid"),
    )
    shown = table("The next URLs of this host", columns, rows)
    return section("queue", title, shown, links=[link, own])


def _queue_rows(look: Look, rows: list[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    for url, depth, tries, parent in rows:
        found = url_link(look, parent) if parent else soft("a start")
        yield url_link(look, url), words.number(depth), words.number(tries), found


VIEW = View(
    "host",
    "Host",
    (
        PagePart("head", 2.0, head),
        (PagePart("time", 5.0, over_time), PagePart("steer", 2.0, steer)),
        (PagePart("errors", 5.0, errors), PagePart("manners", 2.0, politeness)),
        PagePart("queue", 2.0, queue),
    ),
    under="hosts",
)
