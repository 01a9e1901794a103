"""Names and sentences of the package: one meaning for each, in the field's own words."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "crawler"

# Words that say nothing of what a thing is or does.
EMPTY = {"process", "handle", "manage", "util", "utils", "helper", "helpers", "common", "base"}
# The base URL of a document is a term of HTML and of XML.
OF_DOCUMENTS = {"base_url", "under_base", "_may_have_base", "_xml_base"}
# A first line says what is returned or done: Return, Yield, Write, Raise …
OTHER_NONE = re.compile(r"\b[Nn]one (where|when) (it|there) is none")
SPOKEN = re.compile(r"(Give|Tell|Say)s?\b(?! up\b)")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def trees() -> dict[Path, ast.Module]:
    return {file: ast.parse(file.read_text("utf-8")) for file in sorted(PACKAGE.rglob("*.py"))}


def found(*kinds: type[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    """Every node of these kinds, and where it stands."""
    for file, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, kinds):
                yield f"{file.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}", node


def test_no_class_name_stands_for_two_things() -> None:
    places = defaultdict(list)
    for where, node in found(ast.ClassDef):
        assert isinstance(node, ast.ClassDef)
        places[node.name].append(where)
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_no_module_or_function_has_an_empty_word_in_its_name() -> None:
    names = [(str(file.relative_to(ROOT)), file.stem) for file in trees()]
    for where, node in found(ast.FunctionDef, ast.AsyncFunctionDef):
        assert isinstance(node, Function)
        names.append((where, node.name))
    assert [
        (where, name)
        for where, name in names
        if EMPTY & set(name.split("_")) and name not in OF_DOCUMENTS
    ] == []


def test_a_docstring_begins_with_what_is_returned_or_done() -> None:
    wrong = []
    for where, node in found(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module):
        assert isinstance(node, Function | ast.ClassDef | ast.Module)
        first = (ast.get_docstring(node) or "").partition("\n")[0]
        if SPOKEN.match(first) or OTHER_NONE.search(first):
            wrong.append(f"{where}: {first}")
    assert wrong == [], "write «Return the …», and «None if there is no …»"


def test_what_returns_nothing_does_not_say_that_it_returns() -> None:
    wrong = []
    for where, node in found(ast.FunctionDef, ast.AsyncFunctionDef):
        assert isinstance(node, Function)
        nothing = isinstance(node.returns, ast.Constant) and node.returns.value is None
        first = (ast.get_docstring(node) or "").partition("\n")[0]
        if nothing and re.match(r"(Return|Yield)\b(?! at once)", first):
            wrong.append(f"{where}: {first}")
    assert wrong == []
