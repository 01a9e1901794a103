"""Problems: what is broken, by cause."""

from __future__ import annotations

from typing import Any

from crawler.dashboard.parts import outcome_of, url_link
from crawler.dashboard.sources import Look
from crawler.dashboard.state import State
from crawler.dashboard.view import PagePart, View
from crawler.markup import Html, charts, el, join, words
from crawler.markup.parts import TableColumn, empty, lead, note, prose, section, soft, table
from crawler.web import outcome

_BARS = 30  # spans of time in which errors are counted
_REASONS, _BROKEN = 50, 20
_ERRORS = (
    "SELECT outcome, status, count(*), max(fetched_at) FROM errors GROUP BY 1, 2 ORDER BY 3 DESC"
)
_FIT = "SELECT item, reason, count(*) FROM problems GROUP BY 1, 2 ORDER BY 3 DESC"
_BROKEN_SQL = (
    "SELECT target, count(*), min(source) FROM broken_links GROUP BY 1 ORDER BY 2 DESC LIMIT 100"
)


def head(look: Look, now: State) -> Html:
    """Return how much is broken, in a sentence."""
    errors = now.ended("error")
    refused = now.counters.get("refused.item_refused", 0)
    sent = sum(now.outcomes.get(name, 0) for name in outcome.having("sent"))
    if not errors and not refused:
        return lead("head", "Nothing is broken", "No request ended in an error, every item fits.")
    title = f"{words.plural(errors, 'error')}, {words.plural(refused, 'item')} not stored"
    lost = [name for name in outcome.having("error") if name in outcome.having("sent")]
    failed = sum(now.outcomes.get(name, 0) for name in lost)
    said = f"{words.share(failed, sent)} of the requests that were sent ended in an error."
    given_up = now.outcomes.get("host_given_up", 0)
    if given_up:
        more = f" {words.plural(given_up, 'more URL was', 'more URLs were')} not sent, as"
        said += f"{more} their host was given up."
    return lead("head", title, said)


def errors(look: Look, now: State) -> Html:
    """Return the requests that ended without a page, by outcome and status, and when."""
    first = look.one("SELECT fetched_at FROM pages ORDER BY page_id LIMIT 1")
    begin = words.moment(first) or now.now
    span = max(1.0, now.now - begin)
    part = look.reader.floor("(unixepoch(fetched_at) - ?1) / ?2")
    sql = (
        f"SELECT outcome, status, {part} AS part, count(*), max(fetched_at), max(page_id)"
        f" FROM pages WHERE outcome <> 'ok' AND outcome IN ({outcome.names('error')})"
        " GROUP BY 1, 2, 3"
    )
    groups: dict[tuple[str, Any], dict[str, Any]] = {}
    for name, status, at, number, last, page in look.rows(sql, begin, span / _BARS):
        group = groups.setdefault(
            (name, status), {"n": 0, "last": "", "page": 0, "bars": [0] * _BARS}
        )
        group["n"] += number
        group["last"] = max(group["last"], last)
        group["page"] = max(group["page"], page)
        group["bars"][min(max(0, at), _BARS - 1)] += number
    title, link = "Requests that ended without a page", look.sql(_ERRORS)
    if not groups:
        return section("errors", title, empty("None."), links=[link])
    found = sorted(groups.items(), key=lambda one: -one[1]["n"])
    rows = [_error_row(look, now, name, status, g) for (name, status), g in found]
    columns = (
        *(TableColumn("outcome"), TableColumn("means", "wide"), TableColumn("requests", "n")),
        *(
            TableColumn("when", "mid"),
            TableColumn("last", "n mid"),
            TableColumn("for example", "fill wrap wide"),
        ),
    )
    return section("errors", title, table("Errors by outcome", columns, rows), links=[link])


def _error_row(
    look: Look, now: State, name: str, status: int | None, group: dict[str, Any]
) -> tuple[Any, ...]:
    example = look.one("SELECT url FROM pages WHERE page_id = ?", group["page"])
    about = outcome.MEANINGS[outcome.Outcome(name)].about
    link = el("a", name, href=look.href("pages", outcome=name))
    return (
        join([link, soft(status)], " ") if status else link,
        prose(about),
        words.number(group["n"]),
        charts.little_bars(group["bars"]),
        words.clock(words.moment(group["last"]), look.now),
        url_link(look, example) if example else "",
    )


def fit(look: Look, now: State) -> Html:
    """Return the items that did not fit their type, by reason."""
    sql = (
        "SELECT kind.item, kind.reason, number, value, page_url FROM (SELECT item, reason, count(*)"
        " AS number, max(problem_id) AS last FROM problems GROUP BY 1, 2 ORDER BY 3 DESC"
        f" LIMIT {_REASONS}) AS kind JOIN problems ON problem_id = last ORDER BY number DESC"
    )
    title, link = "Items that did not fit their type", look.sql(_FIT)
    rows = [
        (
            el("a", item, href=look.href("items", type=item)),
            el("span", reason),
            words.number(number),
            el("bdi", (value or "")[:100]),
            url_link(look, url),
        )
        for item, reason, number, value, url in look.rows(sql)
    ]
    if not rows:
        return section("fit", title, empty("None."), links=[link])
    columns = (
        *(TableColumn("type"), TableColumn("reason", "text"), TableColumn("items", "n")),
        *(TableColumn("got", "mid cut"), TableColumn("for example", "fill wrap mid")),
    )
    mend = note(
        "Mend the spider, then run it over the stored pages, without the network: ",
        el("code", f"crawler reparse {look.source.name} --apply"),
    )
    return section("fit", title, table("Problems by reason", columns, rows), mend, links=[link])


def broken(look: Look, now: State) -> Html:
    """Return links to what is not there."""
    sql = (
        "SELECT broken.url, broken.outcome, broken.status, referrer.url FROM"
        f" (SELECT page_id FROM pages WHERE outcome <> 'ok' AND outcome IN"
        f" ({outcome.names('broken')}) ORDER BY page_id DESC LIMIT {_BROKEN}) AS late"
        " JOIN pages AS broken USING (page_id)"
        " LEFT JOIN pages AS referrer ON referrer.page_id = broken.parent_id"
        " ORDER BY broken.page_id DESC"
    )
    title, link = "Links to what is not there", look.sql(_BROKEN_SQL)
    csv = el("a", "CSV", href=look.href("sql", sql=_BROKEN_SQL, format="csv"))
    rows = [
        (
            url_link(look, url),
            outcome_of(name, status),
            url_link(look, source) if source else soft("a start"),
        )
        for url, name, status, source in look.rows(sql)
    ]
    if not rows:
        return section("broken", title, empty("None."), links=[link])
    columns = (
        TableColumn("target", "fill wrap"),
        TableColumn("outcome"),
        TableColumn("found on", "cut mid"),
    )
    shown = table("Broken links", columns, rows)
    said = note("The latest, each with the page that it was found on first; SQL has every link.")
    return section("broken", title, shown, said, links=[link, csv])


VIEW = View(
    "problems",
    "Problems",
    (
        PagePart("head", 5.0, head),
        PagePart("errors", 5.0, errors),
        PagePart("fit", 5.0, fit),
        PagePart("broken", 5.0, broken),
    ),
    key="e",
)
