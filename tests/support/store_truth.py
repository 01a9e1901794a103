"""What the tables of a store come to: every counter is held against them, and no record is twice.

`check` is called by tests after whatever has written into a store, killed or not.
"""

import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

STORED = "outcome IN ('ok', 'spider_error', 'parse_timeout', 'parse_crashed')"

COUNTED = {
    "counters outcome.*": (
        "SELECT substr(name, 9), value FROM counters WHERE name LIKE 'outcome.%'",
        "SELECT outcome, count(*) FROM pages GROUP BY outcome",
    ),
    "counters retry.*": (
        "SELECT substr(name, 7), value FROM counters WHERE name LIKE 'retry.%'",
        "SELECT outcome, count(*) FROM attempts GROUP BY outcome",
    ),
    "crawl.pages": (
        "SELECT value FROM crawl WHERE key = 'pages' AND value > 0",
        f"SELECT count(*) FROM pages WHERE {STORED} HAVING count(*) > 0",
    ),
    "hosts.pages": (
        "SELECT host_id, pages FROM hosts WHERE pages <> 0",
        f"SELECT host_id, count(*) FROM pages WHERE {STORED} GROUP BY host_id",
    ),
    "hosts.pending": (
        "SELECT host_id, pending FROM hosts WHERE pending <> 0",
        "SELECT host_id, count(*) FROM todo GROUP BY host_id",
    ),
    "revisits.changes": (
        "SELECT page_id, changes FROM revisits WHERE changes > 0",
        "SELECT page_id, count(*) FROM changes WHERE kind NOT IN ('touched', 'failed')"
        " AND page_id IN (SELECT page_id FROM revisits) AND (kind <> 'new' OR outcome_before"
        " IS NOT NULL) GROUP BY page_id",
    ),
    "runs.pages of the last run": (
        "SELECT pages FROM runs ORDER BY run_id DESC LIMIT 1",
        f"SELECT count(*) FROM pages WHERE {STORED} AND run_id = (SELECT max(run_id) FROM runs)",
    ),
    "runs.errors of the last run": (
        "SELECT errors FROM runs ORDER BY run_id DESC LIMIT 1",
        "SELECT (SELECT count(*) FROM errors WHERE run_id = last)"
        " + (SELECT count(*) FROM changes WHERE run_id = last AND kind = 'failed')"
        " FROM (SELECT max(run_id) AS last FROM runs)",
    ),
    "a body without its page, or with one that has none": (
        "SELECT page_id FROM bodies",
        "SELECT page_id FROM pages WHERE content_hash IS NOT NULL AND " + STORED,
    ),
    "an index that does not follow its texts": (
        "SELECT rowid FROM search",
        "SELECT page_id FROM texts",
    ),
}
"""A counter, and the same from the tables."""

NONE = {
    "a recrawl with pages to queue and nothing queued": "SELECT count(*) FROM revisit_queue"
    " HAVING count(*) > 0 AND NOT EXISTS (SELECT 1 FROM todo)",
    "seen, but neither queued nor done": (
        "SELECT host_id, url_hash FROM seen EXCEPT SELECT host_id, url_hash FROM pages"
        " EXCEPT SELECT host_id, url_hash FROM todo"
    ),
    "queued or done, but not seen": (
        "SELECT host_id, url_hash FROM (SELECT host_id, url_hash FROM pages UNION"
        " SELECT host_id, url_hash FROM todo) EXCEPT SELECT host_id, url_hash FROM seen"
    ),
    "queued twice": "SELECT url FROM todo GROUP BY host_id, url_hash HAVING count(*) > 1",
    "a file without its page": (
        "SELECT url FROM files WHERE page_id NOT IN (SELECT page_id FROM pages)"
    ),
    "links without their page": (
        "SELECT page_id FROM link_lists WHERE page_id NOT IN (SELECT page_id FROM pages)"
    ),
    "texts without their page": (
        "SELECT page_id FROM texts WHERE page_id NOT IN (SELECT page_id FROM pages)"
    ),
    "a queued number that will be given again": (
        "SELECT seq FROM todo WHERE seq >= (SELECT value FROM crawl WHERE key = 'next_seq')"
    ),
    "a page's number that will be given again": (
        "SELECT page_id FROM pages WHERE page_id >="
        " (SELECT value FROM crawl WHERE key = 'next_page_id')"
    ),
    "a known page queued as a new one, or the other way round": (
        "SELECT url, again FROM todo WHERE (again = 2) <> EXISTS (SELECT 1 FROM pages"
        f" WHERE pages.host_id = todo.host_id AND pages.url_hash = todo.url_hash AND {STORED})"
    ),
    "a request twice, which only a forced one may be": (
        "SELECT url FROM pages GROUP BY host_id, url_hash HAVING count(*) > 1"
    ),
    "a problem told twice": (
        "SELECT page_id, value FROM problems GROUP BY page_id, item, reason, value"
        " HAVING count(*) > 1"
    ),
    "a version twice": (
        "SELECT page_id, fetched_at FROM page_versions GROUP BY 1, 2 HAVING count(*) > 1"
    ),
    "a change told twice": "SELECT url, at FROM changes GROUP BY page_id, at HAVING count(*) > 1",
}
"""What must not be."""


def check(store: Path) -> None:
    """Fail with the name of each counter that is not what the tables say."""
    wrong = []
    with closing(sqlite3.connect(store)) as db:
        for name, (counted, told) in COUNTED.items():
            here, there = (Counter(db.execute(sql).fetchall()) for sql in (counted, told))
            if here != there:
                wrong.append(f"{name}: {here - there} should be {there - here}")
        for name, sql in NONE.items():
            if rows := db.execute(sql).fetchmany(5):
                wrong.append(f"{name}: {rows}")
        wrong += _items(db)
        [(health,)] = db.execute("PRAGMA integrity_check").fetchall()
    if health != "ok":
        wrong.append(health)
    assert not wrong, f"{store}: " + "\n".join(wrong)


def _items(db: sqlite3.Connection) -> list[str]:
    """Give what is wrong with the tables of items: their columns, a key twice, one of no page."""
    wrong = []
    for name, columns, key in db.execute("SELECT name, columns, key FROM item_types").fetchall():
        there = {row[1] for row in db.execute(f'PRAGMA table_info("{name}")')}
        if missing := json.loads(columns).keys() - there:
            wrong.append(f"{name}: item_types has {missing}, the table has not")
        orphans = f'SELECT page_url FROM "{name}" WHERE page_id NOT IN (SELECT page_id FROM pages)'
        if rows := db.execute(orphans).fetchmany(3):
            wrong.append(f"{name}: items of no page: {rows}")
        if names := ", ".join(f'"{each}"' for each in json.loads(key)):
            twice = f'SELECT {names} FROM "{name}" GROUP BY {names} HAVING count(*) > 1'
            if rows := db.execute(twice).fetchmany(3):
                wrong.append(f"{name}: a key twice: {rows}")
    return wrong
