"""What became of items, told beside what became of pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crawler.inspect.query import Reader, Rows

_PAGES = (
    "SELECT at, kind, url, status_before, status, title_before, title, redirect_to,"
    " NULL AS item, NULL AS item_id, NULL AS field, NULL AS before, NULL AS after,"
    " 0 AS of_items, change_id FROM changes"
)
_ITEMS = (
    "SELECT at, CASE WHEN field <> 'gone_at' THEN 'item_changed' WHEN after IS NULL THEN"
    " 'item_back' ELSE 'item_gone' END, page_url, NULL, NULL, NULL, NULL, NULL, item, item_id,"
    " field, before, after, 1, change_id FROM item_changes"
)
_SHOWN = (
    "at, kind, url, status_before, status, title_before, title, redirect_to, item, item_id, field,"
    " before, after"
)


def are_told(reader: Reader) -> bool:
    """Return whether the store tells of items; one of an earlier version does not."""
    sql = "SELECT 1 FROM sqlite_master WHERE name = 'item_changes'"
    return bool(list(reader.query(sql).rows))


def with_pages(reader: Reader, since: str, kind: str | None) -> Rows:
    """Return what changed since a time (ISO 8601), pages and items in the order of their times."""
    sql = _PAGES
    if are_told(reader):
        sql += f" UNION ALL {_ITEMS}"
    values: Sequence[Any] = (since, *([kind] if kind else []))
    condition = " AND kind = ?" if kind else ""
    return reader.query(
        f"SELECT {_SHOWN} FROM ({sql}) AS told WHERE at >= ?{condition}"
        " ORDER BY at, of_items, change_id",
        values,
    )
