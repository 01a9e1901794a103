"""A write that fails at its commit leaves the store as it was, and usable."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from crawler.config.store import StoreSettings
from crawler.errors import StoreError
from crawler.store import Batch
from crawler.store.sqlite import SqliteStore

WRITES: dict[str, Callable[[SqliteStore], Awaitable[object]]] = {
    "begin_run": lambda store: store.begin_run("spider", "{}", "{}"),
    "end_run": lambda store: store.end_run("finished", None),
    "answer": lambda store: store.answer(1, "applied", "done"),
    "note_control": lambda store: store.note_control("slow_down", "by itself"),
    "reopen": lambda store: store.reopen("/calendar/*"),
    "mark_duplicates": lambda store: store.mark_duplicates([(1, None)]),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_write_that_the_disk_refuses_can_be_tried_again(
    tmp_path: Path, write: Callable[[SqliteStore], Awaitable[object]]
) -> None:
    store = SqliteStore(tmp_path / "a.db", durable="normal", keep=StoreSettings())

    async def story() -> None:
        await store.open()
        await store.begin_run("spider", "{}")
        before = await _written(store)
        execute = store._db.execute

        async def full(sql: str, *values: object) -> object:
            if sql == "COMMIT":
                raise sqlite3.OperationalError("database or disk is full")
            return await execute(sql, *values)

        store._db.execute = full  # type: ignore[method-assign, assignment]
        with pytest.raises(StoreError, match="full"):
            await write(store)
        store._db.execute = execute  # type: ignore[method-assign]
        assert await _written(store) == before
        await write(store)
        await store.commit(Batch())
        await store.close()

    asyncio.run(story())


async def _written(store: SqliteStore) -> list[object]:
    return [await store._all(f"SELECT * FROM {table}") for table in ("runs", "control", "crawl")]
