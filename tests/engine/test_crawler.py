"""Crawls inside other programs: several at once, page by page, stopped, cancelled, watched."""

import asyncio
import gc
import os
import sqlite3
import subprocess
import sys
import threading
import time

import aiohttp
import crawl_victim
import pytest
from aiohttp import web
from crawl_story import Follow, crawl, crawler_of, read, stored, story
from site_thread import site_on_a_thread

import crawler as package
from crawler import Request, Spider
from crawler.errors import SpiderError, StoreClaimed
from crawler.practice import PracticeSite
from crawler.store.rows import unpack


def ring(site: PracticeSite, pages: int, name: str = "r") -> str:
    """Add pages that lead from one to the next and to the one after."""
    for n in range(pages):
        targets = [f"/{name}/{(n + 1) % pages}", f"/{name}/{(n + 2) % pages}"]
        site.add_links(f"/{name}/{n}", targets)
    return site.at(f"/{name}/0")


# ---------------------------------------------------------------- at once


@story()
async def test_two_crawls_in_one_process_do_not_touch_each_other(site, path):
    first, second = await asyncio.gather(
        crawl(ring(site, 30, "x"), path / "x.db"), crawl(ring(site, 20, "y"), path / "y.db")
    )
    assert (first.pages, second.pages) == (30, 20)
    assert all(page.startswith("/x/") for page in stored(path / "x.db", site))
    assert all(page.startswith("/y/") for page in stored(path / "y.db", site))


@story()
async def test_a_web_handler_can_run_a_crawl(site, path):
    url = ring(site, 5)

    async def handler(request: web.Request) -> web.Response:
        summary = await crawl(request.query["url"], path / request.query["name"])
        return web.json_response({"pages": summary.pages})

    app = web.Application()
    app.router.add_get("/crawl", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    here = f"http://127.0.0.1:{runner.addresses[0][1]}/crawl"

    async def ask(name: str) -> int:
        query = {"url": url, "name": name}
        async with aiohttp.ClientSession() as client, client.get(here, params=query) as answer:
            return (await answer.json())["pages"]

    try:
        assert await asyncio.gather(ask("a.db"), ask("b.db")) == [5, 5]
    finally:
        await runner.cleanup()


def test_crawl_is_the_whole_thing_in_one_call_without_a_loop(tmp_path):
    with site_on_a_thread(robots=False) as site:
        url, calm = ring(site, 9), {"politeness": {"delay": 0.0}}
        summary = package.crawl(url, store=tmp_path / "s.db", max_pages=4, settings=calm)
        assert (summary.pages, summary.reason) == (4, "max_pages")


def test_crawls_on_several_threads_share_nothing(tmp_path):
    body = os.urandom(200_000).hex()
    with site_on_a_thread(robots=False) as site:
        for n in range(12):
            links = f'<a href="/big/{(n + 1) % 12}">next</a>'
            site.add_page(f"/big/{n}", f"<title>{n}</title>{links}<p>{body}")
        url, calm = site.at("/big/0"), {"politeness": {"delay": 0.0}}

        def one(name: str) -> None:
            package.crawl(url, store=tmp_path / name, settings=calm)

        threads = [threading.Thread(target=one, args=(f"{n}.db",)) for n in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for n in range(3):
        packed = read(tmp_path / f"{n}.db", "SELECT body FROM bodies")
        bodies = [unpack(each) for each in packed]
        assert len(bodies) == 12
        assert all(each.endswith(body.encode()) for each in bodies)


# ---------------------------------------------------------------- page by page


@story()
async def test_pages_are_given_one_by_one_each_after_it_is_stored(site, path):
    async with crawler_of(ring(site, 25), path / "s.db") as crawler:
        seen = []
        async for page in crawler.pages():
            seen.append(page.url)
            assert read(path / "s.db", f"SELECT 1 FROM pages WHERE url = '{page.url}'") == [1]
            assert page.soup.title.string.startswith("/r/")
        assert crawler.finished
    assert len(seen) == len(set(seen)) == 25


@story(latency=0.005)
async def test_leaving_the_iteration_early_ends_the_run_and_the_rest_is_resumed(site, path):
    url = ring(site, 25)
    async with crawler_of(url, path / "s.db", engine__workers=2) as crawler:
        async for page in crawler.pages():
            if page.url.endswith("/5"):
                break
    before = stored(path / "s.db", site)
    assert 1 <= len(before) < 25
    assert read(path / "s.db", "SELECT state FROM runs") == ["interrupted"]
    await crawl(url, path / "s.db")
    after = stored(path / "s.db", site)
    assert len(after) == len(set(after)) == 25
    gc.collect()


@story()
async def test_a_consumer_that_is_slower_than_the_crawl_gets_every_page(site, path, monkeypatch):
    monkeypatch.setattr(
        sys.modules["crawler.engine.crawler"], "_BACKLOG", 5
    )  # pages that may wait to be taken
    async with crawler_of(ring(site, 60), path / "s.db", store__flush_visits=3) as crawler:
        seen = []
        async for page in crawler.pages():
            for _ in range(30):
                await asyncio.sleep(0)
            seen.append(page.url)
    assert len(set(seen)) == len(seen) == 60


# ---------------------------------------------------------------- stopped


@story(latency=0.01)
async def test_a_stopped_crawl_stores_what_is_in_flight_and_goes_on_later(site, path):
    url = ring(site, 40)
    async with crawler_of(url, path / "s.db") as crawler:
        crawler.on_commit(lambda *_: crawler.stop() if crawler.stats.pages >= 5 else None)
        summary = await crawler.run()
    assert (summary.state, summary.reason) == ("interrupted", "interrupted")
    assert 5 <= summary.pages < 40
    assert summary.pages == len(site.hits) - 1  # nothing that was fetched is thrown away
    again = await crawl(url, path / "s.db")
    assert again.resumed
    assert again.total_pages == 40
    assert len(stored(path / "s.db", site)) == len(set(stored(path / "s.db", site))) == 40


@story()
async def test_a_stop_waits_for_requests_in_flight_only_as_long_as_the_grace(site, path):
    site.add_links("/a", ["/never", "/b"])
    site.hold("/never")
    site.add_page("/b", "x")
    began = time.monotonic()
    async with crawler_of(site.at("/a"), path / "s.db", engine__grace=0.1) as crawler:
        crawler.on_commit(lambda *_: crawler.stop() if crawler.stats.pages >= 2 else None)
        summary = await crawler.run()
    assert time.monotonic() - began < 15
    assert (summary.state, summary.queued) == ("interrupted", 1)
    assert read(path / "s.db", "SELECT url, attempts FROM todo") == [(site.at("/never"), 0)]


@pytest.mark.parametrize("after", [1, 2, 5, 11])
@story(latency=0.002)
async def test_a_crawl_cancelled_in_the_middle_loses_nothing(site, path, after):
    url = ring(site, 30)
    while True:
        async with crawler_of(url, path / "s.db", store__flush_visits=2) as crawler:
            if crawler.finished:
                break
            run = asyncio.create_task(crawler.run())
            crawler.on_commit(
                lambda *_, crawler=crawler, run=run: (
                    run.cancel() if crawler.stats.pages >= after else None
                )
            )
            await asyncio.gather(run, return_exceptions=True)
            assert run.cancelled() or run.result().state == "finished"
    assert len(stored(path / "s.db", site)) == len(set(stored(path / "s.db", site))) == 30
    assert read(path / "s.db", "PRAGMA integrity_check") == ["ok"]


# ---------------------------------------------------------------- seeds


class Slow(Spider):
    """Its second seed comes only after the page of the first."""

    name = "slow"
    parsed: asyncio.Event
    urls: tuple[str, str]

    async def start(self):
        yield Request(self.urls[0])
        await self.parsed.wait()
        yield Request(self.urls[1])

    def parse(self, page):
        self.parsed.set()


@story()
async def test_the_first_seeds_are_crawled_while_start_still_gives_more(site, path):
    spider = Slow()
    spider.parsed, spider.urls = asyncio.Event(), (site.at("/1"), site.at("/2"))
    spider.start_urls = ()
    site.add_page("/1", "x")
    site.add_page("/2", "x")
    summary = await crawl(spider, path / "s.db", fetch__allow_private=True)
    assert (summary.state, summary.pages) == ("finished", 2)


class Broken(Follow):
    def start(self):
        yield from super().start()
        raise RuntimeError("no more seeds")


@story()
async def test_an_error_in_start_is_raised_as_it_is_and_start_is_asked_again(site, path):
    url = ring(site, 3)
    with pytest.raises(RuntimeError, match="no more seeds"):
        await crawl(Broken, path / "s.db", url)
    assert read(path / "s.db", "SELECT state FROM runs") == ["failed"]
    summary = await crawl(Follow, path / "s.db", url)
    assert (summary.state, summary.total_pages) == ("finished", 3)


class Texts(Follow):
    def start(self):
        return self.start_urls


@story()
async def test_a_start_that_gives_urls_in_place_of_requests_says_so(site, path):
    with pytest.raises(SpiderError, match=r"start\(\) gave 'http.*; give Request\(url\)"):
        await crawl(Texts, path / "s.db", ring(site, 3))


# ---------------------------------------------------------------- beside others


@story()
async def test_a_reader_that_takes_its_time_never_stops_the_crawl(site, path):
    url = ring(site, 120)
    await crawl(url, path / "s.db", engine__max_pages=5)
    reader = sqlite3.connect(path / "s.db", timeout=0)
    rows = reader.execute("SELECT * FROM links")  # a statement that is never read to its end
    rows.fetchone()
    began = time.monotonic()
    summary = await crawl(url, path / "s.db", store__flush_visits=5)
    assert summary.total_pages == 120
    assert time.monotonic() - began < 10
    assert len(rows.fetchall()) < 240  # it still sees what was there when it began
    reader.close()


@story()
async def test_a_second_crawler_on_one_store_is_refused_with_the_pid_of_the_first(site, path):
    url = ring(site, 3)
    async with crawler_of(url, path / "s.db") as first:
        with pytest.raises(StoreClaimed, match=f"process {os.getpid()} "):
            await crawl(url, path / "s.db")
        assert (await first.run()).pages == 3


def test_the_claim_of_a_killed_crawl_is_void_at_once(tmp_path):
    with site_on_a_thread(robots=False) as site:
        url = ring(site, 3)
        gate = site.hold("/r/1")
        command = [sys.executable, crawl_victim.__file__, "crawl", url, tmp_path / "s.db"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as victim:
            victim.stdout.readline()
            while not site.count("/r/1"):
                with pytest.raises(subprocess.TimeoutExpired):
                    victim.wait(0.02)
            with pytest.raises(StoreClaimed, match=f"process {victim.pid} "):
                asyncio.run(crawl_victim.crawl(url, tmp_path / "s.db"))
            victim.kill()
        gate.set()
        summary = asyncio.run(crawl_victim.crawl(url, tmp_path / "s.db"))
        assert (summary.total_pages, summary.state) == (3, "finished")


# ---------------------------------------------------------------- the loop


@story()
async def test_a_large_page_does_not_hold_up_the_loop(site, path):
    """Two megabytes with 5,000 links, while something else ticks in the same loop.

    Counted is the time of the loop's thread on the processor: others may have it meanwhile.
    """
    links = "".join(f'<p>{"word " * 80}<a href="/x/{n}">{n}</a></p>\n' for n in range(5_000))
    site.add_page("/large", f"<title>large</title>{links}")
    gaps: list[float] = []

    async def tick() -> None:
        last = time.thread_time()
        while True:
            await asyncio.sleep(0.001)
            now = time.thread_time()
            gaps.append(now - last)
            last = now

    gc.collect()
    gc.freeze()  # what other tests have left does not count
    ticking = asyncio.create_task(tick())
    summary = await crawl(site.at("/large"), path / "s.db", engine__max_pages=1)
    ticking.cancel()
    gc.unfreeze()
    assert summary.pages == 1
    assert max(gaps) < 0.15  # bench/stall.py measures it, and asks for 0.05
