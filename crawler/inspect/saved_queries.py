"""Saved queries: `queries/NAME.sql`, whose first comment says what it answers."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from crawler.errors import QueryError

FOLDER = Path("queries")
_NAME = re.compile(r"[\w.-]+")


def sql_of(text: str, folder: Path = FOLDER) -> str:
    """Return the SQL that `text` is, or that is saved under that name; QueryError for neither."""
    if not _NAME.fullmatch(text):
        return text
    file = folder / f"{text.removesuffix('.sql')}.sql"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    known = sorted(saved(folder))
    near = difflib.get_close_matches(text, known, 1, 0.5)
    if near:
        raise QueryError(f"there is no saved query {text!r}; did you mean {near[0]!r}?")
    there = f"there are: {', '.join(known)}" if known else f"there is none in {folder}/"
    raise QueryError(f"{text!r} is no SQL and no saved query; {there}")


def saved(folder: Path = FOLDER) -> dict[str, str]:
    """Return every saved query's name, and the first line of its comment."""
    found = {}
    for file in sorted(folder.glob("*.sql")):
        first = file.read_text(encoding="utf-8").lstrip().partition("\n")[0]
        found[file.stem] = first.removeprefix("--").strip() if first.startswith("--") else ""
    return found
