"""Callbacks by name: which method of the spider a request asks for, and what cannot be one.

A request outlives the process that made it, so it keeps the name of a method. What has no such name
is refused where it is given, with what to write instead.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator
from typing import Any

from crawler.errors import SpiderError

Callback = Callable[..., Any] | str | None

_WHY = "a request is kept by the name of its callback, and outlives the process"


class HasCallbacks:
    """What callbacks are methods of: a spider."""


def name_of(callback: Any, field: str = "callback") -> str | None:
    """Return the name of a callback as a request keeps it, None for none.

    SpiderError for what is no method of a spider: a lambda, a partial, a function or a method of
    another object, a private method, or what calling one gave. `field` is where it was given.
    """
    if callback is None:
        return None
    if isinstance(callback, str):
        return _public(callback, field)
    if inspect.ismethod(callback):
        return _of_method(callback, field)
    if isinstance(callback, functools.partial):
        inner = getattr(callback.func, "__name__", "method")
        raise SpiderError(
            f"{field}: a partial of {inner}; {_WHY}: write {field}=self.{inner}, args={{…}}"
        )
    if isinstance(callback, Generator) or inspect.iscoroutine(callback):
        name = getattr(callback, "__name__", "method")
        callback.close()
        raise SpiderError(f"{field}: {name} was called here; write {field}=self.{name} without ()")
    qualified = getattr(callback, "__qualname__", None)
    if qualified is None or not callable(callback):
        raise SpiderError(
            f"{field}: {callback!r:.80} is no method; give one of the spider, or its name"
        )
    if callback.__name__ == "<lambda>":
        raise SpiderError(f"{field}: a lambda; {_WHY}: make it a method of the spider")
    owner = qualified.rpartition(".")[0]
    if not owner or owner.endswith("<locals>"):
        raise SpiderError(
            f"{field}: {callback.__name__} is a function outside of the spider; {_WHY}: make it a"
            " method of the spider"
        )
    return _public(callback.__name__, field)


def _of_method(method: Any, field: str) -> str:
    """Return the name under which a spider has a bound method, also where a decorator hid it."""
    owner, name = method.__self__, method.__name__
    if not isinstance(owner, HasCallbacks) and not (
        inspect.isclass(owner) and issubclass(owner, HasCallbacks)
    ):
        raise SpiderError(
            f"{field}: {name} is a method of {type(owner).__name__}, not of the spider; {_WHY}:"
            f" give the spider a method that calls it"
        )
    kind = owner if inspect.isclass(owner) else type(owner)
    if getattr(getattr(kind, name, None), "__func__", getattr(kind, name, None)) is method.__func__:
        return _public(name, field)
    for part in kind.__mro__:
        for known, value in vars(part).items():
            if value is method.__func__:
                return _public(known, field)
    return _public(name, field)


def private(name: str) -> bool:
    """Return whether a name is private to its class, as written or as Python stores it."""
    stored = name.startswith("_") and "__" in name[1:]  # self.__name is _Class__name
    return (name.startswith("__") or stored) and not name.endswith("__")


def _public(name: str, field: str) -> str:
    if private(name):
        shown = f"__{name.rpartition('__')[2]}"
        raise SpiderError(
            f"{field}: {shown} is private to its class, so that it cannot be found by its name;"
            f" call it _{shown.lstrip('_')}"
        )
    return name
