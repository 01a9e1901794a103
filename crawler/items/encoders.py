"""From values to what SQLite and PostgreSQL both store: one row a Python type.

An encoder takes a value that a field was given, and gives text, a number or None, or raises
UnfitValue.
A decimal, and an integer beyond 64 bits, is given as its digits: the store keeps both the nearest
double, with which SQL reckons, and the digits where the double has not all of them.
"""

from __future__ import annotations

import enum
import json
import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from pathlib import PurePath
from types import BuiltinMethodType, FunctionType, MethodType
from typing import Any
from uuid import UUID

import msgspec

from crawler.lazy_regex import lazy

Encode = Callable[[Any], Any]


_NUL = lazy(rb"(?<!\\)((?:\\\\)*+)\\u0000")  # as JSON writes it; \\u0000 is six characters
_UNSTORABLE = lazy("[\\0\ud800-\udfff]")


class UnfitValue(ValueError):
    """A value does not fit its column; the text says what it takes and the type that it got."""


def shown(value: Any) -> str:
    """Return the type of a value, for messages: the value itself stands beside them."""
    return type(value).__name__


BYTES = (bytes, bytearray, memoryview)
IS_BYTES = "is bytes, which is no value of an item; store text, or keep it in a file"


def plain(value: Any) -> Any:
    """Return the value of an Enum's member, and anything else as it is."""
    return value.value if isinstance(value, enum.Enum) else value


def text(value: Any) -> str:
    """Return text that every database takes: no lone surrogate, no NUL."""
    value = plain(value)
    if not isinstance(value, str):
        raise UnfitValue(f"takes text, got {shown(value)}")
    if value.isascii() and "\0" not in value:
        return str(value)
    return _UNSTORABLE.sub("\ufffd", value)


def integer(value: Any) -> int | str:
    """Return an int, and the digits of one beyond 64 bits."""
    value = plain(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise UnfitValue(f"takes integer, got {shown(value)}")
    if -(1 << 63) <= value < 1 << 63:
        return int(value)
    try:
        float(value)
    except OverflowError:
        raise UnfitValue("is beyond what a number of SQL holds (1.8e308)") from None
    return str(int(value))


def real(value: Any) -> float | str:
    """Return a finite float, and the digits of an int of which a float has not all."""
    value = plain(value)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise UnfitValue(f"takes real, got {shown(value)}")
    try:
        made = float(value)
    except OverflowError:
        raise UnfitValue("is beyond what a real holds") from None
    if not math.isfinite(made):
        raise UnfitValue("takes a finite number")
    return made if made == value else str(value)


def boolean(value: Any) -> int:
    """Return 0 or 1."""
    value = plain(value)
    if not isinstance(value, bool):
        raise UnfitValue(f"takes boolean, got {shown(value)}")
    return int(value)


def decimal(value: Any) -> str:
    """Return the digits of a Decimal, or of an int, a float or a text that is a number."""
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, (Decimal, int, float, str)):
        raise UnfitValue(f"takes decimal, got {shown(value)}")
    try:
        # Of a float the shortest digits that mean it: 0.1, and not what its bits come to.
        made = Decimal(repr(value) if isinstance(value, float) else value)
    except (InvalidOperation, ValueError):
        raise UnfitValue(f"takes decimal, got {shown(value)}") from None
    if not made.is_finite():
        raise UnfitValue("takes a finite number")
    if math.isinf(float(made)):
        raise UnfitValue("is beyond what a number of SQL holds (1.8e308)")
    return format(made, "f") if -20 < made.adjusted() < 40 else str(made)


def seconds(value: Any) -> float | str:
    """Return a duration in seconds, if no microsecond is lost with it."""
    if not isinstance(value, timedelta):
        return real(value)
    made = value.total_seconds()
    if timedelta(seconds=made) != value:
        raise UnfitValue("is too long to keep its microseconds")
    return made


def timestamp(value: Any) -> str:
    """Return a date or a time as ISO 8601, in UTC where a zone is known."""
    if not isinstance(value, date):  # a datetime is a date
        raise UnfitValue(f"takes timestamp, got {shown(value)}")
    if isinstance(value, datetime) and value.tzinfo is not None:
        try:
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        except OverflowError:
            raise UnfitValue("is no time of the years 1 to 9999 in UTC") from None
    return value.isoformat()


def _datetime(value: Any) -> str:
    made = _parsed(datetime.fromisoformat, value, "timestamp")
    if not isinstance(made, datetime):
        raise UnfitValue(f"takes timestamp, got {shown(value)}")
    return timestamp(made)


def _date(value: Any) -> str:
    made = _parsed(date.fromisoformat, value, "timestamp")
    if isinstance(made, datetime):
        raise UnfitValue(f"takes a date, got {shown(value)}")
    return timestamp(made)


def _time(value: Any) -> str:
    made = _parsed(time.fromisoformat, value, "a time of day")
    if not isinstance(made, time):
        raise UnfitValue(f"takes a time of day, got {shown(value)}")
    return made.isoformat()


def _parsed(parse: Callable[[str], Any], value: Any, what: str) -> Any:
    value = plain(value)
    if not isinstance(value, str):
        return value
    try:
        return parse(value)
    except ValueError:
        raise UnfitValue(f"takes {what}, got {shown(value)}") from None


def spelled(kind: type) -> Encode:
    """Return an encoder for a type whose values are spelled as text, such as UUID."""

    def encode(value: Any) -> str:
        value = plain(value)
        if isinstance(value, str):
            try:
                value = kind(value)
            except ValueError:
                raise UnfitValue(f"takes {kind.__name__}, got {shown(value)}") from None
        if not isinstance(value, kind):
            raise UnfitValue(f"takes {kind.__name__}, got {shown(value)}")
        return text(str(value))

    return encode


SPELLED: tuple[type, ...] = (
    *(UUID, PurePath, IPv4Interface, IPv6Interface, IPv4Address, IPv6Address),
    *(IPv4Network, IPv6Network),
)
"""Types whose values are text in a table, and are read back from it."""

BY_TYPE: dict[Any, tuple[str, Encode]] = {
    str: ("text", text),
    bool: ("boolean", boolean),
    int: ("integer", integer),
    float: ("real", real),
    Decimal: ("decimal", decimal),
    datetime: ("timestamp", _datetime),
    date: ("timestamp", _date),
    time: ("text", _time),
    timedelta: ("real", seconds),
    **{kind: ("text", spelled(kind)) for kind in SPELLED},
}
"""The kind and the encoder of each type that has a column of its own kind."""

BY_KIND: dict[str, Encode] = {
    "text": lambda value: text(value if isinstance(value, str) else _said(value)),
    "integer": integer,
    "real": seconds,
    "boolean": boolean,
    "decimal": decimal,
    "timestamp": timestamp,
    "any": lambda value: _any(plain(value)),
    "json": lambda value: as_json(plain(value)).decode(),
}
"""The encoder of values that no type declares."""


def _any(value: Any) -> Any:
    """Return a text or a number as it is."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return timestamp(value) if isinstance(value, date) else text(_said(value))
    stored = real(value) if isinstance(value, float) else integer(value)
    if isinstance(stored, str):
        raise UnfitValue("is beyond 64 bits, and would be text among texts")
    return stored


def _said(value: Any) -> Any:
    value = plain(value)
    return str(value) if isinstance(value, (*SPELLED, time)) else value


def row_of(kind: type) -> tuple[str, Encode] | None:
    """Return the kind and the encoder of a type, or of the type that it is made from."""
    for base in kind.__mro__:
        row = BY_TYPE.get(base)
        if row is not None:
            own = base in SPELLED and kind is not base
            return (row[0], spelled(kind)) if own else row
    return None


# ---------------------------------------------------------------- JSON

# Sets and keys in order: the same value is the same text, and no change is seen where none is.
_write = msgspec.json.Encoder(enc_hook=lambda value: _jsonable(value), order="deterministic").encode


def as_json(value: Any) -> bytes:
    """Return a value as JSON in UTF-8; UnfitValue for what JSON has not: NaN, bytes."""
    if isinstance(value, BYTES):
        raise UnfitValue(IS_BYTES)
    if _any_within(value, _is_bytes):  # of which msgspec would make a text of base64
        raise UnfitValue(f"holds what {IS_BYTES}")
    try:
        data = _write(value)
    except (UnicodeEncodeError, TypeError, OverflowError, ValueError):
        try:
            built = msgspec.to_builtins(value, enc_hook=_jsonable, order="deterministic")
            written = json.dumps(built, ensure_ascii=False, allow_nan=False)
            data = _UNSTORABLE.sub("\ufffd", written).encode()
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise UnfitValue(f"cannot be written as JSON: {error}") from None
    except RecursionError:
        raise UnfitValue("cannot be written as JSON: nested too deep") from None
    if b"null" in data and _any_within(value, _is_not_finite):  # for which msgspec writes null
        raise UnfitValue("cannot be written as JSON: it holds a number that is not finite")
    return _NUL.sub("\\1\ufffd".encode(), data) if rb"\u0000" in data else data


def spoken(value: Any) -> str:
    """Return the text that says a value of pydantic's, such as an URL; UnfitValue for bytes."""
    if isinstance(value, BYTES):
        raise UnfitValue(IS_BYTES)
    return text(str(value))


_LEAVES = frozenset((str, int, bool, type(None)))
"""The types of most values, which hold nothing and are not looked for."""


def _is_bytes(value: Any) -> bool:
    return isinstance(value, BYTES)


def _is_not_finite(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _any_within(value: Any, sought: Callable[[Any], bool]) -> bool:
    """Return whether a value, or one within it, is what is sought; False where it nests too deep.

    What nests too deep to be read cannot be written either.
    """
    try:
        return _is_within(value, sought)
    except RecursionError:
        return False


def _is_within(value: Any, sought: Callable[[Any], bool]) -> bool:
    kind = type(value)
    if kind in _LEAVES:
        return False
    if sought(value):
        return True
    if isinstance(value, Mapping):
        return any(_is_within(key, sought) or _is_within(value[key], sought) for key in value)
    if isinstance(value, (list, tuple, set, frozenset, deque)):
        return any(_is_within(part, sought) for part in value if type(part) not in _LEAVES)
    if isinstance(value, enum.Enum):
        return _is_within(value.value, sought)
    names: Iterable[str] = (
        *getattr(kind, "__dataclass_fields__", ()),
        *getattr(kind, "__struct_fields__", ()),
        *getattr(kind, "model_fields", ()),
        *(field.name for field in getattr(kind, "__attrs_attrs__", ())),
    )
    return any(_is_within(getattr(value, name, None), sought) for name in names)


def _jsonable(value: Any) -> Any:
    if callable(getattr(type(value), "model_dump", None)):  # a pydantic model
        return value.model_dump(mode="json")
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):  # such as a deque
        return list(value)
    if isinstance(value, (MethodType, BuiltinMethodType, FunctionType)):
        name = value.__name__
        raise TypeError(f"`{name}` is not called; write {name}()")
    if (
        type(value).__str__ is vars(object)["__str__"]
    ):  # it says no more than where it lies in memory
        raise TypeError(f"no JSON for {type(value).__name__}")
    return str(value)
