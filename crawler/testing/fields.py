"""Which field of an item takes its value from which selector, read from the spider's source."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from typing import NamedTuple

from crawler.spider import Spider

ASKING = ("css", "xpath", "follow_all")


class Use(NamedTuple):
    """A field, and a query that stands in the expression of its value."""

    field: str
    query: str
    line: int


def uses_of(spider: Spider | type[Spider]) -> list[Use]:
    """Return the fields of what a spider's methods make, with the queries in them.

    A field is a keyword or an argument of a class of items, or a key of a dict; a name in it is
    followed to where the method assigns it. Source that cannot be read gives none.
    """
    kind = spider if isinstance(spider, type) else type(spider)
    found: list[Use] = []
    for parent in kind.__mro__:
        if parent.__module__.partition(".")[0] == "crawler":
            continue
        try:
            lines, first = inspect.getsourcelines(parent)
            tree = ast.parse(inspect.cleandoc("\n" + "".join(lines)))
        except (OSError, TypeError, SyntaxError):
            continue
        for method in ast.walk(tree):
            if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef):
                found += _of_method(method, first - 1, kind.__module__)
    return list(dict.fromkeys(found))


def _of_method(
    method: ast.FunctionDef | ast.AsyncFunctionDef, offset: int, module: str
) -> Iterator[Use]:
    names: dict[str, list[ast.expr]] = {}
    for node in ast.walk(method):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                for each in target.elts if isinstance(target, ast.Tuple) else [target]:
                    if isinstance(each, ast.Name):
                        names.setdefault(each.id, []).append(node.value)
    for node in ast.walk(method):
        for field, value in _pairs(node, module):
            for query, line in _queries(value, names, 0):
                yield Use(field, query, line + offset)


def _pairs(node: ast.AST, module: str) -> Iterator[tuple[str, ast.expr]]:
    """Yield the fields that an expression fills in, and with what."""
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield key.value, value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        for keyword in node.keywords:
            if keyword.arg is not None:
                yield keyword.arg, keyword.value
        made = getattr(sys.modules.get(module), node.func.id, None)
        yield from zip(_names(made), node.args, strict=False)


def _names(made: object) -> list[str]:
    """Return the fields of a class of items in their order, none of what is no such class."""
    if not isinstance(made, type):
        return []
    from crawler.errors import SpiderError
    from crawler.items import table_of

    try:
        return [column.name for column in table_of(made).columns]
    except SpiderError:
        return []


def _queries(
    value: ast.expr, names: dict[str, list[ast.expr]], depth: int
) -> Iterator[tuple[str, int]]:
    for node in ast.walk(value):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            first = node.args[0] if node.args else None
            query = first.value if isinstance(first, ast.Constant) else None
            if node.func.attr in ASKING and isinstance(query, str):
                yield f"xpath:{query}" if node.func.attr == "xpath" else query, node.lineno
        elif isinstance(node, ast.Name) and depth < 5:
            for assigned in names.get(node.id, []):
                yield from _queries(assigned, names, depth + 1)
