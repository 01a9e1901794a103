"""From Python types to columns, and from values to what SQLite and PostgreSQL both store.

Six kinds: text, integer, real, boolean, timestamp (ISO 8601 text, UTC where a zone is known) and
json (lists and everything nested).
"""

from __future__ import annotations

import enum
import json
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import PurePath
from typing import Any, Literal
from uuid import UUID

import msgspec

Kind = Literal["text", "integer", "real", "boolean", "timestamp", "json"]

_KINDS: dict[Any, Kind] = {
    str: "text",
    int: "integer",
    float: "real",
    bool: "boolean",
    datetime: "timestamp",
    date: "timestamp",
    time: "text",
    timedelta: "real",
    Decimal: "text",
    UUID: "text",
}
_SPELLED = (Decimal, UUID, PurePath, time)


class Unfit(ValueError):
    """A value does not fit its column; the text says what it takes and what it got."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, its kind, and whether it must have a value."""

    name: str
    kind: Kind
    required: bool = False


Encode = Callable[[Any], Any]


def kind_of(hint: Any) -> tuple[Kind, bool, Any]:
    """Give the kind of a type hint, whether None is refused, and the hint without None."""
    required = True
    if typing.get_origin(hint) in (typing.Annotated, typing.Final):
        return kind_of(typing.get_args(hint)[0])
    if isinstance(hint, typing.NewType):
        return kind_of(hint.__supertype__)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        arms = typing.get_args(hint)
        rest = tuple(arm for arm in arms if arm is not type(None))
        required = len(rest) == len(arms)
        hint = rest[0] if len(rest) == 1 else typing.Union[rest]  # noqa: UP007  # made at run time
        if len(rest) == 1:
            kind, _, hint = kind_of(hint)
            return kind, required, hint
    if typing.get_origin(hint) is Literal:
        return _common(typing.get_args(hint)), required, hint
    if isinstance(hint, type):
        if issubclass(hint, enum.Enum):
            return _common([member.value for member in hint]), required, hint
        if issubclass(hint, PurePath):
            return "text", required, hint
    return _KINDS.get(hint, "json"), required, hint


def _common(values: typing.Iterable[Any]) -> Kind:
    kinds = {kind_of_value(value) for value in values}
    return kinds.pop() if len(kinds) == 1 else "json"


def kind_of_value(value: Any) -> Kind:
    """Give the kind of a value that no type declares."""
    if isinstance(value, enum.Enum):
        value = value.value
    return _KINDS.get(type(value), "json")


def encoder(kind: Kind, hint: Any = None) -> Encode:
    """Give the function that turns a value of this kind into what is stored; it raises Unfit.

    `hint` lets lists and nested values be checked too, as far as msgspec knows their types.
    """
    if kind == "json":
        return _json_encoder(hint)
    encode = _ENCODERS[kind]
    if typing.get_origin(hint) is Literal:
        return _one_of(typing.get_args(hint), encode)
    if isinstance(hint, type) and issubclass(hint, enum.Enum) and not issubclass(hint, enum.Flag):
        return _one_of([member.value for member in hint], encode)
    return encode


def _one_of(values: typing.Iterable[Any], encode: Encode) -> Encode:
    """Give an encoder that takes these values alone, as a Literal or an Enum does."""
    allowed = [encode(value) for value in values]

    def checked(value: Any) -> Any:
        stored = encode(value)
        if stored not in allowed:
            raise Unfit(f"takes one of {allowed!r:.80}, got {_shown(value)}")
        return stored

    return checked


def _text(value: Any) -> str:
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, _SPELLED):
        value = str(value)
    if not isinstance(value, str):
        raise Unfit(f"takes text, got {_shown(value)}")
    if value.isascii() and "\0" not in value:
        return str(value)
    # Neither a lone surrogate nor a NUL can be stored by every database.
    return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _integer(value: Any) -> int:
    if isinstance(value, enum.Enum):
        value = value.value
    if not isinstance(value, int) or isinstance(value, bool):
        raise Unfit(f"takes integer, got {_shown(value)}")
    if not -(1 << 63) <= value < 1 << 63:
        raise Unfit(f"is beyond 64 bits: {value!r:.80}")
    return int(value)


def _real(value: Any) -> float:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise Unfit(f"takes real, got {_shown(value)}")
    try:
        made = float(value)
    except OverflowError:
        raise Unfit("is beyond what a real holds") from None
    if not math.isfinite(made):
        raise Unfit(f"takes a finite number, got {value!r}")
    return made


def _boolean(value: Any) -> int:
    if not isinstance(value, bool):
        raise Unfit(f"takes boolean, got {_shown(value)}")
    return int(value)


def _timestamp(value: Any) -> str:
    if not isinstance(value, date):  # a datetime is a date
        raise Unfit(f"takes timestamp, got {_shown(value)}")
    if isinstance(value, datetime) and value.tzinfo is not None:
        try:
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        except OverflowError:
            raise Unfit(f"is no time of the years 1 to 9999 in UTC: {value}") from None
    return value.isoformat()


_ENCODERS: dict[Kind, Encode] = {
    "text": _text,
    "integer": _integer,
    "real": _real,
    "boolean": _boolean,
    "timestamp": _timestamp,
}


def _json_encoder(hint: Any) -> Encode:
    """Give the writer of JSON; it reads back what it wrote by the hint, and so checks it."""
    check: Callable[[bytes], Any] | None = None
    if hint not in (None, Any):
        try:
            check = msgspec.json.Decoder(hint, strict=True).decode
            if "CustomType(" in repr(msgspec.inspect.type_info(hint)):
                check = None
        except (TypeError, msgspec.ValidationError):
            check = None  # a type of the user's own: written as it says, not checked

    def encode(value: Any) -> str:
        data = _as_json(value)
        if check is not None:
            try:
                check(data)
            except msgspec.ValidationError as error:
                raise Unfit(f"does not fit {_name(hint)}: {error}") from None
        return data.decode()

    return encode


# Sets and keys in order: the same value is the same text, and no change is seen where none is.
_write = msgspec.json.Encoder(enc_hook=lambda value: _jsonable(value), order="deterministic").encode


def _as_json(value: Any) -> bytes:
    try:
        data = _write(value)
    except (UnicodeEncodeError, TypeError, OverflowError):
        try:
            plain = msgspec.to_builtins(value, enc_hook=_jsonable, order="deterministic")
            text = json.dumps(plain, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise Unfit(f"cannot be written as JSON: {error}") from None
        data = text.encode("utf-8", "replace")
    except RecursionError:
        raise Unfit("cannot be written as JSON: nested too deep") from None
    return data.replace(rb"\u0000", rb"\ufffd") if rb"\u0000" in data else data


def _jsonable(value: Any) -> Any:
    if hasattr(value, "model_dump"):  # a pydantic model
        return value.model_dump(mode="json")
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):  # such as a deque
        return list(value)
    if (
        type(value).__str__ is vars(object)["__str__"]
    ):  # it says no more than where it lies in memory
        raise TypeError(f"no JSON for {type(value).__name__}")
    return str(value)


def _shown(value: Any) -> str:
    return f"{type(value).__name__} {value!r:.80}"


def _name(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)
