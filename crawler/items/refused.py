"""An item that cannot be stored, as `problems` keeps it: whole, and with a reason to group by."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from crawler.items.encoders import UnfitValue, as_json

_DECLARED = ("model_fields", "__dataclass_fields__", "__struct_fields__", "_fields")
"""Where pydantic, dataclasses, msgspec and named tuples have the names of their fields."""


def as_given(thing: Any) -> str:
    """Return an item as a JSON object of its fields, whole; else its repr.

    What JSON has not, such as NaN, is its repr within it.
    """
    pairs = _fields(thing)
    return written(thing) if pairs is None else as_object(pairs)


def written(value: Any, write: Callable[[Any], str] = repr) -> str:
    """Return a value as text; its type where it cannot be written, as an int of 4,301 digits."""
    try:
        return write(value)
    except Exception:  # a spider's own __repr__ may raise anything
        return f"<{type(value).__name__} that cannot be written>"


def as_object(pairs: Iterable[tuple[str, Any]]) -> str:
    """Return fields and their values as a JSON object."""
    return "{" + ", ".join(f"{_json(name)}: {_json(value)}" for name, value in pairs) + "}"


def without_values(text: str, thing: Any) -> str:
    """Return what an error says of an item with "…" where it quotes a value of it.

    So that one kind of refusal is one reason, whatever the items were.
    """
    found = set()
    for _, value in _fields(thing) or (("", thing),):
        found |= {written(value), written(value, str)}
    for said in sorted(found, key=len, reverse=True):
        if said and said in text:
            text = re.sub(rf"(?<!\w){re.escape(said)}(?!\w)", "…", text)
    return text


def of_pydantic(error: Any) -> tuple[str, str]:
    """Return the reason and the values of a model that could not even be made."""
    wrong = error.errors()
    reasons, values = [], []
    for one in wrong:
        place = ".".join(map(str, one.get("loc", ()))) or "the model"
        reasons.append(f"{place}: {without_values(str(one.get('msg', '')), one.get('input'))}")
        values.append((place, one.get("input")))
    return "; ".join(reasons), as_object(values)


def _fields(thing: Any) -> list[tuple[str, Any]] | None:
    """Return the fields of an item with their values, None for what has none."""
    if isinstance(thing, Mapping):
        return [(written(name, str), value) for name, value in thing.items()]
    kind = type(thing)
    names = next((getattr(kind, where) for where in _DECLARED if hasattr(kind, where)), None)
    if names is None and hasattr(kind, "__attrs_attrs__"):
        names = [field.name for field in kind.__attrs_attrs__]
    if names is None:
        return None
    return [(str(name), getattr(thing, name, None)) for name in names]


def _json(value: Any) -> str:
    try:
        return as_json(value).decode()
    except UnfitValue:
        return as_json(written(value)).decode()
