"""Columns whose values change their kind: what holds them all, and how the table gets there.

DuckDB, pandas and Datasette go by the declared type, so the table is made anew with another one
(sqlite.org/lang_altertable.html, section 7): in the transaction of the flush that needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from crawler.items import RESERVED
from crawler.items.columns import Kind, exact_digits, json_of, wider
from crawler.store.item_sql import (
    GONE_AT,
    ORIGIN,
    Statement,
    Steps,
    TableShape,
    history_table,
    names,
    table,
)

TYPES: dict[Kind, str] = {
    "text": "TEXT",
    "integer": "INTEGER",
    "real": "REAL",
    "boolean": "BOOLEAN",
    "decimal": "DECIMAL",
    "timestamp": "TIMESTAMP",
    "any": "ANY",
    "json": "JSON",
}
EXACT = "EXACT"
"""The type of a column with the digits of a decimal's column, where a double has not all."""

_KINDS: dict[str, Kind] = {type_: kind for kind, type_ in TYPES.items()}


def wider_type(was: str, now: str, *, key: bool = False) -> str:
    """Return the type that holds the values of both; a key is text rather than a decimal.

    A key's unique index would else go by doubles, to which two decimals may be the same. Decimals
    in other columns of text are those of a table that an earlier version made.
    """
    if was == "TEXT" and (now == "DECIMAL" or (key and now in ("INTEGER", "REAL"))):
        return "TEXT"
    found = TYPES[wider(_KINDS[was], _KINDS[now])]
    return "TEXT" if key and found == "DECIMAL" else found


def is_long(column: Iterable[Any]) -> bool:
    """Return whether there is an int among the values of which a double has not all digits."""
    return any(isinstance(value, int) and float(value) != value for value in column)


def fit(kind: Kind, now: str) -> Callable[[Any], Any] | None:
    """Return what makes of a value of this kind one of a column of this type; None for nothing."""
    if now == "JSON" and kind != "json":
        return lambda value: None if value is None else json_of(value, kind)
    if now == "DECIMAL" or (now == "REAL" and kind != "real"):
        return lambda value: None if value is None else float(value)
    if now == "TEXT" and kind not in ("text", "timestamp"):
        return lambda value: None if value is None else str(value)
    return None


def digits(value: Any) -> str | None:
    """Return the digits that a column of decimals does not hold."""
    return None if value is None else exact_digits(value)


def companion(column: str, taken: Iterable[str]) -> str:
    """Return the name of the column for a decimal's digits."""
    used = {name.lower() for name in (*taken, *RESERVED)}
    name, number = f"{column}_exact", 1
    while name.lower() in used:
        number += 1
        name = f"{column}_exact_{number}"
    return name


# ---------------------------------------------------------------- in the file


def any_long(shape: TableShape, column: str) -> Steps[bool]:
    """Ask whether a column of integers holds one of which a double has not all digits."""
    found = yield Statement(f'SELECT 1 FROM "{shape.name}" WHERE {_long(column)} LIMIT 1')
    return bool(found)


def any_beyond(shape: TableShape, column: str) -> Steps[bool]:
    """Ask whether a column of integers holds one whose double may be written otherwise."""
    found = yield Statement(f'SELECT 1 FROM "{shape.name}" WHERE {_beyond(column)} LIMIT 1')
    return bool(found)


def _beyond(column: str) -> str:
    return f'"{column}" NOT BETWEEN -{1 << 53} AND {1 << 53}'


def keep_digits(shape: TableShape, column: str, exact: str) -> Steps[None]:
    """Yield what keeps the digits of the integers in a column that becomes one of decimals.

    Of all beyond 2**53: some are doubles, but the shortest text of that double is another integer.
    """
    for name in (shape.name, *([f"{shape.name}_history"] if shape.history else [])):
        yield Statement(
            f'UPDATE "{name}" SET "{exact}" = CAST("{column}" AS TEXT) WHERE {_beyond(column)}'
        )


def _long(column: str) -> str:
    """Return the condition, in SQL, for an integer of which a double has not all digits.

    Of those above the greatest double below 2**63 the cast back gives 2**63 - 1.
    """
    return (
        f'(CAST(CAST("{column}" AS REAL) AS INTEGER) <> "{column}"'
        f' OR "{column}" > 9223372036854774784)'
    )


def rebuild(shape: TableShape, columns: dict[str, str], exact: dict[str, str]) -> Steps[None]:
    """Yield what makes a table anew, and its history, with columns of other types.

    `exact` names the column of each decimal's digits. Indexes and triggers, those of the user too,
    are made again; views stay, and other columns that somebody has added.
    """
    after = shape._replace(columns=columns)
    yield Statement("PRAGMA legacy_alter_table = ON")  # or a view of the table stops the renaming
    marked = () if GONE_AT in shape.columns else (GONE_AT,)
    kept: tuple[str, ...] = ("item_id", *ORIGIN, *marked)
    yield from _made_anew(shape, after, shape.name, table, kept, exact)
    if shape.history:
        name = f"{shape.name}_history"
        kept = ("item_id", *ORIGIN, "replaced_at")
        yield from _made_anew(shape, after, name, history_table, kept, exact)
    yield Statement("PRAGMA legacy_alter_table = OFF")


def _made_anew(
    before: TableShape,
    after: TableShape,
    name: str,
    ddl: Callable[[TableShape, str, str], str],
    kept: tuple[str, ...],
    exact: dict[str, str],
) -> Steps[None]:
    again = yield Statement(
        f"SELECT sql FROM sqlite_master WHERE tbl_name = '{name}' AND sql IS NOT NULL"
        " AND type IN ('index', 'trigger')"
    )
    there = yield Statement(f"SELECT name, type FROM pragma_table_info('{name}')")
    others = [(other, type_) for other, type_ in there if other not in {*before.columns, *kept}]
    quoted = [(other.replace('"', '""'), type_) for other, type_ in others]
    more = "".join(f', "{other}" {type_}' for other, type_ in quoted)
    values = [
        _expression(column, type_, after.columns[column], exact.get(column))
        for column, type_ in before.columns.items()
        if column in after.columns
    ]
    rest = names([*kept, *(other for other, _ in quoted)])
    new = f"{name}~"
    yield Statement(ddl(after, new, more))
    yield Statement(
        f'INSERT INTO "{new}" ({names(after.columns)}, {rest})'
        f' SELECT {", ".join(values)}, {rest} FROM "{name}"'
    )
    if "replaced_at" not in kept:
        yield Statement(f"DELETE FROM sqlite_sequence WHERE name = '{new}'")
        yield Statement(
            f"INSERT INTO sqlite_sequence SELECT '{new}', seq FROM sqlite_sequence"
            f" WHERE name = '{name}'"
        )
    yield Statement(f'DROP TABLE "{name}"')
    yield Statement(f'ALTER TABLE "{new}" RENAME TO "{name}"')
    for (sql,) in again:
        yield Statement(sql)


def _expression(column: str, was: str, now: str, exact: str | None) -> str:
    """Return what a column's values become, in SQL."""
    name = f'"{column}"'
    if was == now or now == "ANY" or (was, now) == ("TIMESTAMP", "TEXT"):
        return name
    if now in ("REAL", "DECIMAL"):
        return f"CAST({name} AS REAL)"
    if now == "TEXT":
        return _spelled(name) if was == "REAL" else f"CAST({name} AS TEXT)"
    return f"CASE WHEN {name} IS NULL THEN NULL ELSE {_as_json(name, was, exact)} END"


def _as_json(name: str, was: str, exact: str | None) -> str:
    """Return a column's values as JSON, in SQL."""
    if was == "BOOLEAN":
        return f"CASE {name} WHEN 0 THEN 'false' WHEN 1 THEN 'true' ELSE json_quote({name}) END"
    if was in ("REAL", "DECIMAL"):
        if exact is None:
            return _spelled(name)
        fraction = f"\"{exact}\" GLOB '*[.eE]*'"
        return (
            f'CASE WHEN "{exact}" IS NULL THEN {_spelled(name)}'
            f' WHEN {fraction} THEN json_quote("{exact}") ELSE "{exact}" END'
        )
    if was == "ANY":
        return f"CASE typeof({name}) WHEN 'real' THEN {_spelled(name)} ELSE json_quote({name}) END"
    return f"CAST({name} AS TEXT)" if was == "INTEGER" else f"json_quote({name})"


def _spelled(name: str) -> str:
    """Return a column of doubles as text, in SQL, with so many digits as mean them."""
    short = f"CAST({name} AS TEXT)"
    return (
        f"CASE WHEN CAST({short} AS REAL) = {name} THEN {short} ELSE printf('%!.17g', {name}) END"
    )
