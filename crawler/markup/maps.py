"""Plots of what lies in what, and of what leads where: as SVG, without styles or scripts.

What they show stands in a table beside them; readers of screens are led there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crawler.markup import Html, el

_ROW, _STRIPE = 38, 9  # pixels: a row of an icicle, and the bar of outcomes at its foot
_LEAST = 0.4  # percent of the width, below which a piece is too narrow to be seen
_LONG = 28  # characters of a name beside a flow
_NODE, _GAP = 26, 6  # pixels: a section of a flow at least, and between two


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of an icicle: its label, what a pointer is told, the classes and sizes of its parts.

    `href` is where it leads; "" for nowhere.
    """

    label: str
    about: str
    parts: tuple[tuple[str, float], ...]
    below: tuple[Piece, ...] = ()
    href: str = ""

    @property
    def size(self) -> float:
        """How wide it is, in the unit of its parts."""
        return sum(value for _, value in self.parts)


def icicle(pieces: Sequence[Piece], size: float) -> Html:
    """Return pieces side by side, what is in each below it; a width of `size` is the whole."""
    drawn: list[Html] = []
    depth = _draw(drawn, pieces, 0.0, 0, size or 1.0)
    return el("svg", *drawn, class_="icicle", height=depth * _ROW, aria_hidden="true")


def _draw(drawn: list[Html], pieces: Sequence[Piece], x: float, row: int, size: float) -> int:
    """Draw pieces from `x` percent on, and what is below them; return how many rows there are."""
    deepest = row
    for piece in pieces:
        width = 100 * piece.size / size
        if width < _LEAST:
            continue
        drawn.append(_piece(piece, x, width, row))
        deepest = max(deepest, row + 1, _draw(drawn, piece.below, x, row + 1, size))
        x += width
    return deepest


def _piece(piece: Piece, x: float, width: float, row: int) -> Html:
    height = _ROW - 3
    parts, at, whole = [], 0.0, piece.size or 1.0
    for class_, value in piece.parts:
        share = 100 * value / whole
        if share:
            place = {"x": f"{at:.2f}%", "width": f"{share:.2f}%", "y": height - _STRIPE}
            parts.append(el("rect", class_=class_, height=_STRIPE, **place))
        at += share
    shown = [
        el("title", piece.about),
        el("rect", class_="bed", width="100%", height=height),
        *parts,
        el("text", piece.label, x=6, y=17) if width > 2 else "",
    ]
    inner = el("a", *shown, href=piece.href, tabindex="-1") if piece.href else el("g", *shown)
    place = {"x": f"{x:.2f}%", "y": row * _ROW, "width": f"{max(_LEAST, width - 0.15):.2f}%"}
    return el("svg", inner, height=height, **place)


def flow(numbers: Mapping[tuple[str, str], float]) -> Html:
    """Return where links lead: sources on the left, targets on the right, bands between them.

    A band is as high as its share of all; names stand in the order of their numbers.
    """
    sources, targets = _sums(numbers, 0), _sums(numbers, 1)
    rows = max(len(sources), len(targets))
    height = rows * (_NODE + _GAP) + 120
    left, right = _places(sources, height), _places(targets, height)
    at_left = {name: top for name, (top, _) in left.items()}
    at_right = {name: top for name, (top, _) in right.items()}
    bands = []
    for source in sources:
        for target in targets:
            number = numbers.get((source, target), 0)
            if not number:
                continue
            a = left[source][1] * number / sources[source]
            b = right[target][1] * number / targets[target]
            own = " own" if source == target else ""
            bands.append(_band(at_left[source], a, at_right[target], b, f"band{own}"))
            at_left[source] += a
            at_right[target] += b
    drawn = el(
        "svg",
        *bands,
        height=height,
        viewBox=f"0 0 100 {height}",
        preserveAspectRatio="none",
    )
    names = (_names(left, height, "end"), drawn, _names(right, height, "start"))
    return el("div", *names, class_="flow", aria_hidden="true")


def _sums(numbers: Mapping[tuple[str, str], float], side: int) -> dict[str, float]:
    found: dict[str, float] = {}
    for pair, number in numbers.items():
        found[pair[side]] = found.get(pair[side], 0.0) + number
    return dict(sorted(found.items(), key=lambda one: -one[1]))


def _places(sums: Mapping[str, float], height: float) -> dict[str, tuple[float, float]]:
    """Return where each name begins, and how high it is: a least height, and its share of more."""
    spare = height - len(sums) * (_NODE + _GAP)
    total, top = sum(sums.values()) or 1.0, 0.0
    found = {}
    for name, number in sums.items():
        high = _NODE + spare * number / total
        found[name] = (top, high)
        top += high + _GAP
    return found


def _band(y: float, high: float, to: float, low: float, class_: str) -> Html:
    d = (
        f"M0 {y:.1f}C50 {y:.1f} 50 {to:.1f} 100 {to:.1f}V{to + low:.1f}"
        f"C50 {to + low:.1f} 50 {y + high:.1f} 0 {y + high:.1f}Z"
    )
    return el("path", class_=class_, d=d)


def _cut(name: str) -> str:
    """Return the end of a long name, by which it differs from others."""
    return name if len(name) <= _LONG else f"…{name[1 - _LONG :]}"


def _names(places: Mapping[str, tuple[float, float]], height: float, anchor: str) -> Html:
    x = "100%" if anchor == "end" else "0"
    shown = (
        el("text", _cut(name), x=x, y=f"{top + high / 2 + 4:.1f}", text_anchor=anchor)
        for name, (top, high) in places.items()
    )
    return el("svg", *shown, height=height)
