"""What a spider's method gives and nobody takes: it shows in the source, and never at run time.

A generator that is called and not iterated runs nothing of its body, a coroutine that nobody awaits
runs nothing either, and what a generator returns goes to nobody.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from typing import Any

_MAKERS = ("Request", "Download", "follow", "follow_all", "form", "retry")
_NESTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_Method = ast.FunctionDef | ast.AsyncFunctionDef


def discarded(kind: type, tree: ast.ClassDef, names: dict[str, Any]) -> Iterator[tuple[int, str]]:
    """Yield the line of each result in a class that is lost, and what to write."""
    taken = set(_taken(tree))
    for method in tree.body:
        if not isinstance(method, (ast.FunctionDef, ast.AsyncFunctionDef)) or not method.args.args:
            continue
        me, is_async = method.args.args[0].arg, isinstance(method, ast.AsyncFunctionDef)
        own = list(_own(method))
        yields = any(isinstance(node, (ast.Yield, ast.YieldFrom)) for node in own)
        for node in own:
            if isinstance(node, (ast.Expr, ast.Yield)) and isinstance(node.value, ast.Call):
                called, found = _called(kind, node.value, me)
                instead = _instead(found, called, is_async, given=isinstance(node, ast.Yield))
                if instead is not None:
                    yield node.lineno, f"{called}(…) alone gives nothing; write `{instead}`"
            elif isinstance(node, ast.Return) and _is_result(kind, node.value, me, names):
                told = f"what {method.name}() returns beside its `yield` is lost; yield it, too"
                yield from [(node.lineno, told)] if yields and method.name not in taken else []


def _own(method: _Method) -> Iterator[ast.AST]:
    """Yield the nodes of a method, but not of what is defined in it."""
    waiting: list[ast.AST] = list(method.body)
    while waiting:
        node = waiting.pop()
        if not isinstance(node, _NESTED):
            yield node
            waiting += ast.iter_child_nodes(node)


def _taken(tree: ast.ClassDef) -> Iterator[str]:
    """Yield the names of generators whose return value is used: `found = yield from self.a()`."""
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.YieldFrom) and id(node) not in alone:
            called = getattr(node.value, "func", None)
            if isinstance(called, ast.Attribute):
                yield called.attr


def _called(kind: type, call: ast.Call, me: str) -> tuple[str, Any]:
    """Return what is called, as it is written, and the method if it is one of the spider."""
    if not isinstance(call.func, ast.Attribute):
        return "", None
    owner, name = ast.unparse(call.func.value), call.func.attr
    if owner == me:
        return f"{me}.{name}", inspect.getattr_static(kind, name, None)
    if owner == "super()":
        above = (vars(part)[name] for part in kind.__mro__[1:] if name in vars(part))
        return f"super().{name}", next(above, None)
    return "", None


def _instead(method: Any, called: str, is_async: bool, *, given: bool) -> str | None:
    """Return what to write instead of a call whose result is lost, None for any other call."""
    method = getattr(method, "__func__", method)
    if inspect.isasyncgenfunction(method):
        return f"async for each in {called}(…): yield each"
    if inspect.isgeneratorfunction(method):
        return f"for each in {called}(…): yield each" if is_async else f"yield from {called}(…)"
    if inspect.iscoroutinefunction(method):
        waits = f"yield await {called}(…)" if given else f"await {called}(…)"
        return waits if is_async else f"async def` and `{waits}"
    return None


def _is_result(kind: type, value: ast.expr | None, me: str, names: dict[str, Any]) -> bool:
    """Return whether a value is meant as a result of a callback: an item, requests, a list."""
    if isinstance(value, ast.Dict):
        return bool(value.keys)
    if isinstance(value, (ast.List, ast.Tuple, ast.Set)):
        return bool(value.elts)
    if isinstance(value, (ast.ListComp, ast.GeneratorExp, ast.SetComp)):
        return True
    if not isinstance(value, ast.Call):
        return False
    maker = value.func.attr if isinstance(value.func, ast.Attribute) else None
    if isinstance(value.func, ast.Name):
        maker = value.func.id
        if inspect.isclass(names.get(maker)):
            return True
    called, method = _called(kind, value, me)
    return maker in _MAKERS or _instead(method, called, False, given=False) is not None
