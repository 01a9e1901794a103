"""How a spider is made again in another process: by its file, its class and its arguments."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
from msgspec import Struct

from crawler.errors import SpiderError
from crawler.spider import Spider

_MAIN = "__crawl_main__"  # a script's spider, imported without running its `if __name__ == …`


class Recipe(Struct, frozen=True, array_like=True):
    """How a process makes the spider."""

    module: str
    file: str
    name: str
    positional: list[Any]
    named: dict[str, Any]
    attributes: dict[str, Any]


def recipe_of(spider: Spider) -> Recipe:
    """Return what another process needs to make the spider; SpiderError says why it could not."""
    kind = type(spider)
    module = sys.modules.get(kind.__module__)
    file = getattr(module, "__file__", None)
    if file is None or "<locals>" in kind.__qualname__:
        raise SpiderError(
            f"{kind.__qualname__}: with engine.processes a spider is imported by other"
            " processes; define it at the top level of a file"
        )
    positional, named = spider.made_with
    for value in (*positional, *named.values()):
        if not _is_plain(value):
            raise SpiderError(
                f"{kind.__qualname__} was made with {value!r:.80}; with engine.processes"
                " the arguments of a spider must be JSON values"
            )
    attributes = {name: value for name, value in vars(spider).items() if _is_plain(value)}
    return Recipe(
        module=kind.__module__,
        file=str(Path(file).absolute()),
        name=kind.__qualname__,
        positional=list(positional),
        named=named,
        attributes=attributes,
    )


def spider_of(recipe: Recipe) -> Spider:
    """Make the spider; whatever its code raises is raised."""
    found: Any = _module(recipe.module, recipe.file)
    for part in recipe.name.split("."):
        found = getattr(found, part)
    spider: Spider = found(*recipe.positional, **recipe.named)
    for name, value in recipe.attributes.items():
        setattr(spider, name, value)
    return spider


def _module(name: str, file: str) -> ModuleType:
    """Import a module by its name where that is this file, else by the file alone."""
    if name != "__main__" and _origin(name) == file:
        return importlib.import_module(name)
    name = _MAIN if name == "__main__" else name
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise SpiderError(f"{file}: not a Python file, which engine.processes needs")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def _origin(name: str) -> str | None:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    return spec.origin if spec is not None else None


def _is_plain(value: object) -> bool:
    """Return whether a value comes out of MessagePack as it went in."""
    try:
        again = msgspec.msgpack.decode(msgspec.msgpack.encode(value))
    except (TypeError, ValueError, OverflowError, RecursionError):
        return False
    return type(again) is type(value) and bool(again == value)
