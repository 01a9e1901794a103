"""The schema of the SQLite store: its version, its migrations, and whose file it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import aiosqlite

from crawler.errors import StoreRefused
from crawler.store import item_marks, views

APPLICATION_ID = 0x43724B70  # "CrKp", in the file's header
MIGRATIONS = sorted((Path(__file__).parent / "migrations").glob("[0-9]*.sql"))
VERSION = len(MIGRATIONS)
_HEADER = (
    "PRAGMA user_version",
    "PRAGMA application_id",
    "SELECT count(*) FROM sqlite_master",
)


async def migrate(db: aiosqlite.Connection, path: Path) -> None:
    """Bring the file to `VERSION`, each step in one transaction, then its views to the code's.

    StoreRefused for a file of a newer version, and for another program's database.
    """
    header = [next(iter(await db.execute_fetchall(sql)))[0] for sql in _HEADER]
    version, _, tables = _known(path, *header)
    if not tables:
        await db.execute_fetchall("PRAGMA page_size = 4096")
    # Says now, not at the first commit, that the file cannot be written, and waits for another
    # writer, for whom a change of the journal does not.
    await db.execute_fetchall("BEGIN IMMEDIATE")
    await db.execute_fetchall(f"PRAGMA user_version = {version}")
    await db.execute_fetchall("ROLLBACK")
    await db.execute_fetchall("PRAGMA journal_mode = WAL")
    for script in _scripts(version):
        await db.executescript(script)
    entries = [tuple(entry) for entry in await db.execute_fetchall(views.ENTRIES)]
    rows = [tuple(row) for row in await db.execute_fetchall(views.ROWS)] if _counts(entries) else []
    if script := views.script(entries, rows):
        await db.executescript(script)
    types = await db.execute_fetchall(item_marks.TYPES)
    if script := item_marks.script(entries, [tuple(row) for row in types]):
        await db.executescript(script)


def migrate_now(db: sqlite3.Connection, path: Path) -> None:
    """Bring a file that is a store to `VERSION`, as `migrate` does."""
    version, _, _ = _known(path, *(db.execute(sql).fetchone()[0] for sql in _HEADER))
    for script in _scripts(version):
        db.executescript(script)
    entries = list(db.execute(views.ENTRIES))
    rows = list(db.execute(views.ROWS)) if _counts(entries) else []
    if script := views.script(entries, rows):
        db.executescript(script)
    if script := item_marks.script(entries, db.execute(item_marks.TYPES)):
        db.executescript(script)


def made() -> Iterator[str]:
    """Yield what makes the tables of a store in a new file."""
    return _scripts(0)


def _counts(entries: list[views.Entry]) -> bool:
    """Return whether a file has our table of outcomes."""
    return any(name == "outcomes" and views.is_ours(sql) for _, name, sql in entries)


def _known(path: Path, version: int, application: int, tables: int) -> tuple[int, int, int]:
    """Return the header of a file that this version may write; StoreRefused for any other."""
    if version > VERSION:
        raise StoreRefused(
            f"{path}: made by a newer Crawlkeep (schema {version}, this one knows {VERSION});"
            " upgrade crawlkeep or choose another --store"
        )
    if tables and application != APPLICATION_ID:
        raise StoreRefused(f"{path}: an SQLite database, but not a crawl's; choose another --store")
    return version, application, tables


def _scripts(version: int) -> Iterator[str]:
    """Yield what brings a file of a version to `VERSION`, step by step, and a new file at once."""
    pending = list(enumerate(MIGRATIONS, start=1))[version:]
    for steps in [[step] for step in pending] if version else [pending]:
        script = "\n".join(file.read_text(encoding="utf-8") for _, file in steps)
        yield (
            f"BEGIN IMMEDIATE;\n{script}\nPRAGMA application_id = {APPLICATION_ID};"
            f"\nPRAGMA user_version = {steps[-1][0]};\nCOMMIT;"
        )
