"""A store that another program holds: told of, waited for as long as a key says, left by Ctrl-C."""

import asyncio
import logging
import signal
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_story import Desk, ServedSite
from data_story import FAST, SmallWeb, crawl, on_web, page, rows

from crawler import Crawler, SiteSpider
from crawler.errors import StoreLocked
from crawler.inspect import query, search
from crawler.inspect.query import Reader
from crawler.store import lock, requeue


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    store = tmp_path / "a.db"

    async def tell(web: SmallWeb) -> None:
        web.add("/", page("home", "/b"))
        await crawl(store, SiteSpider(web.url + "/"))

    on_web(tell)
    return store


@pytest.fixture
def held(stored: Path) -> Iterator[Path]:
    """A store that another program writes into, and does not come to an end."""
    other = sqlite3.connect(stored, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield stored
    other.close()


FASTER = ["--set", "politeness.delay=0", "--set", "engine.grace=1"]
WRITERS: dict[str, Any] = {
    "retry": lambda store: requeue.retry(store, lock_timeout=0.2),
    "recrawl": lambda store: requeue.recrawl(store, "2999-01-01", lock_timeout=0.2),
    "the state of a recrawl": lambda store: requeue.under_way(store, lock_timeout=0.2),
    "search --index": lambda store: search.index(store, lock_timeout=0.2),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_command_waits_as_long_as_the_key_says(held: Path, name: str) -> None:
    with pytest.raises(StoreLocked, match=r"a\.db: locked by another program.*lock_timeout"):
        WRITERS[name](held)


def test_a_crawl_waits_as_long_as_the_key_says(held: Path) -> None:
    async def tell(web: SmallWeb) -> None:
        settings = {**FAST, "store": {"lock_timeout": 0.2}}
        with pytest.raises(StoreLocked):
            async with Crawler(SiteSpider(web.url), store=held, settings=settings):
                pass

    on_web(tell)


def test_a_long_wait_is_told_of_once(
    held: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "_TOLD_AFTER", 0.1)
    with caplog.at_level(logging.WARNING), pytest.raises(StoreLocked):
        requeue.retry(held, lock_timeout=0.6)
    [told] = [record.getMessage() for record in caplog.records]
    assert "waiting for it up to 1 s (store.lock_timeout)" in told


def test_a_reader_waits_for_an_exclusive_lock_too(
    stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query, "_BUSY", 0.2)
    other = sqlite3.connect(stored, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreLocked):
        Reader(stored)
    other.close()


def test_an_interrupt_ends_the_wait_and_the_crawl_can_be_resumed(tmp_path: Path) -> None:
    """Stopped as by the first Ctrl-C, while a commit waits for a minute."""
    store = tmp_path / "a.db"

    async def tell(web: SmallWeb) -> None:
        for number in range(20):
            web.add(f"/{number}", page(str(number), f"/{number + 1}"))
        other = sqlite3.connect(store, isolation_level=None)
        async with asyncio.timeout(20):
            async with Crawler(SiteSpider(web.url + "/0"), store=store, settings=FAST) as crawler:

                def hold(visits: list[Any], committed: Any) -> None:
                    if visits and not other.in_transaction:
                        other.execute("BEGIN IMMEDIATE")
                        asyncio.get_running_loop().call_later(0.2, crawler.stop)

                crawler.on_commit(hold)
                summary = await crawler.run()
                assert (summary.state, summary.reason) == ("interrupted", "interrupted")
        other.close()
        async with Crawler(SiteSpider(web.url + "/0"), store=store, settings=FAST) as crawler:
            await crawler.run()
        assert rows(store, "SELECT count(*) FROM pages WHERE outcome = 'ok'") == [(20,)]

    on_web(tell)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="another kind of signals")
def test_one_sigint_ends_a_waiting_command_with_130(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with ServedSite() as site:
        site.hold("/page/2/")
        words = ["run", "quotes", "-a", f"base={site.url}", "--store", "a.db"]
        with desk.start(*words, "--log-level", "debug", *FASTER) as running:
            running.hear(" ok 200 ")
            other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            site.let_go()
            threading.Event().wait(0.3)
            running.signal()
            done = running.end()
            other.close()
    assert done.code == 130
    assert "interrupted" in done.out
