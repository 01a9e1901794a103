"""What strangers may ask of a crawl in PostgreSQL: one query over its own tables.

A read-only transaction alone is not enough: in it functions still read files, end other sessions,
run SQL of their own (`query_to_xml`), and tables of other schemas are there to be read. SQLite has
an authorizer; here the words of the query are looked at before it is sent. Where the two could
understand a text differently (dollar quotes, `U&"…"`), it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Self

from crawler.errors import QueryError

if TYPE_CHECKING:
    from crawler.inspect.postgres_reader import PostgresReader

_TOKEN = re.compile(
    r"""--[^\n\r]*|/\*[\s\S]*?\*/                    # comments; of nested ones the rest is read
    |[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'    # texts
    |"(?P<quoted>(?:[^"]|"")*)"|(?P<name>[^\W\d][\w$]*)|(?P<rest>\S)""",
    re.VERBOSE,
)
_UNICODE = re.compile("u&[\"']", re.IGNORECASE)
_BEGINS = ("select", "with", "values", "table", "explain")
# What the catalog calls volatile acts or runs SQL of its own; of the others these tell of the
# server, run SQL, or make a text of a gigabyte out of two words.
_FUNCTIONS = (
    "SELECT DISTINCT proname::text FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace"
    " AND (provolatile = 'v' OR proname ~ '(_to_xml|xmlschema)' OR proname ~"
    " '^(pg_|lo_|has_|inet_|txid_|ts_stat|ts_rewrite|current_setting|repeat$|lpad$|rpad$)')"
    " AND proname NOT IN ('random', 'clock_timestamp', 'timeofday', 'gen_random_uuid')"
)
_SCHEMAS = "SELECT nspname::text FROM pg_namespace WHERE nspname <> current_schema()"


class QueryGuard:
    """The rules for queries of strangers: what is secret, and what may not be called."""

    def __init__(
        self, secret: Iterable[str], functions: Collection[str], schemas: Collection[str]
    ) -> None:
        """`secret` tables are never read, `functions` never called, `schemas` those of others."""
        self._secret = frozenset(secret)
        self._functions = frozenset(functions)
        self._schemas = frozenset(schemas)

    @classmethod
    def of(cls, reader: PostgresReader, secret: Iterable[str]) -> Self:
        """Return the guard of a server: it knows its functions and schemas."""
        found = [[name for (name,) in reader.own(sql)] for sql in (_FUNCTIONS, _SCHEMAS)]
        return cls(secret, *found)

    def check(self, sql: str) -> None:
        """Raise QueryError for what is more than to read tables of this crawl."""
        if _UNICODE.search(sql):
            raise QueryError('U&"…" is not taken here; write the characters themselves')
        tokens = _tokens(sql)
        first = next((name for name, is_name in tokens if is_name or name != "("), "")
        if first not in _BEGINS:
            raise QueryError("a query can only read, with SELECT")
        for (name, is_name), (behind, _) in zip(tokens, [*tokens[1:], ("", False)], strict=True):
            if not is_name:
                if name == "$":
                    raise QueryError("$…$ is not taken here; write '…'")
                continue
            if name in self._secret:
                raise QueryError(f"{name} cannot be read here: it is secret")
            other = behind == "." and name in self._schemas
            if other or name.startswith("pg_") or name == "information_schema":
                raise QueryError(f"{name}: only the tables of this crawl can be read here")
            if behind == "(" and name in self._functions:
                raise QueryError(f"{name}() cannot be called here: it does more than reckon")


def _tokens(sql: str) -> list[tuple[str, bool]]:
    """Return names and marks in order, and which are names; texts and comments are left out."""
    found: list[tuple[str, bool]] = []
    for token in _TOKEN.finditer(sql):
        if token["quoted"] is not None:
            found.append((token["quoted"].replace('""', '"'), True))
        elif token["name"] is not None:
            found.append((token["name"].lower(), True))
        elif token["rest"] is not None:
            found.append((token["rest"], False))
    return found
