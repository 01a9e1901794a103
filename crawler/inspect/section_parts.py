"""Outcomes and links by section, as the live page and the report show them: a plot, and a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sized

from crawler.inspect.sections import PathSection, SectionLinks, Sections, named
from crawler.markup import Html, charts, el, words
from crawler.markup.maps import Piece, flow, icicle
from crawler.markup.parts import TableColumn, count, empty, note, soft, table

Address = Callable[[str], str]
"""Where the name of a section leads: to the pages of its host; "" for nowhere."""

_HOSTS, _ROWS, _FLOWS = 12, 16, 8
_KINDS = (("k1", "stored"), ("k2", "passed over"), ("k3", "errors"))
REST = "the rest"
HOW_READ = "A box is a host or a folder, as wide as it has URLs; what is in it stands below it."


def outcome_map(found: Sections, address: Address = lambda name: "") -> list[Html]:
    """Return how pages ended by the sections of their paths: an icicle, its key, and a table."""
    if not found.root.number:
        return [empty("No page was asked for yet.")]
    hosts = found.root.largest
    alone = len(hosts) == 1
    pieces = tuple(
        _piece(one, _host(one.name), address(one.name), address) for one in hosts[:_HOSTS]
    )
    if alone and pieces[0].below:
        pieces = pieces[0].below
    drawn = icicle(pieces, sum(piece.size for piece in pieces))
    key = (el("li", el("i", class_=f"{class_} dot"), name) for class_, name in _KINDS)
    shown = [el("ul", *key, class_="key"), drawn, *_listed(found, alone, address)]
    rest = sum(one.number for one in hosts[_HOSTS:])
    if rest:
        more = words.plural(len(hosts) - _HOSTS, "other host")
        of = words.share(rest, found.root.number)
        shown.append(note(f"The {_HOSTS} largest hosts; {more} have {of} of the URLs."))
    if not found.exact:
        told = "Reckoned from a sample of the pages; errors are all counted where they are few."
        shown.append(note(told))
    return shown


def _piece(section: PathSection, label: str, href: str, address: Address) -> Piece:
    parts = (("k1", section.stored), ("k2", section.passed), ("k3", section.errors))
    said = ", ".join(
        f"{words.number(value)} {name}"
        for (_, name), (_, value) in zip(_KINDS, parts, strict=True)
        if value
    )
    below = tuple(
        _piece(one, f"/{one.name}", href, address)
        for one in section.largest
        if one.number > 0.004 * section.number
    )
    return Piece(label, f"{label}: {said}", parts, below, href)


def _host(name: str) -> str:
    return name.partition("://")[2] or name


def _listed(found: Sections, alone: bool, address: Address) -> list[Html]:
    """Return the largest sections, and those with most errors, as a table; and what it leaves."""
    every = list(named(found.root))
    if alone and len(every) > 1:
        every = [one for one in every if one[1] is not found.root.largest[0]]
    kept = sorted(every, key=lambda one: -one[1].number)[:_ROWS]
    worst = sorted(every, key=lambda one: -one[1].errors)[: _ROWS // 3]
    kept += [one for one in worst if one[1].errors and one not in kept]
    most = max(one.number for _, one in kept)
    rows = [
        (
            _name(name, alone, address),
            words.number(one.number),
            charts.bar(one.number, most),
            words.number(one.stored),
            count(one.passed),
            count(one.errors, wrong=True),
            soft(words.share(one.errors, one.number)) if one.errors else "",
        )
        for name, one in kept
    ]
    columns = (
        *(
            TableColumn("section", "cut wrap"),
            TableColumn("URLs", "n"),
            TableColumn("", "grow mid"),
        ),
        *(TableColumn("stored", "n"), TableColumn("passed over", "n mid")),
        *(TableColumn("errors", "n"), TableColumn("share", "n mid")),
    )
    return [table("Pages by section of their path", columns, rows), *_left(every, rows, "section")]


def _left(every: Sized, shown: Sized, what: str) -> list[Html]:
    """Return a note of how many there are beside those that a table shows."""
    more = len(every) - len(shown)
    return [note(f"The largest; {words.plural(more, f'smaller {what}')} more.")] if more else []


def _name(name: str, alone: bool, address: Address) -> Html:
    host, path = name.partition("://")[::2]
    shown = f"/{path.partition('/')[2]}" if alone else path or host
    leads = address("/".join(name.split("/")[:3]))
    inner = el("a", shown, class_="url", href=leads) if leads else el("span", shown)
    return el("bdi", inner, dir="ltr", title=name)


def link_map(found: SectionLinks) -> list[Html]:
    """Return how links lead from section to section: a flow, and the strongest as a table."""
    if not found.numbers:
        return [empty("No link is stored.")]
    hosts = {source.partition("://")[2].partition("/")[0] for source, _ in found.numbers}
    own = next(iter(hosts)) if len(hosts) == 1 else None
    small = _merged(found, own)
    ranked = sorted(found.numbers.items(), key=lambda one: -one[1])[:_ROWS]
    most = ranked[0][1]
    rows = [
        (
            el("bdi", _short(source, own), dir="ltr"),
            el("bdi", _short(target, own), dir="ltr"),
            words.number(number),
            charts.bar(number, most),
        )
        for (source, target), number in ranked
    ]
    columns = (
        *(TableColumn("from", "cut wrap"), TableColumn("to", "cut wrap")),
        *(TableColumn("links", "n"), TableColumn("", "grow mid")),
    )
    kinds = (("band", "to another section"), ("band own", "within a section"))
    key = (el("li", el("i", class_=f"{class_} dot"), name) for class_, name in kinds)
    heads = el("p", el("span", "pages in"), el("span", "link to"), class_="flow-heads flow soft")
    shown = [
        el("ul", *key, class_="key"),
        heads,
        flow(small),
        table("Links between sections", columns, rows),
        *_left(found.numbers, rows, "pair"),
    ]
    if not found.exact:
        shown.append(note("Reckoned from a sample of the pages."))
    return shown


def _merged(found: SectionLinks, own: str | None) -> dict[tuple[str, str], float]:
    """Return the numbers of the sections with most links on each side; others are one."""
    kept = []
    for side in (0, 1):
        sums: Counter[str] = Counter()
        for pair, number in found.numbers.items():
            sums[pair[side]] += number  # type: ignore[assignment]
        kept.append({name for name, _ in sums.most_common(_FLOWS)})
    small: Counter[tuple[str, str]] = Counter()
    for pair, number in found.numbers.items():
        source, target = (
            _short(name, own) if name in kept[side] else REST for side, name in enumerate(pair)
        )
        small[source, target] += number  # type: ignore[assignment]
    return dict(small)


def _short(name: str, own: str | None) -> str:
    host, slash, path = name.partition("://")[2].partition("/")
    return f"/{path}" if host == own else f"{host}{slash}{path}"
