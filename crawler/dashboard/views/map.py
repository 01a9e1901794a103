"""Map: where on its sites it goes well, where not, and how their parts are linked."""

from __future__ import annotations

from crawler.dashboard.parts import short_host
from crawler.dashboard.sources import Look
from crawler.dashboard.state import State
from crawler.dashboard.view import PagePart, View
from crawler.errors import UsageError
from crawler.inspect import sections
from crawler.inspect.section_parts import HOW_READ, link_map, outcome_map
from crawler.markup import Html, el, join, words
from crawler.markup.parts import lead, section

_SQL = (
    "SELECT host(url) AS host, outcome, count(*) FROM pages GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 100"
)
_LINKS = (
    "SELECT pages.url AS source, value AS target FROM link_lists JOIN pages USING (page_id),"
    " json_each(targets) LIMIT 1000"
)


def _host(look: Look) -> str | None:
    """Return the host that the URL asks for; None for all."""
    name = look.params.get("host")
    if not name:
        return None
    sql = "SELECT name FROM hosts WHERE name IN (?, 'http://' || ?, 'https://' || ?)"
    found = look.one(sql, name, name, name)
    if found is None:
        raise UsageError(f"{name[:200]} was never met")
    return str(found)


def head(look: Look, now: State) -> Html:
    """Return the section with the largest share of errors, in a sentence."""
    found = _found(look, now)
    all_ = el("a", "All hosts", href=look.href("map")) if _host(look) else None
    ended = [one for one in sections.named(found.root) if one[1].number >= _worth(found)]
    worst = max(ended, key=lambda one: one[1].errors / one[1].number, default=None)
    if worst is None or worst[1].errors < 1:
        return lead("head", "No part of the sites stands out by errors", HOW_READ, all_)
    name, one = worst
    share = words.share(one.errors, one.number)
    title = join([f"{share} of ", el("bdi", short_host(name), dir="ltr"), " ended in errors"])
    said = f"{words.number(one.errors)} of {words.plural(one.number, 'URL')}; no other large part"
    return lead("head", title, f"{said} has a higher share. {HOW_READ}", all_)


def _worth(found: sections.Sections) -> float:
    return max(5.0, 0.005 * found.root.number)


def _found(look: Look, now: State) -> sections.Sections:
    return now.once("sections", lambda: sections.by_path(look.reader, host=_host(look)))


def outcomes(look: Look, now: State) -> Html:
    """Return how pages ended, by the sections of their paths."""
    shown = outcome_map(_found(look, now), lambda name: look.href("map", host=name))
    return section("sections", "Outcomes by section", *shown, links=[look.sql(_SQL)])


def linked(look: Look, now: State) -> Html:
    """Return how many links lead from section to section."""
    shown = link_map(sections.links(look.reader, host=_host(look)))
    return section("linked", "Links between sections", *shown, links=[look.sql(_LINKS)])


VIEW = View(
    "map",
    "Map",
    (
        PagePart("head", 10.0, head),
        PagePart("sections", 10.0, outcomes),
        PagePart("linked", 30.0, linked),
    ),
    key="m",
)
