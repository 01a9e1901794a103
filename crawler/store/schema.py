"""The schema of the SQLite store: its version, its migrations, and whose file it is."""

from __future__ import annotations

from pathlib import Path

import aiosqlite

from crawler.errors import StoreRefused

APPLICATION_ID = 0x43724B70  # "CrKp", in the file's header
MIGRATIONS = sorted((Path(__file__).parent / "migrations").glob("[0-9]*.sql"))
VERSION = len(MIGRATIONS)


async def migrate(db: aiosqlite.Connection, path: Path) -> None:
    """Bring the file to `VERSION`, each step in one transaction.

    StoreRefused for a file of a newer version, and for another program's database.
    """
    version, application, tables = await _header(db)
    if version > VERSION:
        raise StoreRefused(
            f"{path}: made by a newer Crawlkeep (schema {version}, this one knows {VERSION});"
            " upgrade crawlkeep or choose another --store"
        )
    if tables and application != APPLICATION_ID:
        raise StoreRefused(f"{path}: an SQLite database, but not a crawl's; choose another --store")
    if not tables:
        await db.execute_fetchall("PRAGMA page_size = 4096")
    await db.execute_fetchall("PRAGMA journal_mode = WAL")
    # Says now, not at the first commit, that the file cannot be written.
    await db.execute_fetchall("BEGIN IMMEDIATE")
    await db.execute_fetchall(f"PRAGMA user_version = {version}")
    await db.execute_fetchall("ROLLBACK")
    for number, file in enumerate(MIGRATIONS[version:], start=version + 1):
        script = file.read_text(encoding="utf-8")
        await db.executescript(
            f"BEGIN IMMEDIATE;\n{script}\nPRAGMA application_id = {APPLICATION_ID};"
            f"\nPRAGMA user_version = {number};\nCOMMIT;"
        )


async def bring_up_to_date(path: Path) -> None:
    """Migrate a file that is claimed; StoreRefused as `migrate` says."""
    async with aiosqlite.connect(path, isolation_level=None) as db:
        await migrate(db, path)


async def _header(db: aiosqlite.Connection) -> tuple[int, int, int]:
    values = []
    for sql in (
        "PRAGMA user_version",
        "PRAGMA application_id",
        "SELECT count(*) FROM sqlite_master",
    ):
        [row] = await db.execute_fetchall(sql)
        values.append(int(row[0]))
    return values[0], values[1], values[2]
