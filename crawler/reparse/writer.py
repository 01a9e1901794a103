"""Storing what the callbacks gave, into a store that is claimed (`store.claimed`)."""

from __future__ import annotations

from collections import Counter

from crawler.reparse.replay import Parsed
from crawler.store.claimed import ClaimedStore
from crawler.store.item_marks import Left
from crawler.store.item_sql import Rows
from crawler.store.rows import to_json

_IDS = "(SELECT CAST(value AS BIGINT) FROM json_each(?))"


class Writer:
    """Replaces the items of pages, those of a chunk in one transaction.

    So a reader, and whoever comes after a crash, finds of each page the old items or the new.
    """

    def __init__(self, db: ClaimedStore) -> None:
        """Take a connection that is in a transaction, and will be in one again."""
        self._db = db
        self.widened: list[str] = []
        """Columns of items that were given another type, as in `item.price from TEXT to JSON`."""

    def replace(self, results: list[Parsed]) -> None:
        """Store a chunk. A page whose callback failed, or that is damaged, keeps its items."""
        good = [result for result in results if result.error is None and result.damage is None]
        ids = [result.origin.page_id for result in good]
        records = [(record, tuple(r.origin)) for r in good for record in r.records]
        told = self._db.write_items(records, Left(replaced=ids))
        self.widened += told.widened
        problems: Rows = [(*r.origin[:3], *p) for r in good for p in r.problems]
        self._replace_problems(ids, problems + told.problems)
        self._note_outcomes(ids, [(r.error, r.origin.page_id) for r in results if r.error])
        self._db.step()

    def _replace_problems(self, ids: list[int], problems: Rows) -> None:
        self._db.execute(f"DELETE FROM problems WHERE page_id IN {_IDS}", (to_json(ids),))
        self._db.executemany(
            "INSERT INTO problems (page_id, page_url, run_id, item, reason, value)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            problems,
        )

    def _note_outcomes(self, ids: list[int], failed: list[tuple[str, int]]) -> None:
        """Write how the callbacks ended, and count each page under its outcome of now."""
        touched = to_json([*ids, *(page_id for _, page_id in failed)])
        count = f"SELECT outcome, count(*) FROM pages WHERE page_id IN {_IDS} GROUP BY outcome"
        counts = Counter({name: -number for name, number in self._db.execute(count, (touched,))})
        self._db.execute(
            "UPDATE pages SET outcome = 'ok', error = NULL"
            f" WHERE page_id IN {_IDS} AND (outcome <> 'ok' OR error IS NOT NULL)",
            (to_json(ids),),
        )
        self._db.executemany(
            "UPDATE pages SET outcome = 'spider_error', error = ? WHERE page_id = ?", failed
        )
        counts.update(dict(self._db.execute(count, (touched,))))
        self._db.count({f"outcome.{name}": number for name, number in counts.items()})
