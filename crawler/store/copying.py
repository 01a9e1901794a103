"""Copying a crawl into another store, of either kind: every table, with the same ids.

The source is claimed and read in one snapshot; the target comes into being at once, at the end, or
not at all. Rows pass as SQLite has them: 1 and 0 for a boolean, JSON and times as texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from crawler.errors import StoreDamaged, StoreRefused
from crawler.markup.words import plural
from crawler.store.address import DatabaseAddress, StoreAddress
from crawler.store.damage import item_type
from crawler.store.item_sql import TableShape

Row = tuple[Any, ...]
Progress = Callable[[str, int, int], None]
"""Told of a table, how many of its rows are copied, and how many it has."""

TYPES = "SELECT name, columns, key, history FROM item_types"
LEFT = frozenset({"crawl", "workers", "outcomes", "revisit_queue"})
"""Tables that are no rows to copy: single values, signs of life, what is made from the code, and
what is queued before a file is copied."""

_AT_ONCE = {
    **dict.fromkeys(("bodies", "page_versions", "xhr_answers"), 50),
    **dict.fromkeys(("texts", "link_lists"), 500),
}
_COUNTED_ANEW = frozenset({"pending"})  # of hosts, where it is a count over `todo`


def rows_at_once(table: str) -> int:
    """Return how many rows of a table are in memory at once: a body may have megabytes."""
    return _AT_ONCE.get(table, 5000)


class GivenNumbers(NamedTuple):
    """Which numbers were given: the next ones of pages and requests, the highest of each item."""

    page_id: int
    seq: int
    items: Mapping[str, int]


class Unfinished(NamedTuple):
    """A run that did not finish: until when a host may have been asked that no commit tells of."""

    until: float  # Unix time; 0 where there is no such run
    delay: float  # seconds between two starts of a host


class CopySource(Protocol):
    """A crawl that is claimed and read."""

    ahead: int
    """Seconds by which the clock of its times is ahead of this machine's."""

    def tables(self) -> dict[str, tuple[str, ...]]:
        """Return its tables and their columns, as SQLite names them."""

    def others(self) -> list[str]:
        """Return what it has beside tables that is none of a crawl's, such as a user's views."""

    def values(self) -> dict[str, Any]:
        """Return the table `crawl`."""

    def numbers(self, items: Sequence[str]) -> GivenNumbers:
        """Return which numbers it has given."""

    def unfinished(self) -> Unfinished:
        """Return what is to be known of a run that did not finish."""

    def count(self, table: str) -> int:
        """Return how many rows a table has."""

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[list[Row]]:
        """Yield the rows of a table in pieces."""


class CopyTarget(Protocol):
    """A store that is being made."""

    ahead: int
    """Seconds by which the clock of its times is ahead of this machine's."""

    @property
    def changed(self) -> int:
        """How many texts it could not take as they were."""

    def make_items(self, shapes: Sequence[TableShape], histories: Sequence[str]) -> None:
        """Make the tables of items; `histories` are the types that have kept one."""

    def tables(self) -> dict[str, tuple[str, ...]]:
        """Return its tables and their columns."""

    def insert(self, table: str, columns: Sequence[str], rows: list[Row]) -> None:
        """Store rows."""

    def finish(
        self, values: Mapping[str, Any], numbers: GivenNumbers, left: Unfinished, later: int
    ) -> None:
        """Write what is no row of a table, and make indexes; `later` is added to times."""

    def count(self, table: str) -> int:
        """Return how many rows a table has."""

    def keep(self) -> None:
        """Let the store be there."""


class Copied(NamedTuple):
    """What a copy came to."""

    tables: dict[str, int]  # rows, by table
    left_out: list[str]  # tables and views that are no part of a crawl, and the like
    changed: int  # texts with a NUL, which PostgreSQL does not take


def copy(source: StoreAddress, target: StoreAddress, progress: Progress) -> Copied:
    """Copy a crawl into a store that is not there, or has nothing in it.

    StoreClaimed while a crawl runs into either, StoreRefused where the target is not empty. What
    is raised leaves nothing at the target.
    """
    if _same(source, target):
        raise StoreRefused(f"{target}: a store is not copied into itself; name another")
    with ExitStack() as stack:
        old = stack.enter_context(_source(source))
        new = stack.enter_context(_target(target))
        shapes = _shapes(old)
        tables = old.tables()
        new.make_items(shapes, [s.name for s in shapes if f"{s.name}_history" in tables])
        there = new.tables()
        copied = {}
        for table in _in_order(tables, there):
            columns = _columns(table, tables[table], there[table], source)
            copied[table] = _copy_table(old, new, table, columns, progress)
        numbers = old.numbers([shape.name for shape in shapes])
        new.finish(old.values(), numbers, old.unfinished(), new.ahead - old.ahead)
        _compare(new, copied, target)
        new.keep()
        left_out = [*sorted(tables.keys() - there.keys() - LEFT), *old.others()]
    return Copied(copied, left_out, new.changed)


def _same(one: StoreAddress, other: StoreAddress) -> bool:
    if isinstance(one, Path) and isinstance(other, Path):
        return one.absolute() == other.absolute() or (other.exists() and one.samefile(other))
    return one == other


def _source(address: StoreAddress) -> AbstractContextManager[CopySource]:
    if isinstance(address, DatabaseAddress):
        from crawler.store.postgres.copying import database_source

        return database_source(address)
    from crawler.store.copying_files import file_source

    return file_source(address)


def _target(address: StoreAddress) -> AbstractContextManager[CopyTarget]:
    if isinstance(address, DatabaseAddress):
        from crawler.store.postgres.copying import database_target

        return database_target(address)
    from crawler.store.copying_files import file_target

    return file_target(address)


def _shapes(source: CopySource) -> list[TableShape]:
    """Return the tables of items."""
    columns = ("name", "columns", "key", "history")
    rows = [row for piece in source.rows("item_types", columns) for row in piece]
    shapes = []
    for name, said, key, history in rows:
        own, keys = item_type(name, said, key)
        shapes.append(TableShape(name, own, tuple(keys), bool(history)))
    return shapes


def _in_order(tables: Mapping[str, Any], there: Mapping[str, Any]) -> list[str]:
    """Return the tables to copy: those that say which the others are come first."""
    first = [table for table in ("item_types", "runs", "hosts", "pages") if table in tables]
    rest = sorted((tables.keys() & there.keys()) - LEFT - set(first))
    return [*first, *rest]


def _columns(
    table: str, have: Sequence[str], take: Sequence[str], source: StoreAddress
) -> tuple[str, ...]:
    columns = tuple(column for column in have if column in take)
    if other := set(have) - set(take) - _COUNTED_ANEW:
        raise StoreRefused(
            f"{source}: the table {table} has columns that a crawl's has not"
            f" ({', '.join(sorted(other))}); drop them, and copy again"
        )
    return columns


def _copy_table(
    old: CopySource, new: CopyTarget, table: str, columns: Sequence[str], progress: Progress
) -> int:
    done, total = 0, old.count(table)
    for rows in old.rows(table, columns):
        new.insert(table, columns, rows)
        done += len(rows)
        progress(table, done, total)
    if done != total:
        raise StoreDamaged(
            f"the table {table} gave {done:,} of {plural(total, 'row')}; nothing is kept"
        )
    return done


def _compare(new: CopyTarget, copied: Mapping[str, int], target: StoreAddress) -> None:
    for table, number in copied.items():
        found = new.count(table)
        if found != number:
            raise StoreDamaged(
                f"{target}: {plural(found, 'row')} of {table} where {number:,} were copied;"
                " nothing is kept"
            )
