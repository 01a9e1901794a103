"""Charts as SVG without styles or scripts: strips over one time axis, bars, parts of a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from crawler.markup import Html, el, join

HEIGHT, TALL = 52, 92


@dataclass(frozen=True, slots=True)
class Strip:
    """One series over the buckets of a time axis."""

    name: str
    values: Sequence[float]
    shown: Sequence[str]
    """Each value as the figure beside the strip says it."""
    most: str
    bars: bool = False
    tall: bool = False
    now: str | None = None


@dataclass(frozen=True, slots=True)
class Axis:
    """What all strips share: times of the buckets, pauses and marks."""

    times: Sequence[str]
    ticks: Sequence[str]
    pauses: Sequence[tuple[int, int]] = ()
    """Buckets in which nothing ran: first, and one behind the last."""
    marks: Sequence[tuple[float, str]] = field(default_factory=tuple)
    """Share of the width, and what happened."""


def strips(series: Sequence[Strip], axis: Axis, label: str, *, still: bool = False) -> Html:
    """Return the strips as one figure that arrow keys read; `still`: without a script, none do."""
    rows = [_strip(one, axis) for one in series]
    end = el(
        "div",
        el("output", "at the end" if still else "now", class_="moment"),
        el("p", *(el("span", tick) for tick in axis.ticks), aria_hidden="true"),
        class_="axis",
    )
    if still:
        return el("div", *rows, end, class_="strips", role="group", aria_label=f"{label}.")
    return el(
        "div",
        *rows,
        end,
        class_="strips",
        id="strips",
        role="group",
        tabindex="0",
        aria_label=f"{label}. Arrow keys read the values.",
        data_times="\t".join(axis.times),
    )


def _strip(one: Strip, axis: Axis) -> Html:
    height = TALL if one.tall else HEIGHT
    number = max(1, len(axis.times))
    pauses = [
        el("rect", class_="pause", x=_share(a, number), width=_share(b - a, number), height=height)
        for a, b in axis.pauses
    ]
    marks = []
    for at, told in axis.marks:
        x = f"{100 * at:.1f}%"
        marks.append(el("line", class_="mark", x1=x, x2=x, y2=height))
        if one.tall:
            marks.append(el("text", told, x=x, dx=4, y=10))
    top = 14 if one.tall else 4
    chart = el(
        "svg",
        *_paths(one.values, bars=one.bars),
        y=top,
        height=height - top,
        viewBox=f"0 0 {number} 100",
        preserveAspectRatio="none",
    )
    cross = el("line", class_="cross", y2=height, visibility="hidden")
    shown = "\t".join(one.shown)
    now = one.now if one.now is not None else (one.shown[-1] if one.shown else "")
    return el(
        "div",
        el("span", one.name, class_="name"),
        el("output", now, class_="now"),
        el("svg", *pauses, chart, *marks, cross, aria_hidden="true", data_values=shown),
        el("span", one.most, class_="most"),
        class_="strip tall" if one.tall else "strip",
    )


def _paths(values: Sequence[float], *, bars: bool) -> list[Html]:
    top = max(values, default=0.0) or 1.0
    points = [(at + 0.5, 100 - 100 * value / top) for at, value in enumerate(values)]
    if not points:
        return []
    if bars:
        d = "".join(
            f"M{x - 0.35:.2f} 100V{y:.1f}H{x + 0.35:.2f}V100Z" for x, y in points if y < 100
        )
        return [el("path", class_="bars", d=d)]
    line = "M" + "L".join(f"{x} {y:.1f}" for x, y in points)
    return [
        el("path", class_="area", d=f"{line}V100H{points[0][0]}Z"),
        el("path", class_="line", d=line),
    ]


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f}%"


def bar(part: float, whole: float) -> Html:
    """Return a bar of a table: a part of the largest."""
    width = f"{100 * part / whole:.1f}%" if whole else "0%"
    return el(
        "svg",
        el("rect", class_="bed", width="100%", height=8),
        el("rect", width=width, height=8),
        class_="bar-of",
        aria_hidden="true",
    )


def little_bars(values: Sequence[float], height: float = 16.0) -> Html:
    """Return when something happened: a small bar for each of equal time spans."""
    top, number = max(values, default=0) or 1, max(1, len(values))
    rects = [
        el(
            "rect",
            class_="bad",
            x=_share(at, number),
            y=f"{height - height * value / top:.1f}",
            width=_share(0.8, number),
            height=f"{height * value / top:.1f}",
        )
        for at, value in enumerate(values)
        if value
    ]
    return el("svg", *rects, class_="bar-of", aria_hidden="true")


def whole(parts: Sequence[tuple[str, float]], label: str) -> Html:
    """Return one bar cut into parts, each of a class and a size."""
    total = sum(value for _, value in parts) or 1
    x, rects = 0.0, []
    for class_, value in parts:
        if value:
            width = 100 * value / total
            rects.append(el("rect", class_=class_, x=f"{x:.2f}%", width=f"{width:.2f}%", height=14))
            x += width
    return el("svg", join(rects), class_="whole", role="img", aria_label=label)
