"""A store that another program writes into is waited for, and is told of only then."""

import asyncio
import sqlite3
import threading
from pathlib import Path

from crawler.store import open_store


def test_a_new_file_that_another_program_holds_is_waited_for(tmp_path: Path) -> None:
    """In it the journal is changed, at which SQLite itself does not wait."""
    path = tmp_path / "a.db"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    free = threading.Timer(0.3, other.execute, ["ROLLBACK"])

    async def story() -> None:
        store = open_store(str(path))
        free.start()
        await store.open()
        await store.close()

    asyncio.run(story())
    free.join()
    other.close()
