"""A count with its noun is written in one place, `markup.words.plural`: never `1 pages`."""

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

import crawler
from crawler.markup.words import plural

ROOT = Path(crawler.__file__).parent
NOUN = re.compile(
    r" (pages|items|errors|links|URLs|rows|requests|tries|retries|answers|nodes|edges|stores|files"
    r"|hosts|lines|words|fields|records|texts|queued URLs)\b"
)
LOGGED = re.compile(rf"%d{NOUN.pattern}")
# A limit, which is no count and is more than one; a column; what is told of two and more.
OTHERS = {"ROWS", "_BACKLOG", "LONGEST_CHAIN", "MOST_COLUMNS", "_LATE", "limit", "name", "kind"}
OTHERS |= {"single", "seen", "paths", "pace"}  # over a limit, a rate


def spelled(text: str) -> Iterator[str]:
    """Yield what stands before a noun in the plural without being counted with it."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.JoinedStr):
            yield from _in_f_string(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from (found[0] for found in LOGGED.finditer(node.value))


def _in_f_string(node: ast.JoinedStr) -> Iterator[str]:
    for value, after in pairwise(node.values):
        if not isinstance(value, ast.FormattedValue) or not isinstance(after, ast.Constant):
            continue
        if _is_count(value) and NOUN.match(str(after.value)):
            yield f"{ast.unparse(value.value)}{after.value}"


def _is_count(value: ast.FormattedValue) -> bool:
    """Whether a number is written: not text, and no limit of its own."""
    names = {each.id for each in ast.walk(value.value) if isinstance(each, ast.Name)}
    names |= {each.attr for each in ast.walk(value.value) if isinstance(each, ast.Attribute)}
    if any(name.isupper() for name in names):  # a limit, or SQL
        return False
    return not names & {*OTHERS, "plural", "share"}


def test_a_noun_agrees_with_its_number() -> None:
    assert [plural(n, "page") for n in (0, 1, 2, 1200)] == [
        "0 pages", "1 page", "2 pages", "1,200 pages"
    ]  # fmt: skip
    assert plural(1, "try", "tries") == "1 try"


@pytest.mark.parametrize("text", ['f"{n:,} pages"', 'f"a {len(x)} items"', 'log("%d URLs", n)'])
def test_a_plural_that_stands_alone_is_found(text: str) -> None:
    assert list(spelled(text))


def test_no_count_has_its_noun_spelled_out() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {each}"
        for path in ROOT.rglob("*.py")
        for each in spelled(path.read_text(encoding="utf-8"))
    }
    assert "\n".join(sorted(found)) == ""
