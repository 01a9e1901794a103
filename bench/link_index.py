"""What an index of links by target costs a page: as a table, as sorted blobs, as FTS5 segments.

    .venv/bin/python bench/link_index.py --pages 200000 --links 30

Half of the links of each page are the same on all pages, as a menu is; the other half are random.
CPU µs a page, hashing included, beside the row of `link_lists`; then what a question costs.
"""

import argparse
import array
import json
import random
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from xxhash import xxh3_64_hexdigest, xxh3_64_intdigest

AT_ONCE = 200  # pages in one commit
KINDS = {
    "no index": "",
    "fts5": "CREATE VIRTUAL TABLE back USING"
    " fts5(t, content='', detail=none, columnsize=0, tokenize='ascii')",
    "blobs": "CREATE TABLE back (id INTEGER PRIMARY KEY, pairs BLOB)",
    "b-tree": "CREATE TABLE back (hash INTEGER, page INTEGER, PRIMARY KEY (hash, page))"
    " WITHOUT ROWID",
}
Part = list[tuple[int, list[str]]]


def url(number: int) -> str:
    return f"https://host{number % 1000}.example.com/section/{number // 1000}/page.html"


def parts(pages: int, links: int) -> Iterator[Part]:
    """Yield pages with their links, as many as one commit has."""
    chosen = random.Random(1)
    menu = [f"https://a.example/menu/{number}.html" for number in range(links // 2)]
    for start in range(1, pages + 1, AT_ONCE):
        yield [
            (page, [*menu, *(url(chosen.randrange(1000 + 5 * page)) for _ in menu)])
            for page in range(start, start + AT_ONCE)
        ]


def store(db: sqlite3.Connection, kind: str, part: Part) -> None:
    db.execute("BEGIN IMMEDIATE")
    lists = [(page, json.dumps(links)) for page, links in part]
    db.executemany("INSERT INTO link_lists VALUES (?, ?)", lists)
    if kind == "fts5":
        words = [
            (page, " ".join([xxh3_64_hexdigest(each.encode()) for each in set(links)]))
            for page, links in part
        ]
        db.executemany("INSERT INTO back (rowid, t) VALUES (?, ?)", words)
    elif kind != "no index":
        pairs = sorted(
            (xxh3_64_intdigest(each.encode()) - (1 << 63), page)
            for page, links in part
            for each in set(links)
        )
        if kind == "b-tree":
            db.executemany("INSERT INTO back VALUES (?, ?)", pairs)
        else:
            blob = array.array("q", [value for pair in pairs for value in pair]).tobytes()
            db.execute("INSERT INTO back (pairs) VALUES (?)", (blob,))
    db.execute("COMMIT")


def measured(kind: str, pages: int, links: int, directory: str) -> float:
    """Return CPU µs a page, and print what questions cost."""
    db = sqlite3.connect(Path(directory, f"{kind}.db"), isolation_level=None)
    for setting in ("journal_mode = WAL", "wal_autocheckpoint = 12000", "cache_size = -16000"):
        db.execute(f"PRAGMA {setting}")
    db.execute("CREATE TABLE link_lists (page_id INTEGER PRIMARY KEY, targets TEXT NOT NULL)")
    db.execute(KINDS[kind])
    spent = 0.0
    for part in parts(pages, links):
        before = time.process_time()
        store(db, kind, part)
        spent += time.process_time() - before
    if kind == "fts5":
        db.execute("CREATE VIRTUAL TABLE words USING fts5vocab('back', 'row')")
        asked = (
            "SELECT count(*) FROM back WHERE back MATCH ?",
            (xxh3_64_hexdigest(url(5).encode()),),
        )
        for sql, values in (asked, ("SELECT count(*), sum(doc) FROM words", ())):
            before = time.perf_counter()
            db.execute(sql, values).fetchall()
            print(f"{sql}: {time.perf_counter() - before:.4f} s")
    db.close()
    return spent / pages * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, default=200_000)
    parser.add_argument("--links", type=int, default=30)
    parser.add_argument("--kinds", nargs="*", choices=list(KINDS), default=list(KINDS))
    options = parser.parse_args()
    for kind in options.kinds:
        with TemporaryDirectory() as directory:
            spent = measured(kind, options.pages, options.links, directory)
        print(f"{kind}: {spent:.1f} µs a page", flush=True)


if __name__ == "__main__":
    main()
