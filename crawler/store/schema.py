"""The schema of the SQLite store: its version, its migrations, and whose file it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import aiosqlite

from crawler.errors import StoreRefused

APPLICATION_ID = 0x43724B70  # "CrKp", in the file's header
MIGRATIONS = sorted((Path(__file__).parent / "migrations").glob("[0-9]*.sql"))
VERSION = len(MIGRATIONS)
_HEADER = (
    "PRAGMA user_version",
    "PRAGMA application_id",
    "SELECT count(*) FROM sqlite_master",
)


async def migrate(db: aiosqlite.Connection, path: Path) -> None:
    """Bring the file to `VERSION`, each step in one transaction.

    StoreRefused for a file of a newer version, and for another program's database.
    """
    header = [next(iter(await db.execute_fetchall(sql)))[0] for sql in _HEADER]
    version, _, tables = _known(path, *header)
    if not tables:
        await db.execute_fetchall("PRAGMA page_size = 4096")
    await db.execute_fetchall("PRAGMA journal_mode = WAL")
    # Says now, not at the first commit, that the file cannot be written.
    await db.execute_fetchall("BEGIN IMMEDIATE")
    await db.execute_fetchall(f"PRAGMA user_version = {version}")
    await db.execute_fetchall("ROLLBACK")
    for script in _scripts(version):
        await db.executescript(script)


def migrate_now(db: sqlite3.Connection, path: Path) -> None:
    """Bring a file that is a store to `VERSION`, as `migrate` does."""
    version, _, _ = _known(path, *(db.execute(sql).fetchone()[0] for sql in _HEADER))
    for script in _scripts(version):
        db.executescript(script)


def _known(path: Path, version: int, application: int, tables: int) -> tuple[int, int, int]:
    """Give the header of a file that this version may write; StoreRefused for any other."""
    if version > VERSION:
        raise StoreRefused(
            f"{path}: made by a newer Crawlkeep (schema {version}, this one knows {VERSION});"
            " upgrade crawlkeep or choose another --store"
        )
    if tables and application != APPLICATION_ID:
        raise StoreRefused(f"{path}: an SQLite database, but not a crawl's; choose another --store")
    return version, application, tables


def _scripts(version: int) -> Iterator[str]:
    """Yield what brings a file of a version to `VERSION`, step by step."""
    for number, file in enumerate(MIGRATIONS[version:], start=version + 1):
        script = file.read_text(encoding="utf-8")
        yield (
            f"BEGIN IMMEDIATE;\n{script}\nPRAGMA application_id = {APPLICATION_ID};"
            f"\nPRAGMA user_version = {number};\nCOMMIT;"
        )
