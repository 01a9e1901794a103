"""The values of `-a name=value`: of the type that the spider declares or has as a default."""

from __future__ import annotations

import inspect
import json
import re
import sys
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any

from crawler.errors import SpiderError

_UNKNOWN = (NameError, AttributeError, TypeError, SyntaxError, ValueError, LookupError)
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def typed(kind: type, name: str, text: str) -> Any:
    """Return the value of an argument: bool, int, float or a list where the spider says so.

    By the annotation of its `__init__` or attribute, else by the type of the attribute's default;
    anything else stays the text. SpiderError for a text that is none of the type.
    """
    for wanted in _choices(_declared(kind, name)):
        origin = typing.get_origin(wanted) or wanted
        if origin in (list, tuple, set, Sequence):
            make = list if origin is Sequence else origin
            return make(_list(name, text, typing.get_args(wanted)))
        if origin in _READ:
            return _one(name, text, origin)
        if wanted is not type(None):
            return text
    return text


def _declared(kind: type, name: str) -> Any:
    parameter = inspect.signature(kind.__init__).parameters.get(name)  # type: ignore[misc]
    if parameter is not None and parameter.annotation is not parameter.empty:
        hints = _hints(kind.__init__)  # type: ignore[misc]
        return hints.get(name, parameter.annotation)
    for part in kind.__mro__:
        own = inspect.get_annotations(part)
        if name in own and (hint := _resolved(own[name], part)) is not None:
            return hint
    default = getattr(kind, name, None)
    if parameter is not None and parameter.default is not parameter.empty:
        default = parameter.default
    return type(default)


def _hints(thing: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(thing)
    except _UNKNOWN:  # a name that only a type checker knows: as if nothing were declared
        return {}


def _resolved(hint: Any, part: type) -> Any:
    """Return what an annotation means; one that only a type checker knows is as none at all.

    Each for itself: `typing.get_type_hints` fails for a whole class where one name is unknown.
    """
    if not isinstance(hint, str):
        return hint
    known = {**vars(typing), **vars(sys.modules.get(part.__module__, typing))}
    try:
        return eval(hint, known)  # the source of the spider, which runs anyway
    except _UNKNOWN:
        return None


def _choices(wanted: Any) -> tuple[Any, ...]:
    """Return the types that a value may have; `int | None` is an int where one is given."""
    if typing.get_origin(wanted) is typing.ClassVar:
        return _choices(typing.get_args(wanted)[0])
    if typing.get_origin(wanted) in (typing.Union, types.UnionType):
        return typing.get_args(wanted)
    return (wanted,)


def _bool(text: str) -> bool:
    if text.lower() not in (*_TRUE, *_FALSE):
        raise ValueError(text)
    return text.lower() in _TRUE


_READ: dict[Any, Callable[[str], Any]] = {bool: _bool, int: int, float: float, str: str}
_LIKE = {bool: "true or false", int: "3", float: "1.5"}


def _one(name: str, text: str, wanted: Any, whole: str | None = None) -> Any:
    """Return a text as a value; it is a part of the list that was typed as `whole`, if any."""
    try:
        return _READ[wanted](text.strip() if wanted is not str else text)
    except ValueError:
        what, like = wanted.__name__, _LIKE[wanted]
        if whole is not None:
            what, like = f"a list of {what}, and {text!r} is none", f"{like},{like}"
        raise SpiderError(
            f"-a {name}={text if whole is None else whole}: {name} is {what}; write it like"
            f" {name}={like}"
        ) from None


def _list(name: str, text: str, inner: tuple[Any, ...]) -> list[Any]:
    """Return the parts of a JSON list, or of a text between commas: in a list of URLs, those
    before a scheme, as there may be some in a URL.
    """
    wanted = inner[0] if inner and inner[0] in _READ else str
    if text.lstrip().startswith("["):
        try:
            parts = json.loads(text)
        except ValueError as error:
            raise SpiderError(f"-a {name}={text}: no list in JSON ({error})") from None
    else:
        comma = r",(?=\s*\w+://)" if "://" in text else ","
        parts = [part.strip() for part in re.split(comma, text) if part.strip()]
    return [_one(name, part, wanted, text) if isinstance(part, str) else part for part in parts]
