"""Values of SQLite as PostgreSQL takes them, column by column.

A column of SQLite keeps values of any type. Those that PostgreSQL would store as others are refused
and not changed; but for NUL, which no text of it holds: those are counted.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from crawler.errors import StoreDamaged
from crawler.store.copying import Row
from crawler.store.postgres.statements import clean, has_nul

_TAKES = {
    "text": (str,),
    **dict.fromkeys(("bigint", "integer", "smallint", "boolean"), (int,)),
    "jsonb": (str, int, float, bool, list, dict),
}
"""What a column takes of what SQLite keeps in any: of 2.5 the driver makes 2 without a word."""
_SQLITE_TYPES = {str: "text", int: "integer", float: "real", bytes: "blob"}


class FittedValues:
    """Makes the rows of a copy fit; `changed` counts the texts that had a NUL."""

    def __init__(self) -> None:
        self.changed = 0

    def fitted(
        self, table: str, types: Mapping[str, str], columns: Sequence[str], rows: list[Row]
    ) -> list[Row]:
        """Return rows of these columns as PostgreSQL takes them; `types` are a table's, by column.

        StoreDamaged for a value that would become another.
        """
        sides = list(zip(*rows, strict=True))
        changed = False
        for place, column in enumerate(columns):
            _check(table, column, types[column], sides[place])
            change = self._change(types[column], sides[place])
            if change is not None:
                sides[place], changed = tuple(map(change, sides[place])), True
        return list(zip(*sides, strict=True)) if changed else rows

    def _change(self, kind: str, values: tuple[Any, ...]) -> Callable[[Any], Any] | None:
        """Return by what the values of a column become those of PostgreSQL; None if they are."""
        if kind == "text":
            # All at once: one text in a million has one.
            every = "".join([value for value in values if value])
            return self.text if has_nul(every) else None
        return {"boolean": _boolean, "jsonb": self._json}.get(kind)

    def text(self, value: Any) -> Any:
        """Return a text without NUL, which is counted."""
        if value is None or not has_nul(value):
            return value
        now = clean(value)
        self.changed += now != value
        return now

    def _json(self, value: Any) -> str | None:
        if value is None:
            return None
        if isinstance(value, float) and not math.isfinite(value):
            return json.dumps(str(value).replace("inf", "Infinity"))
        if isinstance(value, str) and "\0" in value:
            self.changed += 1
            value = value.replace("\0", "\ufffd")
        return json.dumps(value)


def _check(table: str, column: str, kind: str, values: tuple[Any, ...]) -> None:
    """Refuse values of another type than their column's: PostgreSQL would have others of them."""
    takes = _TAKES.get(kind)
    if takes is None:
        return
    for found in set(map(type, values)) - {type(None), *takes}:
        is_so = f"typeof({column}) = '{_SQLITE_TYPES.get(found, found.__name__)}' finds it"
        raise not_taken(f"the column {column} of the table {table} has a value", is_so)


def not_taken(what: str, more: str) -> StoreDamaged:
    """Return the error of a copy that met such a value."""
    return StoreDamaged(
        f"{what} that PostgreSQL does not take there ({more});"
        " set it right in the store that is copied, and copy again"
    )


def _boolean(value: Any) -> bool | None:
    return None if value is None else bool(value)
