"""Traps: what is endless, or about to be."""

from __future__ import annotations

from collections import Counter

from crawler.dashboard.parts import url_link
from crawler.dashboard.sources import Look
from crawler.dashboard.state import State
from crawler.dashboard.view import PagePart, View
from crawler.links.traps import pattern_of
from crawler.markup import Html, charts, el, words
from crawler.markup.parts import TableColumn, empty, lead, note, prose, section, soft, table
from crawler.web.refusal import ABOUT, Refusal

_SHOWN = 20
_SAMPLE = 5_000  # URLs of the queue whose patterns are counted
_LISTED = 200
_SHUT = "SELECT count(*) FROM endless"
_CLOSED = "SELECT pattern, page_url FROM endless"
_COUNTED = "SELECT pattern, pages, known FROM patterns ORDER BY pages DESC LIMIT 50"
_REFUSED = "SELECT name, value FROM counters WHERE name LIKE 'refused.%' ORDER BY value DESC"


def head(look: Look, now: State) -> Html:
    """Return how many URLs were left alone, in a sentence."""
    left = now.counters.get("refused.endless", 0)
    about = (
        "A pattern is what URLs have in common that differ only in numbers, ids and values; it is"
        " closed when page after page was there before."
    )
    if not left and (shut := look.one(_SHUT)):
        title = f"{words.plural(shut, 'pattern is', 'patterns are')} closed"
        return lead("head", title, f"No URL of such a pattern was met since. {about}")
    if not left:
        return lead("head", "No trap was met", about)
    title = f"{words.plural(left, 'URL was', 'URLs were')} left alone"
    told = "They belong to a pattern whose pages said nothing new any more. "
    return lead("head", title, told + about)


def closed(look: Look, now: State) -> Html:
    """Return the patterns that are closed."""
    rows = [
        (
            el("bdi", el("code", pattern.partition("://")[2] or pattern)),
            url_link(look, url),
            el("a", "Open again…", href=look.href("ask", action="reopen", target=pattern)),
        )
        for pattern, url in look.rows(f"{_CLOSED} LIMIT {_LISTED}")
    ]
    if not rows:
        return section("closed", "Closed", empty("None."), links=[look.sql(_CLOSED)])
    columns = (
        *(
            TableColumn("pattern", "cut long wrap"),
            TableColumn("the page that decided", "fill wide"),
        ),
        TableColumn("", ""),
    )
    shown = table("Closed patterns", columns, rows)
    number = look.one(_SHUT) or 0
    more = note(f"{_LISTED} of {words.number(number)}; SQL has all.") if number > _LISTED else ""
    return section("closed", "Closed", shown, more, links=[look.sql(_CLOSED)])


def suspects(look: Look, now: State) -> Html:
    """Return the patterns with most URLs queued, and how much of each was new."""
    sample = [url for (url,) in look.rows(f"SELECT url FROM todo LIMIT {_SAMPLE}")]
    queued = Counter(map(pattern_of, sample))
    scale = now.queued / len(sample) if sample else 1.0
    counted = {name: (pages, known) for name, pages, known in look.rows(_COUNTED)}
    shut = {pattern for (pattern,) in look.rows("SELECT pattern FROM endless")}
    title, links = "Most queued", [look.sql(_COUNTED)]
    found = [(name, number) for name, number in queued.most_common(_SHOWN) if name not in shut]
    if not found:
        return section("suspects", title, empty("Nothing is queued."), links=links)
    about = "about " if scale > 1.0 else ""
    rows = []
    for name, number in found:
        pages, known = counted.get(name, (0, 0))
        fresh = words.share(known, pages) if pages > 200 and known else soft("not looked at")
        block = look.href("ask", action="block", target=_as_target(name))
        rows.append(
            (
                el("bdi", el("code", name.partition("://")[2])),
                f"{about}{words.number(number * scale)}",
                words.number(pages) if pages else soft("few"),
                fresh,
                charts.bar(number, found[0][1]),
                el("a", "Block…", href=block),
            )
        )
    columns = (
        *(
            TableColumn("pattern", "cut long wrap"),
            TableColumn("queued", "n"),
            TableColumn("pages", "n mid"),
        ),
        *(TableColumn("new text", "n"), TableColumn("", "grow mid"), TableColumn("", "")),
    )
    shown = table("Patterns with many URLs queued", columns, rows)
    said = note(f"Of the first {words.plural(len(sample), 'URL')} queued.") if scale > 1.0 else ""
    return section("suspects", title, shown, said, links=links)


def _as_target(pattern: str) -> str:
    """Return what `crawler block` takes for a pattern of URLs: all at its place."""
    path, mark, _ = pattern.partition("?")
    if mark:
        return f"{path}?*".replace("0", "*")
    return path.replace("0", "*")


def refused(look: Look, now: State) -> Html:
    """Return why URLs were not taken."""
    head = "refused."
    found = [
        (name.removeprefix(head), number)
        for name, number in now.counters.items()
        if name.startswith(head) and number
    ]
    title, links = "Not taken", [look.sql(_REFUSED)]
    if not found:
        return section("refused", title, empty("Everything was taken."), links=links)
    rows = [
        (name, words.number(number), prose(ABOUT[Refusal(name)]) if name in set(Refusal) else "")
        for name, number in sorted(found, key=lambda one: -one[1])
    ]
    columns = (TableColumn("reason"), TableColumn("times", "n"), TableColumn("means", "text most"))
    return section("refused", title, table("Why URLs were not taken", columns, rows), links=links)


VIEW = View(
    "traps",
    "Traps",
    (
        PagePart("head", 10.0, head),
        PagePart("closed", 10.0, closed),
        PagePart("suspects", 10.0, suspects),
        PagePart("refused", 10.0, refused),
    ),
    key="t",
)
