"""Draw the rooms of the package from its imports, as SVG on standard output.

Floors, and what stands on each, come from the table in docs/architecture.md; the arrows from the
code. Of those, only the ones that no other path implies are drawn. `make docs` writes rooms.svg.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "crawler"

WIDTH, ROW, BOX, HIGH, LEFT = 980, 66, 148, 36, 40
LIFE = [
    ("seed", "engine"),
    ("next", "frontier"),
    ("allows", "robots"),
    ("fetch", "http"),
    ("page", "web"),
    ("scan", "parse"),
    ("links", "links"),
    ("parse", "spider"),
    ("commit", "store"),
]
"""The life of a URL: the stage, and the room that it happens in."""


def floors() -> list[list[str]]:
    """Return the rooms of each floor, from the ground up."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    found: dict[int, list[str]] = {}
    for number, cell in re.findall(r"^\| (\d+) \| (.*?) \|", text, re.MULTILINE):
        found.setdefault(int(number), []).extend(re.findall(r"`(\w+)`", cell))
    return [found[number] for number in sorted(found)]


def arrows(rooms: set[str]) -> set[tuple[str, str]]:
    """Return the pairs of rooms of which the first imports from the second."""
    found = set()
    for file in PACKAGE.rglob("*.py"):
        room = file.relative_to(PACKAGE).with_suffix("").parts[0]
        for target in _imported(file, rooms):
            if room in rooms and target in rooms and target != room:
                found.add((room, target))
    return found


def _imported(file: Path, rooms: set[str]) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "crawler":
            yield from (alias.name for alias in node.names if alias.name in rooms)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("crawler."):
            yield (node.module or "").split(".")[1]


def needed(found: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the arrows that no longer path implies (the transitive reduction)."""
    below: dict[str, set[str]] = {}
    for above, under in found:
        below.setdefault(above, set()).add(under)

    def reach(room: str) -> set[str]:
        rest = set(below.get(room, ()))
        for other in below.get(room, ()):
            rest |= reach(other)
        return rest

    return {
        (above, under)
        for above, under in found
        if not any(under in reach(other) for other in below[above] - {under})
    }


def size(room: str) -> int:
    """Return how many modules a room has."""
    folder = PACKAGE / room
    return len(list(folder.rglob("*.py"))) if folder.is_dir() else 1


def draw() -> str:
    """Return the picture."""
    table = floors()
    rooms = {room for floor in table for room in floor}
    every = arrows(rooms)
    place = _places(table)
    height = ROW * len(table) + 70
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
        f' font-family="system-ui, sans-serif" font-size="13" role="img"'
        f' aria-label="The rooms of the package and the imports between them">',
        "<style>.ground{fill:#fff}.floor{fill:#f4f6f8}.room{fill:#fff;stroke:#5b6b7b}"
        ".name{font-weight:600;fill:#1c2733}.note{fill:#5b6b7b;font-size:11px}"
        ".arrow{stroke:#b4bfca;fill:none}.step{fill:#0b6e4f}.digit{fill:#fff;font-size:11px}</style>",
        f'<rect class="ground" width="{WIDTH}" height="{height}"/>',
    ]
    for number in range(len(table)):
        top = _top(number, table)
        shade = "floor" if number % 2 == 0 else "ground"
        lines.append(
            f'<rect class="{shade}" y="{top - 15}" width="{WIDTH}" height="{ROW}"/>'
            f'<text class="note" x="12" y="{top + 22}">{number}</text>'
        )
    for above, under in sorted(needed(every)):
        (x1, y1), (x2, y2) = place[above], place[under]
        bend = (y2 - y1) / 2
        lines.append(
            f'<path class="arrow" d="M{x1:.0f} {y1 + HIGH:.0f} C{x1:.0f} {y1 + bend:.0f}'
            f' {x2:.0f} {y2 - bend + HIGH:.0f} {x2:.0f} {y2:.0f}"/>'
        )
    lines += [_room(room, *place[room]) for room in sorted(rooms)]
    steps = ", ".join(f"{number} {stage}" for number, (stage, _) in enumerate(LIFE, 1))
    lines.append(
        f'<text class="note" x="{LEFT}" y="{height - 34}">The life of a URL: {steps}.</text>'
        f'<text class="note" x="{LEFT}" y="{height - 16}">An import points down. {len(every)} pairs'
        f" of rooms; drawn are the {len(needed(every))} that no longer path implies.</text>"
    )
    return "\n".join([*lines, "</svg>\n"])


def _top(number: int, table: list[list[str]]) -> int:
    return ROW * (len(table) - 1 - number) + 20


def _places(table: list[list[str]]) -> dict[str, tuple[float, float]]:
    """Return the middle of the upper edge of every room's box."""
    place = {}
    for number, rooms in enumerate(table):
        share = (WIDTH - LEFT) / len(rooms)
        for at, room in enumerate(rooms):
            place[room] = (LEFT + share * (at + 0.5), float(_top(number, table)))
    return place


def _room(room: str, middle: float, top: float) -> str:
    left = middle - BOX / 2
    modules = size(room)
    note = f"{modules} modules" if modules > 1 else "1 module"
    box = (
        f'<rect class="room" x="{left:.0f}" y="{top:.0f}" width="{BOX}" height="{HIGH}" rx="6"/>'
        f'<text class="name" x="{middle:.0f}" y="{top + 16:.0f}" text-anchor="middle">{room}</text>'
        f'<text class="note" x="{middle:.0f}" y="{top + 30:.0f}" text-anchor="middle">{note}</text>'
    )
    steps = [number for number, (_, where) in enumerate(LIFE, 1) if where == room]
    for number in steps:
        box += (
            f'<circle class="step" cx="{left:.0f}" cy="{top:.0f}" r="9"/>'
            f'<text class="digit" x="{left:.0f}" y="{top + 4:.0f}" text-anchor="middle">'
            f"{number}</text>"
        )
    return box


if __name__ == "__main__":
    print(draw(), end="")
