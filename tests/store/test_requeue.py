"""Queueing pages again: in the database alone, with what their requests carried."""

import json
import sqlite3
import tracemalloc
from pathlib import Path

import pytest

from crawler.cli.status import story
from crawler.errors import StoreDamaged
from crawler.inspect.status import overview
from crawler.store import requeue, revisit_queue
from crawler.store.copying import copy
from crawler.store.schema import migrate_now

NOW = "2030-01-01T00:00:00.000Z"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "crawl.db"
    db = sqlite3.connect(path, isolation_level=None)
    migrate_now(db, path)
    db.execute("INSERT INTO hosts (host_id, name) VALUES (1, 'http://a.example')")
    db.close()
    return path


RECRAWLED = {"headers": {"If-None-Match": 'W/"\\', "If-Modified-Since": "Mon"}}


def fill(path: Path, number: int, **values: str | None) -> None:
    """Store so many pages, each a URL of its own."""
    row: dict[str, object] = {"outcome": "ok", "headers": None, "request": None, **values}
    with sqlite3.connect(path) as db:
        db.executemany(
            "INSERT INTO pages (url, outcome, depth, fetched_at, attempts, run_id, host_id,"
            " url_hash, headers, request) VALUES ('http://a.example/' || :n, :outcome, 1,"
            " '2026-01-01T00:00:00.000Z', 1, 1, 1, :n, :headers, :request)",
            ({**row, "n": n} for n in range(number)),
        )


def queued(path: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(path) as db:
        return db.execute("SELECT seq, url, extra, again FROM todo ORDER BY seq").fetchall()


@pytest.mark.parametrize(
    ("headers", "carried", "extra"),
    [
        ({"Server": "x"}, None, None),
        ({"ETag": '"a\\b"'}, None, {"headers": {"If-None-Match": '"a\\b"'}}),
        ({"etag": ""}, None, None),
        (
            {"Last-modified": "Mon", "X": '"etag": "no"', "Etag": "W/é"},
            None,
            {"headers": {"If-None-Match": "W/é", "If-Modified-Since": "Mon"}},
        ),
        (
            {"ETag": "new"},
            {"hops": ["http://a.example/0"], "headers": {"If-None-Match": "old", "A": "b"}},
            {"headers": {"A": "b", "If-None-Match": "new"}},
        ),
        (None, {"hops": ["http://a.example/0"]}, None),
        ({"ETag": "new"}, RECRAWLED, {"headers": {"If-None-Match": "new"}}),
        (None, RECRAWLED, None),
        (None, {**RECRAWLED, "meta": {"a": 1}}, {"meta": {"a": 1}}),
        (
            {"ETag": "new"},
            {"headers": {**RECRAWLED["headers"], "A": 'b", "C": "d'}},
            {"headers": {"A": 'b", "C": "d', "If-None-Match": "new"}},
        ),
    ],
)
def test_a_request_carries_what_the_first_did_and_the_validators_of_its_page(
    store: Path, headers: object, carried: object, extra: object
) -> None:
    texts = (json.dumps(value) if value else None for value in (headers, carried))
    fill(store, 1, **dict(zip(("headers", "request"), texts, strict=True)))
    assert requeue.recrawl(store, NOW, all_=True) == 1
    [(_, _, found, _)] = queued(store)
    assert (json.loads(str(found)) if found else None) == extra


def test_pages_are_queued_in_the_order_in_which_they_were_found(store: Path) -> None:
    fill(store, 20)
    assert requeue.recrawl(store, NOW, "page_id > 5") == 15
    assert [row[1] for row in queued(store)] == [f"http://a.example/{n}" for n in range(5, 20)]
    with sqlite3.connect(store) as db:
        assert db.execute("SELECT pending FROM hosts").fetchone() == (15,)


def test_what_is_queued_is_not_queued_again(store: Path) -> None:
    fill(store, 3, outcome="server_error")
    assert requeue.retry(store, "page_id = 2") == 1
    assert requeue.retry(store) == 2
    assert requeue.retry(store) == 0
    seqs = [row[0] for row in queued(store)]
    assert len(set(seqs)) == 3


def test_a_long_queue_is_not_held_in_memory(store: Path) -> None:
    fill(store, 4_000, headers=json.dumps({"ETag": "x" * 200}), outcome="server_error")
    tracemalloc.start()
    try:
        assert requeue.retry(store) == 4_000
        assert tracemalloc.get_traced_memory()[1] < 1_000_000  # 250 bytes a page
    finally:
        tracemalloc.stop()


def chosen(path: Path) -> list[int]:
    """Return the pages that a recrawl has still to queue."""
    with sqlite3.connect(path) as db:
        return [row[0] for row in db.execute("SELECT page_id FROM revisit_queue ORDER BY 1")]


def test_of_many_pages_of_a_recrawl_the_first_are_queued(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revisit_queue, "AT_ONCE", 4)
    fill(store, 10)
    assert requeue.recrawl(store, NOW, all_=True) == 4
    assert [row[1] for row in queued(store)] == [f"http://a.example/{n}" for n in range(4)]
    assert chosen(store) == [5, 6, 7, 8, 9, 10]
    assert "queued   4  most: 4 http://a.example; a recrawl queues 6 more" in story(overview(store))
    assert requeue.recrawl(store, NOW) == 4, "what is chosen or queued is not chosen again"
    assert [row[1] for row in queued(store)] == [f"http://a.example/{n}" for n in range(8)]
    assert chosen(store) == [9, 10]
    with sqlite3.connect(store) as db:
        assert db.execute("SELECT pending FROM hosts").fetchone() == (8,)


def test_a_page_that_retry_queues_is_not_queued_by_the_recrawl_once_more(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revisit_queue, "AT_ONCE", 2)
    fill(store, 4, outcome="server_error")
    assert requeue.recrawl(store, NOW, all_=True) == 2
    assert requeue.retry(store) == 2
    assert chosen(store) == []
    assert sorted(row[1] for row in queued(store)) == [f"http://a.example/{n}" for n in range(4)]


def test_a_request_that_cannot_be_read_leaves_no_page_chosen(store: Path) -> None:
    fill(store, 2)
    with sqlite3.connect(store) as db:
        db.execute("UPDATE pages SET request = '{' WHERE page_id = 2")
    with pytest.raises(StoreDamaged, match="page_id 2"):
        requeue.recrawl(store, NOW, all_=True)
    assert chosen(store) == [] == queued(store)
    assert requeue.recrawl(store, NOW, "page_id <> 2", all_=True) == 1


def test_a_copy_has_all_of_a_recrawl_in_its_queue(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revisit_queue, "AT_ONCE", 2)
    fill(store, 7)
    assert requeue.recrawl(store, NOW, all_=True) == 2
    copy(store, store.with_name("copy.db"), lambda *_: None)
    assert [row[1:] for row in queued(store.with_name("copy.db"))] == [
        (f"http://a.example/{n}", None, 2) for n in range(7)
    ]
