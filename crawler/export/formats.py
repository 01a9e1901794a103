"""How rows are written: JSON lines, JSON, CSV, Parquet, SQLite. All of them stream.

A writer takes rows and a path that does not exist yet, or an open binary stream. Memory stays flat
however many rows there are.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

import msgspec

from crawler.errors import QueryError, UsageError
from crawler.inspect.query import Rows

_BATCH = 2000
_PARQUET_BATCH = 20_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

Kinds = Mapping[str, str]


@dataclass(slots=True)
class WriteOptions:
    """How to write: `kinds` are the declared types of columns, `safe` guards spreadsheets.

    `tick` hears the number of rows written so far. `header` is off where a file is continued. With
    `bom` a CSV begins with a byte order mark, without which Excel takes it for another charset.
    `read` gives some columns once more, for formats whose types hang on all values. `told` hears
    what a format could not hold.
    """

    kinds: Kinds = field(default_factory=dict)
    safe: bool = False
    bom: bool = False
    header: bool = True
    table: str = "rows"
    tick: Callable[[int], None] = lambda number: None
    told: Callable[[str], None] = lambda text: None
    read: Callable[[Sequence[str]], Iterable[tuple[Any, ...]]] | None = None


def batches(rows: Rows, size: int = _BATCH) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the rows in lists."""
    source = iter(rows.rows)
    while batch := list(islice(source, size)):
        yield batch


# ---------------------------------------------------------------- JSON


def jsonl(rows: Rows, out: IO[bytes], options: WriteOptions) -> int:
    """Write one JSON object a line, and return the number of rows."""
    number, encode = 0, msgspec.json.Encoder().encode_lines
    for batch in batches(rows):
        out.write(_inert(encode(list(_objects(rows.columns, batch, options.kinds)))))
        number += len(batch)
        options.tick(number)
    return number


def json(rows: Rows, out: IO[bytes], options: WriteOptions) -> int:
    """Write one JSON array of objects, and return the number of rows."""
    return json_array([(rows, options.kinds)], out, options)


def json_array(parts: Iterable[tuple[Rows, Kinds]], out: IO[bytes], options: WriteOptions) -> int:
    """Write the rows of several tables as one JSON array, and return their number."""
    number, encode = 0, msgspec.json.Encoder().encode
    for rows, kinds in parts:
        for batch in batches(rows):
            objects = _objects(rows.columns, batch, kinds)
            out.write(b"[\n " if number == 0 else b",\n ")
            out.write(_inert(b",\n ".join(map(encode, objects))))
            number += len(batch)
            options.tick(number)
    out.write(b"\n]\n" if number else b"[]\n")
    return number


# DEL, C1, what turns directions (Unicode TR9), line and paragraph separators: in UTF-8.
_ACTIVE = re.compile(
    rb"\x7f|\xc2[\x80-\x9f]|\xd8\x9c|\xe2\x80[\x8e\x8f\xa8-\xae]|\xe2\x81[\xa6-\xa9]"
)


def _inert(text: bytes) -> bytes:
    """Return JSON that commands no terminal, whoever shows it: of the same value (RFC 8259, 7)."""
    return _ACTIVE.sub(lambda found: b"\\u%04x" % ord(found[0].decode()), text)


def _objects(
    columns: Sequence[str], batch: Iterable[tuple[Any, ...]], kinds: Kinds
) -> Iterator[dict[str, Any]]:
    """Yield a dict for each row; JSON goes through as it is, without being read."""
    reads = [(place, _READS[kind]) for place, name in enumerate(columns)
             if (kind := kinds.get(name)) in _READS]  # fmt: skip
    for row in batch:
        made = dict(zip(columns, row, strict=True))
        for place, read in reads:
            value = row[place]
            if value is not None:
                made[columns[place]] = read(value)
        if any(isinstance(value, bytes) for value in row):
            made = {k: v.hex() if isinstance(v, bytes) else v for k, v in made.items()}
        yield made


def _raw(value: Any) -> Any:
    """Return JSON to be written as it is; a text that is none stays a text."""
    if not isinstance(value, str):
        return value
    raw = msgspec.Raw(value.encode())
    try:
        _checked(raw)
    except msgspec.DecodeError:
        return value
    return raw


_checked = msgspec.json.Decoder(msgspec.Raw).decode


def _boolean(value: Any) -> Any:
    return bool(value) if value in (0, 1) else value


def _number(value: Any) -> Any:
    """Return a decimal as JSON: digits that a double has not are text, unless it is whole."""
    whole = isinstance(value, str) and value.lstrip("-").isdigit()
    return msgspec.Raw(value.encode()) if whole else value


_READS: dict[str | None, Callable[[Any], Any]] = {
    "JSON": _raw,
    "BOOLEAN": _boolean,
    "DECIMAL": _number,
}


# ---------------------------------------------------------------- CSV


def write_csv(rows: Rows, out: IO[bytes], options: WriteOptions) -> int:
    """Write RFC 4180 CSV in UTF-8 with a header, and return the number of rows.

    With `options.safe` a text that a spreadsheet would run as a formula gets an apostrophe in front
    (OWASP, CSV injection).
    """
    text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=False)
    writer = csv.writer(text, lineterminator="\r\n")
    if options.header:
        out.write(codecs.BOM_UTF8 if options.bom else b"")
        writer.writerow(rows.columns)
    number = 0
    for batch in batches(rows):
        if options.safe:
            batch = [tuple(map(_guarded, row)) for row in batch]
        writer.writerows([[_text(value) for value in row] for row in batch])
        number += len(batch)
        options.tick(number)
    text.flush()
    text.detach()
    return number


def _guarded(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _text(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


# ---------------------------------------------------------------- Parquet


def parquet(rows: Rows, out: IO[bytes], options: WriteOptions) -> int:
    """Write Parquet (zstd), and return the number of rows; `arrow` decides the types.

    UsageError without pyarrow, QueryError where a later value does not fit its column.
    """
    try:
        import pyarrow
        from pyarrow import parquet as files
    except ImportError:
        raise UsageError("Parquet needs pyarrow: pip install 'crawlkeep[parquet]'") from None
    from crawler.export.arrow import array_of, schema_of

    source = batches(rows, _PARQUET_BATCH)
    first = next(source, [])
    schema = schema_of(rows.columns, options.kinds, first, options.read)
    number = 0
    with files.ParquetWriter(out, schema, compression="zstd") as writer:
        for batch in chain([first] if first else [], source):
            columns = _columns(batch, rows.columns, options.kinds)
            try:
                arrays = [
                    array_of(column, kind.type)
                    for column, kind in zip(columns, schema, strict=True)
                ]
            except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, ValueError) as error:
                raise QueryError(
                    f"a value does not fit its Parquet column ({error});"
                    " give the column one type in SQL: CAST(... AS TEXT)"
                ) from None
            writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))
            number += len(batch)
            options.tick(number)
    return number


def _columns(
    batch: list[tuple[Any, ...]], names: Sequence[str], kinds: Kinds
) -> Iterator[Sequence[Any]]:
    """Yield a batch by columns; what SQL has of several types is JSON, as Parquet has one."""
    for name, values in zip(names, zip(*batch, strict=True), strict=True):
        if kinds.get(name) == "ANY":
            yield [None if v is None else msgspec.json.encode(v).decode() for v in values]
        else:
            yield values


# ---------------------------------------------------------------- SQLite


def sqlite(rows: Rows, path: Path, options: WriteOptions) -> int:
    """Write a table of a new SQLite file, and return the number of rows."""
    db = sqlite3.connect(path, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("PRAGMA synchronous = OFF")
        decimals = [
            at for at, name in enumerate(rows.columns) if options.kinds.get(name) == "DECIMAL"
        ]
        names = list(rows.columns)
        for at in decimals:
            names.append(f"{rows.columns[at]}_exact")
            while names[-1].lower() in map(str.lower, names[:-1]):
                names[-1] += "_"
        kinds = {**options.kinds, **dict.fromkeys(names[len(rows.columns) :], "TEXT")}
        quoted = [(name, name.replace('"', '""').replace("\0", "\ufffd")) for name in names]
        columns = ", ".join(
            f'"{safe}" {_SQL.get(kinds.get(name, ""), "")}' for name, safe in quoted
        )
        table = options.table.replace('"', '""')
        db.execute("BEGIN")
        db.execute(f'CREATE TABLE "{table}" ({columns})')
        sql = f'INSERT INTO "{table}" VALUES ({", ".join("?" * len(names))})'
        number = 0
        for batch in batches(rows):
            db.executemany(sql, _with_digits(batch, decimals) if decimals else batch)
            number += len(batch)
            options.tick(number)
        db.execute("COMMIT")
    except sqlite3.OperationalError as error:
        raise OSError(f"{path}: {error}") from None
    finally:
        db.close()
    return number


def _with_digits(batch: Iterable[tuple[Any, ...]], decimals: list[int]) -> list[tuple[Any, ...]]:
    """Return rows with the nearest doubles, and the digits of values that no double holds."""
    made = []
    for row in batch:
        exact = [row[at] if isinstance(row[at], str) else None for at in decimals]
        values = list(row)
        for at in decimals:
            values[at] = None if row[at] is None else float(row[at])
        made.append((*values, *exact))
    return made


_SQL = {
    **{kind: kind for kind in ("TEXT", "INTEGER", "REAL", "BOOLEAN", "TIMESTAMP")},
    "JSON": "JSON TEXT",
    "DECIMAL": "DECIMAL REAL",
    "ANY": "ANY BLOB",
}

STREAMS: dict[str, Callable[[Rows, IO[bytes], WriteOptions], int]] = {
    "jsonl": jsonl,
    "json": json,
    "csv": write_csv,
    "parquet": parquet,
}
"""Formats that can also go to standard output."""
