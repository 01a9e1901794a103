"""The floors of the package: imports only point down, and only the top talks to the user."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "crawler"

# From the ground up. A module imports from lower floors, and from what stands before it on its
# own. A package (store, cli …) is one module here. docs/architecture.md shows the same table.
FLOORS = [
    [
        *("errors", "version", "section", "urls", "encodings", "charset"),
        *("columns", "secret", "window", "clock", "simhash"),
    ],
    [
        *("coding", "scan", "srcset", "tags", "directives", "refresh", "parse"),
        *("css", "words", "hidden", "invisible", "readable", "soup"),
        *("robots", "sitemap_bytes", "sitemap", "weblinks", "filenames", "markdown"),
        *("canonical", "politeness"),
    ],
    ["wire", "webrules", "config", "items", "bodies", "request", "kinds", "form", "tree", "page"],
    [
        *("scope", "endless", "traps", "rules", "redirects", "pace", "retry", "spider", "stats"),
        *("following", "novelty"),
    ],
    [
        *("store", "failures", "auth", "tls", "address", "guard", "proxies"),
        *("jars", "sessions", "cache", "deadline", "answers", "fetcher"),
    ],
    [
        *("workbench", "frontier", "committer", "gate", "calls", "callbacks", "clients"),
        *("parsers", "sitemap_visits", "engine", "seeding", "assembly", "crawl"),
    ],
    [
        *("progress", "query", "gates", "saved", "overview", "why", "manners"),
        *("formats", "export", "search", "warc", "compare", "reparse", "importing"),
        "markdown_files",
        *("plots", "report"),
    ],
    ["practice", "cli", "__init__", "__main__"],
]
ORDER = [name for floor in FLOORS for name in floor]


def modules() -> dict[str, list[Path]]:
    """The files of each module; those of a package together."""
    found: dict[str, list[Path]] = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        found.setdefault(file.relative_to(PACKAGE).with_suffix("").parts[0], []).append(file)
    return found


@cache
def code(file: Path) -> tuple[ast.AST, ...]:
    """Every node that runs: what stands under `if TYPE_CHECKING` does not."""
    found = []
    todo: list[ast.AST] = [ast.parse(file.read_text(encoding="utf-8"))]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            todo.extend(node.orelse)
            continue
        found.append(node)
        todo.extend(ast.iter_child_nodes(node))
    return tuple(found)


def imported(file: Path) -> Iterator[str]:
    """The modules of the package that a file imports, at its top or inside a function."""
    for node in code(file):
        if isinstance(node, ast.ImportFrom):
            parts = (node.module or "").split(".")
            if parts == ["crawler"]:
                names = [alias.name for alias in node.names]
                yield from (name if name in ORDER else "__init__" for name in names)
            elif parts[0] == "crawler":
                yield parts[1]
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            yield from (parts[1] for parts in names if parts[0] == "crawler" and len(parts) > 1)


def test_every_module_has_its_floor_and_every_name_its_module() -> None:
    assert sorted(ORDER) == sorted(modules())


def test_a_module_imports_only_from_below_or_from_before_itself() -> None:
    wrong = [
        f"{file.relative_to(ROOT)} imports {target}"
        for name, files in modules().items()
        for file in files
        for target in imported(file)
        if target != name and ORDER.index(target) > ORDER.index(name)
    ]
    assert wrong == []


def test_the_documentation_shows_the_same_floors() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d) \w+ \| (.*?) \|", text, re.MULTILINE)
    shown = {int(number): re.findall(r"`(\w+)`", cell) for number, cell in rows}
    wanted = [" ".join(f"`{name}`" for name in floor) for floor in FLOORS]
    assert shown == dict(enumerate(FLOORS)), "write these cells:\n" + "\n".join(wanted)


def test_only_the_command_line_prints_logs_to_handlers_hears_signals_and_exits() -> None:
    alone = PACKAGE / "parsers" / "worker.py"  # a process of its own
    calls = {"print", "logging.basicConfig", "signal.signal", "sys.exit", "os._exit"}
    wrong = [
        f"{file.relative_to(ROOT)}:{node.lineno} calls {ast.unparse(node.func)}"
        for name, files in modules().items()
        if name not in ("cli", "__main__")
        for file in files
        if file != alone
        for node in code(file)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in calls
    ]
    assert wrong == []


@pytest.mark.parametrize("package", ["typer", "rich"])
def test_only_the_command_line_knows_the_libraries_of_the_command_line(package: str) -> None:
    importers = {
        name
        for name, files in modules().items()
        for file in files
        for node in code(file)
        if (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == package)
        or (isinstance(node, ast.Import) and package in {a.name.split(".")[0] for a in node.names})
    }
    assert importers <= {"cli"}
