"""What a connection to SQLite may do that only reads: an authorizer refuses the rest.

`query_only` refuses to write; other files and settings of the connection it does not.
"""

from __future__ import annotations

import sqlite3

_PRAGMAS = {
    *("table_info", "table_xinfo", "index_list", "index_info", "data_version", "user_version"),
    *("function_list", "foreign_key_list"),
}


def allowed(action: int, first: str | None, second: str | None, *place: str | None) -> int:
    """Refuse what `query_only` does not: other files, and settings of the connection.

    Nothing more: virtual tables such as the index describe themselves with a CREATE TABLE.
    """
    elsewhere = action in (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH)
    if elsewhere or (action == sqlite3.SQLITE_PRAGMA and first not in _PRAGMAS):
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


def defines_view(action: int, *place: str | None) -> int:
    """Allow what the definition of a temporary view takes, and reading."""
    return sqlite3.SQLITE_OK if action in _DEFINING else allowed(action, *place[:2])


_DEFINING = {
    *(sqlite3.SQLITE_CREATE_TEMP_VIEW, sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE),
    *(sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION),
}
