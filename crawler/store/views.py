"""The views of a store and its table of outcomes: made from the code at each open.

They hold nothing of their own, so no migration is needed where they change. What a user's item
type has the name of is left out: the item type was there first, and nothing of ours reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from crawler.lazy_regex import lazy
from crawler.web import outcome

FILE = Path(__file__).parent / "views.sql"
_VIEW = lazy(r"^CREATE VIEW (\w+) AS\n.*?(?=;$)", re.MULTILINE | re.DOTALL)
_MARK = lazy(r"\{(\w+)\}")

Entry = tuple[str, str, str | None]
"""Type, name and SQL of a table, view, index or trigger, as in `sqlite_master`."""

ENTRIES = "SELECT type, name, sql FROM sqlite_master"
ROWS = "SELECT * FROM outcomes ORDER BY name"


@cache
def views() -> dict[str, str]:
    """Return the statement that makes each view, by its name."""
    text = _MARK.sub(lambda mark: outcome.names(mark[1]), FILE.read_text(encoding="utf-8"))
    return {match[1]: match[0] for match in _VIEW.finditer(text)}


def select(view: str) -> str:
    """Return what a view selects, for a query that must not meet an item type of its name."""
    return views()[view].partition(" AS\n")[2]


def script(entries: Iterable[Entry], rows: list[tuple[Any, ...]]) -> str:
    """Return the script that brings views and outcomes to what they are here, "" if they are.

    `entries` are what the file has, `rows` those of its table `outcomes`, if that is ours.
    """
    found = {name.lower(): (kind, sql or "") for kind, name, sql in entries}
    steps = []
    for name, sql in views().items():
        kind, now = found.get(name, ("view", ""))
        if kind == "view" and now != sql:
            steps += [f"DROP VIEW IF EXISTS {name}", sql]
    kind, now = found.get("outcomes", ("table", ""))
    if not now or is_ours(now):
        if now != outcome.CREATE:
            steps += ["DROP TABLE IF EXISTS outcomes", outcome.CREATE]
        if now != outcome.CREATE or rows != outcome.rows():
            values = ", ".join(map(_literal, outcome.rows()))
            steps += ["DELETE FROM outcomes", f"INSERT INTO outcomes VALUES {values}"]
    return ";\n".join(["BEGIN IMMEDIATE", *steps, "COMMIT;"]) if steps else ""


def is_ours(sql: str | None) -> bool:
    """Return whether a table `outcomes` made so is the crawl's, of whatever version."""
    return (sql or "").startswith(outcome.CREATE.partition(",")[0])


def _literal(row: Iterable[str | float | None]) -> str:
    cells = ("NULL" if v is None else f"'{v}'" if isinstance(v, str) else str(v) for v in row)
    return f"({', '.join(cells)})"
