"""Which Arrow type holds a column of an export, and its values as that type takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow

from crawler.export.item_rows import decimal_text

_PLAIN = {"INTEGER": "int64", "REAL": "float64", "BOOLEAN": "bool_", "TEXT": "string"}
_LOOKED_AT = ("DECIMAL", "TIMESTAMP")

Read = Callable[[Sequence[str]], Iterable[tuple[Any, ...]]]
"""Reads the whole of some columns: what a file's type is hangs on all values, not on the first."""


def schema_of(
    columns: Sequence[str],
    kinds: Mapping[str, str],
    first: list[tuple[Any, ...]],
    read: Read | None,
) -> pyarrow.Schema:
    """Return the schema: by declared types, else by the first rows."""
    asked = [name for name in columns if kinds.get(name) in _LOOKED_AT] if read else []
    looks = [_Look() for _ in asked]
    if read and asked:
        for row in read(asked):
            for look, value in zip(looks, row, strict=True):
                if value is not None:
                    look.take(value)
    found = {name: look.type(kinds[name]) for name, look in zip(asked, looks, strict=True)}
    return pyarrow.schema(
        [
            (name, found.get(name) or _by_rows(kinds.get(name), [row[place] for row in first]))
            for place, name in enumerate(columns)
        ]
    )


def array_of(values: Iterable[Any], kind: Any) -> pyarrow.Array:
    """Return an array of this type; pyarrow's errors, or ValueError, if a value does not fit."""
    name = str(kind)
    turn = next((turn for begin, turn in _TURNS.items() if name.startswith(begin)), None)
    if turn is not None:
        values = [None if value is None else turn(value) for value in values]
    return pyarrow.array(list(values), kind)


class _Look:
    """What all values of a column have in common."""

    def __init__(self) -> None:
        self._whole = self._scale = 0
        self._forms: set[str] = set()

    def take(self, value: Any) -> None:
        """Look at one more value."""
        if isinstance(value, str) and not value.lstrip("-")[:1].isdigit():
            self._forms.add("text")
        elif isinstance(value, str) and ("-" in value[1:] and "E" not in value.upper()):
            self._forms.add("day" if len(value) == 10 else "utc" if value[-1] == "Z" else "local")
        else:
            self._size(Decimal(decimal_text(value)))

    def _size(self, number: Decimal) -> None:
        _, digits, exponent = number.as_tuple()
        assert isinstance(exponent, int)
        while len(digits) > 1 and digits[-1] == 0:  # `normalize` would round to 28 digits
            digits, exponent = digits[:-1], exponent + 1
        self._whole = max(self._whole, len(digits) + exponent)
        self._scale = max(self._scale, -exponent)

    def type(self, kind: str) -> Any:
        """Return the narrowest type that holds all of them exactly."""
        if kind == "TIMESTAMP":
            typed = {
                "day": pyarrow.date32(),
                "utc": pyarrow.timestamp("us", tz="UTC"),
                "local": pyarrow.timestamp("us"),
            }
            if not self._forms:
                return pyarrow.timestamp("us", tz="UTC")
            return typed.get(*self._forms) if len(self._forms) == 1 else pyarrow.string()
        needed = self._whole + self._scale
        if needed <= 38:
            return pyarrow.decimal128(38, self._scale)
        return pyarrow.decimal256(76, self._scale) if needed <= 76 else pyarrow.string()


def _by_rows(kind: str | None, values: list[Any]) -> Any:
    """Return the type of a column by its declared type, else by its first values."""
    if kind in ("ANY", "JSON"):
        return pyarrow.string()
    if kind in _PLAIN:
        return getattr(pyarrow, _PLAIN[kind])()
    types = {type(value) for value in values if value is not None}
    if types and types <= {int, float}:
        return pyarrow.int64() if types == {int} else pyarrow.float64()
    return pyarrow.binary() if types == {bytes} else pyarrow.string()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


_TURNS: dict[str, Callable[[Any], Any]] = {
    "bool": bool,
    "string": _text,
    "date32": date.fromisoformat,
    "timestamp": datetime.fromisoformat,
    "decimal": lambda value: Decimal(decimal_text(value)),
}
"""What makes of a stored value one that Arrow takes, by how its type's name begins."""
