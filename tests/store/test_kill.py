"""A crawl that is killed, at any moment and however often, ends as if nothing had happened.

`KILLS=100` (make kill-test) kills a hundred times; the quick suite a few.
"""

import asyncio
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import aiosqlite
import crawl_victim
import pytest
from site_thread import site_on_a_thread

from crawler.errors import StoreError, StoreFull
from crawler.practice import PracticeSite
from crawler.store.contract import CUT_SHORT

KILLS = int(os.environ.get("KILLS", "6"))
# Which calls meet a full disk: all of them, or every third or ninth.
STRIDE = 1 if KILLS >= 100 else 3 if KILLS >= 20 else 9
VICTIM = Path(crawl_victim.__file__)


def build(site: PracticeSite, pages: int) -> str:
    """Add a web with cross links, redirects and dead links."""
    for number in range(pages):
        near = [f"/k/{(number * step + 1) % pages}" for step in (2, 3, 5)]
        odd = [f"/k/old/{number}", f"/k/gone/{number % 7}"] if number % 3 == 0 else []
        site.add_links(
            f"/k/{number}", [f"/k/{(number + 1) % pages}", *near, *odd], title=f"{number}"
        )
        site.add_redirect(f"/k/old/{number}", f"/k/{(number + 7) % pages}", status=301)
    return site.at("/k/0")


@pytest.fixture
def swift_path() -> Iterator[Path]:
    """A directory in memory where there is one: hundreds of stores are made in it."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as directory:
        yield Path(directory)


def outcome_of(store: Path) -> dict[str, object]:
    """Everything that a crawl has left, in an order that does not depend on its course."""
    with sqlite3.connect(store) as db:
        queries = {
            "pages": "SELECT url, status, outcome, title, content_hash FROM pages",
            "links": "SELECT source, target, position FROM links",
            "items": "SELECT url, title, page_url FROM seen_item",
            "drafts": "SELECT url, version FROM draft",
            "history": "SELECT url, version FROM draft_history",
            "texts": "SELECT url, title, text FROM texts",
            "search": "SELECT rowid IS NULL FROM search WHERE search MATCH 'k OR 1 OR 2 OR 3'",
            "bodies": "SELECT url FROM bodies JOIN pages USING (page_id)",
            "counters": "SELECT * FROM counters WHERE name LIKE 'outcome.%'"
            " OR name LIKE 'spider.%'",
            "crawl": "SELECT * FROM crawl WHERE key IN ('seeded', 'pages')",
            "hosts": "SELECT name, pending, pages FROM hosts",
            "todo": "SELECT url FROM todo",
        }
        found = {name: sorted(db.execute(sql).fetchall()) for name, sql in queries.items()}
        [(found["check"],)] = db.execute("PRAGMA integrity_check").fetchall()
        [(seen,)] = db.execute("SELECT count(*) FROM seen").fetchall()
        state = db.execute("SELECT value FROM crawl WHERE key = 'state'").fetchall()
    db.close()
    assert seen == len(found["pages"]), "seen, but neither queued nor done"
    urls = [row[0] for row in found["pages"]]
    assert len(urls) == len(set(urls)), "a page twice"
    for (text,) in state:  # committed with the pages: neither one less nor one twice
        assert sorted(json.loads(text)["urls"]) == sorted(row[0] for row in found["items"])
    counted = dict(found["counters"])["spider.parsed"]
    assert counted == len(found["items"]), "what a page counted is stored with it, once"
    assert found["check"] == "ok"
    assert found["todo"] == []
    return found


def killed_again_and_again(
    url: str, store: Path, kills: int, seed: int, mode: str = "crawl"
) -> int:
    """Start a crawl until it ends by itself, and kill it up to `kills` times; give how often."""
    dice, done = random.Random(seed), 0
    while True:
        victim = subprocess.Popen(
            [sys.executable, VICTIM, mode, url, store], stdout=subprocess.PIPE
        )
        with victim:
            victim.stdout.readline()
            if done == kills:
                assert victim.wait(60) == 0
                return done
            try:
                assert victim.wait(dice.uniform(0.0, 0.4)) == 0
                return done
            except subprocess.TimeoutExpired:
                victim.send_signal(signal.SIGKILL)
                done += 1


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_crawl_killed_at_random_moments_ends_like_an_undisturbed_one(tmp_path):
    with site_on_a_thread(robots=False, latency=0.004) as site:
        url = build(site, 200)
        asyncio.run(crawl_victim.crawl(url, tmp_path / "undisturbed.db"))
        expected = outcome_of(tmp_path / "undisturbed.db")
        assert len(expected["pages"]) > 250
        left, number = KILLS, 0
        while left > 0:
            number += 1
            store = tmp_path / f"{number}.db"
            left -= killed_again_and_again(url, store, min(left, 6), seed=number)
            assert outcome_of(store) == expected


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_crawl_killed_before_any_of_its_calls_to_the_database_loses_nothing(swift_path):
    with site_on_a_thread(robots=True) as site:
        url = build(site, 4)
        asyncio.run(crawl_victim.crawl(url, swift_path / "undisturbed.db"))
        expected = outcome_of(swift_path / "undisturbed.db")
        (swift_path / "points").mkdir()
        command = [sys.executable, VICTIM, "points", url, swift_path / "points"]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=120)
        assert int(done.stdout) > 30
        stores = list((swift_path / "points").glob("*.db"))
        assert len(stores) > 10
        for store in stores:
            assert outcome_of(store) == expected, store


def test_a_store_that_fails_at_any_call_stops_the_crawl_with_its_own_error(swift_path, monkeypatch):
    """Whichever call meets the full disk, StoreFull is raised as it is; the crawl is resumed."""

    def full():
        raise sqlite3.OperationalError("database or disk is full")

    with site_on_a_thread(robots=False) as site:
        url = build(site, 6)
        asyncio.run(crawl_victim.crawl(url, swift_path / "undisturbed.db"))
        expected = outcome_of(swift_path / "undisturbed.db")
        for number in range(1, 200, STRIDE):
            store = swift_path / f"{number}.db"
            with monkeypatch.context() as patched:
                patched.setattr(aiosqlite.Connection, "_execute", aiosqlite.Connection._execute)
                crawl_victim.before_call(number, full)
                try:
                    asyncio.run(crawl_victim.crawl(url, store))
                except StoreError as error:
                    assert isinstance(error, StoreFull), (number, error)
                    assert str(store) in str(error)
                else:
                    break
            asyncio.run(crawl_victim.crawl(url, store))
            assert outcome_of(store) == expected, number
        assert number > 30


def build_chains(site: PracticeSite, chains: int, length: int) -> str:
    """Add texts that change by a word from page to page, so that a chain's ends are far apart."""
    pages = [(chain, step) for chain in range(chains) for step in range(length)]
    random.Random(11).shuffle(pages)
    site.add_links("/n", [f"/n/{chain}/{step}" for chain, step in pages], title="all")
    for chain, step in pages:
        words = [f"w{chain}x{n}" for n in range(80)]
        words[: 2 * step] = [f"v{chain}y{n}" for n in range(2 * step)]
        site.add_page(f"/n/{chain}/{step}", f"<p>{' '.join(words)}</p>")
    return site.at("/n")


def marks_of(store: Path) -> dict[str, str | None]:
    """Return of each page which it is marked as a duplicate of."""
    with sqlite3.connect(store) as db:
        found = dict(db.execute("SELECT url, duplicate_of FROM pages").fetchall())
    db.close()
    return found


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_near_duplicates_are_the_same_after_kills(tmp_path):
    with site_on_a_thread(robots=False, latency=0.004) as site:
        url = build_chains(site, 20, 8)
        asyncio.run(crawl_victim.crawl(url, tmp_path / "undisturbed.db", crawl_victim.NEAR))
        expected = marks_of(tmp_path / "undisturbed.db")
        new = [page for page, mark in expected.items() if mark is None]
        assert len(expected) == 161 and 21 < len(new) < 100, "chains of near ones, some broken"
        left, number = KILLS, 0
        while left > 0:
            number += 1
            store = tmp_path / f"{number}.db"
            left -= killed_again_and_again(url, store, min(left, 6), number, "near")
            assert marks_of(store) == expected


@pytest.mark.parametrize("state", CUT_SHORT)
def test_what_is_done_at_the_end_is_done_by_the_run_after_one_that_was_cut_short(tmp_path, state):
    store = tmp_path / "x.db"
    with site_on_a_thread(robots=False) as site:
        url = build_chains(site, 3, 4)
        asyncio.run(crawl_victim.crawl(url, store, crawl_victim.NEAR))
        expected = marks_of(store)
        assert set(expected.values()) > {None}
        with closing(sqlite3.connect(store, isolation_level=None)) as db:
            db.execute("UPDATE pages SET duplicate_of = NULL")
            db.execute("UPDATE runs SET state = ?, ended_at = NULL", (state,))
        known = len(site.hits)
        assert asyncio.run(crawl_victim.crawl(url, store, crawl_victim.NEAR)).state == "finished"
        assert marks_of(store) == expected and len(site.hits) == known
        again = asyncio.run(crawl_victim.crawl(url, store, crawl_victim.NEAR))
        assert again.reason == "nothing_to_do"
