"""Plots as inline SVG: bars and an area over time, readable without a script or a server."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT = 560, 180


def bars(rows: Sequence[tuple[str, float]], unit: str = "") -> str:
    """Return a horizontal bar for each (label, number), the number behind it."""
    if not rows:
        return "<p class=none>nothing</p>"
    most = max(number for _, number in rows) or 1
    height = 24 * len(rows)
    parts = []
    for at, (label, number) in enumerate(rows):
        y, length = 24 * at, max(1.0, 260 * number / most)
        shown = f"{number:,.0f}" if number == int(number) else f"{number:,.2f}"
        parts.append(
            f"<text x=190 y={y + 16} text-anchor=end>{escape(_short(label))}</text>"
            f"<rect x=200 y={y + 4} width={length:.1f} height=16 rx=2 />"
            f"<text x={length + 206:.1f} y={y + 16} class=number>{shown}{unit}</text>"
        )
    return f'<svg viewBox="0 0 {WIDTH} {height}" role=img>{"".join(parts)}</svg>'


def area(points: Sequence[tuple[float, float]], label: str) -> str:
    """Return an area of y over x (seconds since the start), with the last values at the axes."""
    if len(points) < 2:
        return "<p class=none>too short for a plot</p>"
    right = points[-1][0] or 1.0
    top = max(y for _, y in points) or 1.0
    left, bottom, width, height = 46, HEIGHT - 24, WIDTH - 60, HEIGHT - 40
    line = " ".join(
        f"{left + width * x / right:.1f},{bottom - height * y / top:.1f}" for x, y in points
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role=img>'
        f'<polygon points="{left},{bottom} {line} {left + width},{bottom}" />'
        f"<line x1={left} y1={bottom} x2={left + width} y2={bottom} />"
        f"<text x={left - 6} y=22 text-anchor=end>{top:,.0f}</text>"
        f"<text x={left - 6} y={bottom} text-anchor=end>0</text>"
        f"<text x={left} y={HEIGHT - 6}>0 s</text>"
        f"<text x={left + width} y={HEIGHT - 6} text-anchor=end>{right:,.0f} s</text>"
        f"<text x={left + width / 2} y={HEIGHT - 6} text-anchor=middle>{escape(label)}</text></svg>"
    )


def _short(label: str) -> str:
    """Return a label that fits before its bar; one that is cut says so."""
    return label if len(label) <= 30 else label[:29] + "…"
