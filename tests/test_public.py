"""What may be imported: what the documentation shows, and the table that lists it."""

import ast
import re
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SPIDERS = sorted((ROOT / "spiders").glob("*.py"))
PUBLIC = ("crawler", "crawler.clients")  # with an `__all__` that is documented as a whole


def documented() -> dict[str, tuple[list[str], str]]:
    """The rows of the table: the names of each module, and where they were before."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = text.partition("## What may be imported")[2]
    rows = re.findall(r"^\| `([a-z_.]+)` \| (.*?) \| .*? \|(.*?)\|$", table, re.MULTILINE)
    return {
        module: (re.findall(r"`(\w+)`", names), before.strip(" `"))
        for module, names, before in rows
    }


def sources() -> Iterator[tuple[str, str]]:
    """Every example in Python, and the file in which it stands."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for code in re.findall(r"^ *```python[^\n]*\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE):
            yield str(page.relative_to(ROOT)), textwrap.dedent(code)
    for file in SPIDERS:
        yield str(file.relative_to(ROOT)), file.read_text(encoding="utf-8")


def shown() -> Iterator[tuple[str, str, str]]:
    """Every import of the package in them: the file, the module, and the name ("" for a module)."""
    for file, code in sources():
        flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        for node in ast.walk(compile(code, file, "exec", flags)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("crawler"):
                yield from ((file, node.module or "", alias.name) for alias in node.names)
            elif isinstance(node, ast.Import):
                yield from ((file, a.name, "") for a in node.names if a.name.startswith("crawler"))


def names_of(module: str) -> set[str]:
    listed, _ = documented()[module]
    if module in PUBLIC:
        return set(import_module(module).__all__)
    if module == "crawler.errors":
        return {name for name in vars(import_module(module)) if name[0].isupper()}
    return set(listed)


def test_every_documented_name_is_there() -> None:
    table = documented()
    assert set(PUBLIC) < set(table) and len(table) > 8
    missing = [
        f"{module}.{name}"
        for module in table
        for name in names_of(module)
        if not hasattr(import_module(module), name)
    ]
    assert missing == []


def test_every_public_name_is_in_the_reference() -> None:
    """The pages of docs/reference/ are those that `make docs` writes, with every name listed."""
    sys.path.insert(0, str(ROOT / "docs" / "make"))
    try:
        pages = import_module("api").pages()
    finally:
        del sys.path[0]
    for name, text in pages.items():
        assert (ROOT / "docs" / "reference" / name).read_text("utf-8") == text, "run `make docs`"
    shown = set(re.findall(r"^::: ([\w.]+)$", "\n".join(pages.values()), re.MULTILINE))
    public = {f"{module}.{name}" for module in documented() for name in names_of(module)}
    left = {name for name in public - shown if is_of_ours(name)}
    assert sorted(left) == []


def is_of_ours(name: str) -> bool:
    """Whether a name is more than an import of crawler.errors, or the version."""
    module, _, last = name.rpartition(".")
    kind = getattr(import_module(module), last)
    errors = module == "crawler.errors"
    is_error = isinstance(kind, type) and issubclass(kind, Exception)
    return not last.startswith("_") and (is_error or not errors)


def test_every_import_that_the_documentation_shows_is_in_the_table() -> None:
    table = documented()
    found = list(shown())
    assert len(found) > 30
    unlisted = [
        f"{file}: from {module} import {name}"
        for file, module, name in found
        if f"{module}.{name}" not in table  # a module, as in `from crawler import parse`
        and (module not in table or (name and name not in names_of(module)))
    ]
    assert unlisted == [], "list it in docs/architecture.md, or show an import that is listed"


@pytest.mark.parametrize("module", [m for m, (_, before) in documented().items() if before])
def test_what_was_imported_before_still_is_with_a_warning(module: str) -> None:
    _, before = documented()[module]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        sys.modules.pop(before, None)
        assert import_module(before) is import_module(module)
    assert [w for w in told if module in str(w.message)] != []


@pytest.mark.parametrize("module", ["crawler.parse", "crawler.robots", "crawler.urls"])
def test_a_module_without_a_crawl_imports_no_crawl(module: str) -> None:
    code = f"import sys, {module}; print([m for m in ('aiohttp', 'aiosqlite') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_crawl_imports_the_full_pass_when_it_is_first_asked_for() -> None:
    code = (
        "import sys, crawler.engine.assembly; from crawler import parse\n"
        "for _ in range(2): print('crawler.parse.full_pass' in sys.modules); parse.links"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
