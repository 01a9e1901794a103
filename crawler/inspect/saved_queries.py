"""Saved queries: `queries/NAME.sql`, whose first comment says what it answers."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from crawler.errors import QueryError
from crawler.inspect.query import Reader

FOLDER = Path("queries")
_NAME = re.compile(r"[\w.-]+")


def sql_of(text: str, folder: Path = FOLDER, reader: Reader | None = None) -> str:
    """Return the SQL that `text` is, or that is saved under that name; QueryError for neither.

    Of a table of the `reader`, the message has the SQL that asks for its rows.
    """
    if not _NAME.fullmatch(text):
        return text
    file = folder / f"{text.removesuffix('.sql')}.sql"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    if reader is not None and _is_table(reader, text):
        sql = f'crawler query "SELECT * FROM {text} LIMIT 10"'
        raise QueryError(f"{text} is a table, and no saved query; ask for its rows: {sql}")
    known = sorted(saved(folder))
    near = difflib.get_close_matches(text, known, 1, 0.5)
    if near:
        raise QueryError(f"there is no saved query {text!r}; did you mean {near[0]!r}?")
    there = f"there are: {', '.join(known)}" if known else f"there is none in {folder}/"
    raise QueryError(f"{text!r} is no SQL and no saved query; {there}")


def _is_table(reader: Reader, name: str) -> bool:
    try:
        reader.query(f'SELECT 1 FROM "{name}" LIMIT 0')
    except QueryError:
        return False
    return True


def saved(folder: Path = FOLDER) -> dict[str, str]:
    """Return every saved query's name, and the first line of its comment."""
    found = {}
    for file in sorted(folder.glob("*.sql")):
        first = file.read_text(encoding="utf-8").lstrip().partition("\n")[0]
        found[file.stem] = first.removeprefix("--").strip() if first.startswith("--") else ""
    return found
