"""The rooms of the package and their floors: imports only point down, only the top talks to users.

A new module needs a room (a folder of `crawler/`), not a place in the root. A new folder needs a
row in FLOORS, the same row in docs/architecture.md, and a sentence there that says what it is for.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "crawler"
MOST_IN_ROOT = 8
MOST_LINES = 400  # of a file
MOST_IN_FUNCTION = 60
MEDIAN_FUNCTION = 8

# From the ground up. A folder imports only from lower floors; what stands under `TYPE_CHECKING`
# and inside functions counts. Single names are modules in the root of the package.
FLOORS = [
    ["errors", "lazy_regex", "moved", "version", "urls"],
    ["parse", "robots", "config", "items", "markup"],
    ["sitemap", "web"],
    ["links", "politeness"],
    ["store"],
    ["http"],
    ["spider", "frontier", "browser"],
    ["parsers", "clients"],
    ["processes"],
    ["engine"],
    ["inspect"],
    ["export", "reparse", "control"],
    ["practice", "dashboard", "pipelines"],
    ["testing"],
    ["cli"],
    ["__main__"],
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
PUBLIC = "__init__"  # names everything that is public, each imported on first use: above all floors


def room_of(file: Path) -> str:
    """The folder below `crawler/` that a file stands in, or its own name in the root."""
    return file.relative_to(PACKAGE).with_suffix("").parts[0]


@cache
def files() -> tuple[Path, ...]:
    return tuple(sorted(PACKAGE.rglob("*.py")))


@cache
def nodes(file: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))


def imported(file: Path) -> Iterator[str]:
    """The rooms that a file imports from: at its top, in a function, or for types alone."""
    for node in nodes(file):
        if isinstance(node, ast.ImportFrom):
            first, _, rest = (node.module or "").partition(".")
            if first == "crawler" and rest:
                yield rest.partition(".")[0]
            elif first == "crawler":
                yield from (a.name if a.name in FLOOR else PUBLIC for a in node.names)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                first, _, rest = alias.name.partition(".")
                if first == "crawler":
                    yield rest.partition(".")[0] or PUBLIC


def functions() -> Iterator[tuple[str, int]]:
    """Every function, where it stands, and how many lines it has."""
    for file in files():
        for node in nodes(file):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                yield f"{file.relative_to(ROOT)}:{node.lineno} {node.name}", lines


def test_every_module_stands_in_a_room_that_has_a_floor() -> None:
    homeless = sorted({room_of(file) for file in files()} - set(FLOOR) - {PUBLIC})
    assert homeless == [], (
        f"{homeless}: put a new module into the folder whose subject it shares"
        " (docs/architecture.md says what each is for); a new folder gets a row in FLOORS"
        " of tests/test_floors.py and in docs/architecture.md"
    )
    assert set(FLOOR) <= {room_of(file) for file in files()}


def test_a_room_imports_only_from_lower_floors() -> None:
    wrong = [
        f"{file.relative_to(ROOT)} (floor {FLOOR[room_of(file)]}) imports from {target}"
        f" (floor {FLOOR.get(target, len(FLOORS))})"
        for file in files()
        if room_of(file) != PUBLIC
        for target in imported(file)
        if target != room_of(file) and FLOOR.get(target, len(FLOORS)) >= FLOOR[room_of(file)]
    ]
    assert wrong == [], "an import must point down; move the code, or what it needs, to its floor"


def test_the_root_of_the_package_stays_small() -> None:
    flat = [file.name for file in PACKAGE.glob("*.py")]
    assert len(flat) <= MOST_IN_ROOT, f"{flat}: a module belongs into a room"


def test_no_file_is_over_400_lines() -> None:
    lines = {str(f.relative_to(ROOT)): f.read_text("utf-8").count("\n") for f in files()}
    long = {name: number for name, number in lines.items() if number > MOST_LINES}
    assert long == {}, "which second subject lives there?"


def test_functions_are_short() -> None:
    found = dict(functions())
    long = {where: lines for where, lines in found.items() if lines > MOST_IN_FUNCTION}
    assert long == {}
    assert sorted(found.values())[len(found) // 2] <= MEDIAN_FUNCTION


def test_the_documentation_shows_the_same_floors() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| (.*?) \|", text, re.MULTILINE)
    shown: dict[int, list[str]] = {}
    for number, cell in rows:
        shown.setdefault(int(number), []).extend(re.findall(r"`(\w+)`", cell))
    assert shown == dict(enumerate(FLOORS))


def test_the_picture_of_the_rooms_is_drawn_from_the_imports_of_today() -> None:
    made = subprocess.run(
        [sys.executable, ROOT / "docs" / "make" / "rooms.py"],
        capture_output=True,
        text=True,
        check=True,
    )
    drawn = (ROOT / "docs" / "rooms.svg").read_text(encoding="utf-8")
    assert made.stdout == drawn, "draw it anew: make docs"


def test_only_the_command_line_prints_logs_to_handlers_hears_signals_and_exits() -> None:
    own = (
        *("processes/worker.py", "processes/log_lines.py", "processes/launch.py"),
        "export/markdown.py",
    )
    alone = [PACKAGE / name for name in own]  # processes of their own
    calls = {"print", "logging.basicConfig", "signal.signal", "sys.exit", "os._exit"}
    wrong = [
        f"{file.relative_to(ROOT)}:{node.lineno} calls {ast.unparse(node.func)}"
        for file in files()
        if room_of(file) not in ("cli", "__main__") and file not in alone
        for node in nodes(file)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in calls
    ]
    assert wrong == []


@pytest.mark.parametrize("package", ["typer", "rich"])
def test_only_the_command_line_knows_the_libraries_of_the_command_line(package: str) -> None:
    importers = {
        room_of(file)
        for file in files()
        for node in nodes(file)
        if (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == package)
        or (isinstance(node, ast.Import) and package in {a.name.split(".")[0] for a in node.names})
    }
    assert importers <= {"cli"}
