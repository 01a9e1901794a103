"""DropDuplicates: of items with the same values only the first is stored, over all runs."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import msgspec
import xxhash

from crawler.items import Record
from crawler.spider.pipelines import OwnerPipeline
from crawler.store.address import StoreAddress

if TYPE_CHECKING:
    from crawler.spider.running import RunningCrawl

log = logging.getLogger("crawler")


class DropDuplicates(OwnerPipeline):
    """Drop an item if one of its type with the same values is stored from another page, or before.

    It decides behind all other pipelines, in the process that keeps the store, so that it is exact
    with any number of worker processes and over all runs; 150 bytes of memory an item. An item that
    its own page gives again, in a recrawl, is not a duplicate. Over several machines name a key
    instead: `@item(key="url")`, where the later item replaces the earlier.
    """

    def __init__(self, *fields: str) -> None:
        """Compare these fields; without any, all of them. An item without one of them is kept."""
        self.fields = fields
        self._pages: dict[bytes, int] = {}  # digest of an item → the page that has it
        self._here: set[bytes] = set()  # digests of the page under judgement
        self._told: set[str] = set()

    async def open(self, crawl: RunningCrawl) -> None:
        """Take note of what earlier runs have stored."""
        if crawl.store is not None:
            self._pages = await asyncio.to_thread(self._stored, crawl.store)

    def begin(self, url: str) -> None:
        """See `OwnerPipeline.begin`."""
        self._here.clear()

    def refusal_of(self, record: Record, url: str) -> str | None:
        """See `OwnerPipeline.refusal_of`."""
        names = [column.name for column in record.table.columns]
        digest = self._digest(record.table.name, dict(zip(names, record.values, strict=True)))
        if digest is None:
            return None
        page = xxhash.xxh3_64_intdigest(url.encode())
        if digest in self._here or self._pages.setdefault(digest, page) != page:
            return f"the same {' and '.join(self.fields) or 'values'} as an earlier one"
        self._here.add(digest)
        return None

    def _digest(self, table: str, values: dict[str, Any]) -> bytes | None:
        """Return the XXH3-128 of what is compared of an item; None where a field is missing."""
        given = {name: _plain(value) for name, value in values.items() if value is not None}
        if self.fields:
            if any(name not in given for name in self.fields):
                self._tell(table, [name for name in self.fields if name not in values])
                return None
            given = {name: given[name] for name in self.fields}
        compared = msgspec.msgpack.encode([table, sorted(given.items())])
        return xxhash.xxh3_128_digest(compared)

    def _tell(self, table: str, missing: list[str]) -> None:
        if missing and table not in self._told:
            self._told.add(table)
            log.warning(
                "DropDuplicates: items of %s without %s are kept, whatever else they say",
                *(table, " and ".join(missing)),
            )

    def _stored(self, store: StoreAddress) -> dict[bytes, int]:
        """Return the digests of what is stored, each with its page."""
        from crawler.export.item_rows import item_types
        from crawler.inspect.query import Reader

        found: dict[bytes, int] = {}
        with Reader(store) as reader:
            for name, kind in item_types(reader).items():
                own = list(self.fields or kind.given.values())
                if not set(own) <= set(kind.given.values()):
                    continue
                page = kind.shown("page_url")
                rows = kind.rows(reader, " ORDER BY item_id", [*own, page])
                at = rows.columns.index(page)
                for row in rows.rows:
                    values = dict(zip(rows.columns, row, strict=True))
                    values.pop(page)
                    digest = self._digest(name, values)
                    if digest is not None:
                        found.setdefault(digest, xxhash.xxh3_64_intdigest(row[at].encode()))
        return found


def _plain(value: Any) -> Any:
    """Return a value alike whether it comes from an item or out of its column.

    A column of doubles gives 7.0 for a 7, one of texts "7": a number is its digits.
    """
    if isinstance(value, (bool, int)):
        return str(int(value))
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return value if isinstance(value, str) else str(value)
