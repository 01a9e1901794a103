"""In which order a store's rows come to be there, for who reads while others write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crawler.inspect.query import Reader


class Commits:
    """The commits of one file, which one process makes: ids rise with them."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def state(self) -> Any:
        """Return what is another value after every commit."""
        return self._one("PRAGMA data_version")[0]

    def settled(self, what: str) -> int:
        """Return the id up to which no row of pages or of an item type is to come any more.

        0 where nothing is to be settled, or nothing can be said yet.
        """
        return 0

    def _one(self, sql: str) -> Any:
        return next(iter(self._reader.query(sql).rows))


class SharedCommits(Commits):
    """The commits of many workers: a row may come after one with a higher id."""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self._open: dict[str, tuple[int, int]] = {}  # highest id, and the next xid then, by table

    def state(self) -> Any:
        """Return what is another value after every commit, of other crawls, too."""
        return self._one("SELECT pg_current_snapshot()::text")[0]

    def settled(self, what: str) -> int:
        """Return the id up to which no row of pages or of an item type is to come any more.

        Where nobody takes part, that is the highest. A worker takes the numbers of its pages ahead:
        while one lives, any of them may come. That of an item is taken within the transaction that
        stores it, after its first change: once all have ended that had begun when an id was seen,
        none below it is to come.
        """
        id_name, table = ("page_id" if what == "pages" else "item_id"), what.replace('"', '""')
        workers, highest, oldest, following = self._one(  # of one snapshot, as it is one statement
            f'SELECT (SELECT count(*) FROM crawl_workers), (SELECT max({id_name}) FROM "{table}"),'
            " pg_snapshot_xmin(pg_current_snapshot())::text,"
            " pg_snapshot_xmax(pg_current_snapshot())::text"
        )
        highest = highest or 0
        if not workers:
            return int(highest)
        if what == "pages":
            return 0
        number, xid = self._open.get(what, (0, 0))
        if int(oldest) < xid:
            return 0
        self._open[what] = highest, int(following)
        return number


def commits_of(reader: Reader) -> Commits:
    """Return how the rows of a store come to be there."""
    return (Commits if isinstance(reader.path, Path) else SharedCommits)(reader)
