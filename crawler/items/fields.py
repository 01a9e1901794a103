"""Which fields a class of items has, and of which type: six ways to declare them.

Dataclasses, pydantic models, attrs and msgspec classes, and named tuples.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from types import AsyncGeneratorType, GeneratorType
from typing import Any

from crawler.errors import SpiderError
from crawler.items.columns import Kind

Field = tuple[str, Any, Kind | None]
"""A field's name and type; the kind too where only pydantic's schema knows it."""


def is_complete(cls: type) -> bool:
    """Return whether a class declares its own fields, so that nothing need be made of it."""
    if is_named_tuple(cls) or hasattr(cls, "model_fields") or hasattr(cls, "__struct_fields__"):
        return True
    return "__dataclass_fields__" in vars(cls) or "__attrs_attrs__" in vars(cls)


class NoItem(SpiderError):
    """What a spider gave is none of the kinds of items: a text, a number, a list."""


_MANY: dict[type, str] = {
    AsyncGeneratorType: "async for each in …: yield each",
    GeneratorType: "yield from …",
    list: "yield from …",
    set: "yield from …",
    tuple: "yield from …",
    str: "yield page.follow(url)",
}


def is_named_tuple(cls: type) -> bool:
    """Return whether a class is a tuple with names."""
    return issubclass(cls, tuple) and hasattr(cls, "_fields")


def fields_of(cls: type) -> list[Field]:
    """Return the fields of a class; SpiderError if it is no class of items."""
    if hasattr(cls, "model_fields"):
        return _of_pydantic(cls)
    names = names_of(cls)
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
    except (NameError, TypeError) as error:
        raise SpiderError(
            f"item {cls.__name__}: a type of its fields cannot be found ({error});"
            " define or import it at the top of the file"
        ) from None
    return [(name, hints.get(name, Any), None) for name in names]


def names_of(cls: Any) -> list[str]:
    """Return the names of the fields of a class; NoItem if it is no class of items."""
    if hasattr(cls, "model_fields"):
        return list(cls.model_fields)
    if dataclasses.is_dataclass(cls):
        return [field.name for field in dataclasses.fields(cls)]
    if hasattr(cls, "__attrs_attrs__"):
        return [field.name for field in cls.__attrs_attrs__]
    if hasattr(cls, "__struct_fields__"):
        return list(cls.__struct_fields__)
    if is_named_tuple(cls):
        return list(cls._fields)
    if issubclass(cls, type):
        raise NoItem("a class is no item: yield one that is made of it, with its values")
    if way := next((way for many, way in _MANY.items() if issubclass(cls, many)), None):
        raise NoItem(f"{cls.__name__} is no item, but may hold some: write `{way}`")
    raise NoItem(
        f"{cls.__name__} is no item: yield an @item class, a dataclass, a pydantic model, an attrs"
        " or msgspec class, a named tuple, a dict or a Request"
    )


def _of_pydantic(cls: Any) -> list[Field]:
    schema = cls.model_json_schema(mode="serialization", by_alias=False).get("properties", {})
    return [
        (name, info.annotation, _kind_of_schema(schema.get(name, {})))
        for name, info in cls.model_fields.items()
    ]


def _kind_of_schema(schema: Mapping[str, Any]) -> Kind | None:
    """Return "text" for what pydantic writes as a string: URLs, e-mail addresses, secrets."""
    arms = [arm.get("type") for arm in schema.get("anyOf", [schema])]
    return "text" if {arm for arm in arms if arm != "null"} == {"string"} else None
