"""From Python types to columns: which kind a field has, and which encoder its values.

Eight kinds: text, integer, real, boolean, decimal, timestamp (ISO 8601 text, UTC where a zone is
known), any (texts and numbers, each as it is) and json (lists and all that is nested).
`docs/decisions/0026-item-values.md` says why.
"""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Literal, cast

import msgspec
from msgspec import Struct

from crawler.items.encoders import (
    BY_KIND,
    BYTES,
    SPELLED,
    Encode,
    UnfitValue,
    as_json,
    plain,
    row_of,
    shown,
)

Kind = Literal["text", "integer", "real", "boolean", "decimal", "timestamp", "any", "json"]

_NUMBERS = ("integer", "real", "decimal")
_PLAIN = ("text", "timestamp", "integer", "real", "any")
"""Kinds whose values SQL tells apart by themselves, so that one column can hold them all."""


class Column(Struct, frozen=True):
    """One column: its name, its kind, and whether it must have a value."""

    name: str
    kind: Kind
    required: bool = False


def wider(a: Kind, b: Kind) -> Kind:
    """Return the narrowest kind that holds the values of both without a loss."""
    if a == b:
        return a
    if a in _NUMBERS and b in _NUMBERS:
        return "decimal" if "decimal" in (a, b) else "real"
    if {a, b} == {"text", "timestamp"}:
        return "text"
    return "any" if a in _PLAIN and b in _PLAIN else "json"


def kind_of(hint: Any) -> tuple[Kind, bool, Any]:
    """Return the kind of a type hint, whether None is refused, and the hint without None."""
    origin = typing.get_origin(hint)
    if origin in (typing.Annotated, typing.Final, typing.Required, typing.NotRequired):
        return kind_of(typing.get_args(hint)[0])
    if isinstance(hint, typing.NewType):
        return kind_of(hint.__supertype__)
    if hasattr(hint, "__value__"):  # `type Price = Decimal`
        return kind_of(hint.__value__)
    if origin in (typing.Union, types.UnionType):
        return _kind_of_union(typing.get_args(hint))
    if isinstance(hint, typing.TypeVar):
        return kind_of(hint.__bound__ or Any)
    if origin is Literal:
        values = typing.get_args(hint)
        kind = _kind_of_all(kind_of_value(value) for value in values if value is not None)
        return kind, None not in values, hint
    if isinstance(hint, type):
        if issubclass(hint, enum.Enum):
            return _kind_of_all(kind_of_value(member.value) for member in hint), True, hint
        row = row_of(hint) if origin is None else None
        if row is not None:
            return cast(Kind, row[0]), True, hint
    return "json", hint not in (Any, object, type(None)), hint


def _kind_of_union(arms: tuple[Any, ...]) -> tuple[Kind, bool, Any]:
    rest = tuple(arm for arm in arms if arm is not type(None))
    rest = tuple(arm for arm in rest if arm not in BYTES) or rest  # no value of an item
    if not rest:
        return "json", False, Any
    known = [kind_of(arm) for arm in rest]
    required = type(None) not in arms and all(needs for _, needs, _ in known)
    hints = tuple(hint for _, _, hint in known)
    hint = hints[0] if len(hints) == 1 else typing.Union[hints]  # noqa: UP007  # at run time
    return _kind_of_all(kind for kind, _, _ in known), required, hint


def _kind_of_all(kinds: Iterable[Kind]) -> Kind:
    """Return the kind that holds all of these: json if there is none."""
    found: Kind | None = None
    for kind in kinds:
        found = kind if found is None else wider(found, kind)
    return found or "json"


_AT_SIGHT: dict[type, Kind] = {
    **{str: "text", float: "real", bool: "boolean", list: "json", dict: "json"},
}


def kind_of_value(value: Any) -> Kind:
    """Return the kind of a value that no type declares."""
    known = _AT_SIGHT.get(type(value))
    if known is not None:
        return known
    value = plain(value)
    kind = type(value)
    if kind is int:
        if -(1 << 63) <= value < 1 << 63:
            return "integer"
        return "decimal" if abs(value) < 1 << 1024 else "json"
    row = row_of(kind)
    return "json" if row is None else cast(Kind, row[0])


# ---------------------------------------------------------------- encoders


def encoder(kind: Kind, hint: Any = None) -> Encode:
    """Return the function that turns a value of this kind into what is stored; it raises Unfit.

    Values of lists and of nested types are checked too, as far as msgspec knows their types.
    """
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return _one_of_types(kind, [kind_of(arm) for arm in typing.get_args(hint)])
    if origin is Literal:
        values = [value for value in typing.get_args(hint) if value is not None]
        return _one_of(values, BY_KIND[kind])
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return _enum(hint, BY_KIND[kind])
    if kind == "json":
        return _json_encoder(hint)
    row = row_of(hint) if isinstance(hint, type) else None
    return BY_KIND[kind] if row is None else row[1]


def _one_of(values: Iterable[Any], encode: Encode) -> Encode:
    """Return an encoder that takes these values alone, as a Literal does."""
    allowed = [encode(value) for value in values]

    def checked(value: Any) -> Any:
        stored = encode(value)
        if stored not in allowed:
            raise UnfitValue(f"takes one of {allowed!r:.80}, got {shown(value)}")
        return stored

    return checked


def _enum(kind: type[enum.Enum], encode: Encode) -> Encode:
    """Return an encoder for the members of an Enum, and for their values."""
    if not issubclass(kind, enum.Flag):
        return _one_of([member.value for member in kind], encode)

    def checked(value: Any) -> Any:
        try:
            return encode(kind(plain(value)).value)
        except (ValueError, TypeError):
            raise UnfitValue(f"takes {kind.__name__}, got {shown(value)}") from None

    return checked


def _one_of_types(kind: Kind, arms: list[tuple[Kind, bool, Any]]) -> Encode:
    """Return an encoder for a union: the first type that takes the value, its own before others."""
    ways = [(arm, encoder(own, arm), own) for own, _, arm in arms]

    def encode(value: Any) -> Any:
        exact = [way for way in ways if isinstance(way[0], type) and type(value) is way[0]]
        for _, attempt, own in (*exact, *ways):
            try:
                stored = attempt(value)
            except UnfitValue:
                continue
            if kind == "json":
                return json_of(stored, own)
            if kind == "any" and isinstance(stored, str) and own in _NUMBERS:
                raise UnfitValue("is beyond 64 bits, and would be text among texts")
            digits = isinstance(stored, str) or kind not in ("real", "decimal")
            return stored if digits else BY_KIND[kind](stored)
        names = " or ".join(_name(arm) for arm, _, _ in ways)
        raise UnfitValue(f"takes {names}, got {shown(value)}")

    return encode


def json_of(stored: Any, kind: Kind) -> str:
    """Return as JSON what a column of this kind stores.

    A number whose digits a double has not is a string of them, unless it is whole: readers of
    JSON take a number with a fraction for a double (RFC 8259, section 6).
    """
    if kind == "json":
        return str(stored)
    if kind == "boolean":
        return "true" if stored else "false"
    if isinstance(stored, str) and kind in _NUMBERS:
        whole = stored.lstrip("-").isdigit()
        if whole or exact_digits(stored) is None:
            return stored
    return msgspec.json.encode(stored).decode()


def exact_digits(number: int | float | str) -> str | None:
    """Return the digits of a number where the nearest double, as it is written, has not all."""
    if isinstance(number, float):
        return None
    if isinstance(number, int):
        return None if Decimal(repr(float(number))) == number else str(number)
    return None if Decimal(repr(float(number))) == Decimal(number) else number


class _Foreign(Exception):
    """A type that neither msgspec nor we can read back; its values go unchecked."""


def _read_back(kind: type, value: Any) -> Any:
    if issubclass(kind, SPELLED):
        return kind(value)  # type: ignore[call-arg]  # each takes its text
    raise _Foreign


def _json_encoder(hint: Any) -> Encode:
    """Return the writer of JSON; it reads back what it wrote by the hint, and so checks it."""
    check: Callable[[bytes], Any] | None = None
    if hint not in (None, Any):
        try:
            check = msgspec.json.Decoder(hint, strict=True, dec_hook=_read_back).decode
        except (TypeError, msgspec.ValidationError):
            check = None  # a type of the user's own: written as it says, not checked

    def encode(value: Any) -> str:
        data = as_json(value)
        if check is not None:
            try:
                check(data)
            except _Foreign:
                pass
            except msgspec.ValidationError as error:
                raise UnfitValue(f"does not fit {_name(hint)}: {error}") from None
        return data.decode()

    return encode


def _name(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)
