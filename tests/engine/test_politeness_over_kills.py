"""A host's delay holds over the end of a run, also for a start of which no commit tells.

A copy of a store's files while it is crawled into is what a `kill -9` at that moment leaves.
"""

import asyncio
import os
import shutil
import time
from itertools import pairwise
from pathlib import Path

import pytest
from crawl_story import Follow, crawl, crawler_of, read, story

DELAY = 0.6
EPSILON = 0.02  # seconds by which a request may be late at a server on a busy machine
CRAWL_DELAY = f"User-agent: *\nCrawl-delay: {DELAY}\n"


def killed(store: Path) -> Path:
    """Return the store as a kill at this moment would leave it."""
    left = store.with_name("killed.db")
    for ending in ("", "-wal"):
        shutil.copyfile(f"{store}{ending}", f"{left}{ending}")
    return left


async def hits_at_least(site, number):
    async with asyncio.timeout(20):
        while len(site.hits) < number:  # noqa: ASYNC110  # the site has no event for it
            await asyncio.sleep(0.005)


async def until_asked(site, store, *urls, number, **settings):
    """Crawl until the site was asked so often, and give the crawl under way, and its end."""
    crawler = crawler_of(Follow, store, *urls, **settings)
    await crawler.__aenter__()
    run = asyncio.create_task(crawler.run())
    await hits_at_least(site, number)

    async def end():
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        await crawler.__aexit__()

    return crawler, end


def gaps(site):
    """The seconds between the starts of pages; robots.txt has a delay of its own."""
    starts = [hit.started for hit in site.hits if hit.path != "/robots.txt"]
    return [later - sooner for sooner, later in pairwise(starts)]


@pytest.mark.parametrize("robots", [CRAWL_DELAY, False], ids=["crawl-delay", "delay"])
def test_a_start_that_no_commit_tells_of_counts_after_a_kill(tmp_path: Path, robots) -> None:
    @story(robots=robots)
    async def tale(site, path):
        site.add_page("/a", "x")
        site.hold("/a")
        settings = {} if robots else {"politeness__delay": DELAY}
        asked = 2 if robots else 1
        settings |= {"politeness__robots": bool(robots), "politeness__adaptive": False}
        _, end = await until_asked(site, path / "s.db", site.at("/a"), number=asked, **settings)
        left = killed(path / "s.db")
        assert read(left, "SELECT count(*) FROM pages") == [0]
        _, end_again = await until_asked(site, left, site.at("/a"), number=asked + 1, **settings)
        await end()
        await end_again()
        assert site.count("/robots.txt") == bool(robots)
        assert min(gaps(site)) >= DELAY - EPSILON

    tale(tmp_path=tmp_path)


@story()
async def test_a_start_that_was_cut_off_counts_after_an_interruption(site, path):
    site.add_page("/a", "x")
    site.hold("/a")
    settings = {
        "politeness__delay": DELAY,
        "politeness__robots": False,
        "engine__grace": 0.0,
    }
    crawler, end = await until_asked(site, path / "s.db", site.at("/a"), number=1, **settings)
    crawler.stop()
    await end()
    assert read(path / "s.db", "SELECT state FROM runs") == ["interrupted"]
    _, end = await until_asked(site, path / "s.db", site.at("/a"), number=2, **settings)
    await end()
    assert min(gaps(site)) >= DELAY - EPSILON


@story()
async def test_a_rest_that_a_host_asks_for_is_committed_at_once(site, path):
    site.add_page("/busy", "later", status=503, headers={"Retry-After": "600"})
    settings = {"politeness__robots": False, "store__flush_interval": 60.0}
    settings |= {"store__flush_visits": 1000}
    urls = [site.at("/busy"), *(site.at(f"/{n}") for n in range(9))]
    crawler = crawler_of(Follow, path / "s.db", *urls, politeness__per_host=1, **settings)
    async with crawler:
        heard = asyncio.Event()
        crawler.on_commit(lambda visits, _: visits and heard.set())
        run = asyncio.create_task(crawler.run())
        await asyncio.wait_for(heard.wait(), 10)
        [at] = read(path / "s.db", "SELECT next_at FROM hosts")
        assert at > time.time() + 500
        crawler.stop()
        await run


@story()
async def test_a_crawl_that_finished_keeps_nobody_waiting(site, path):
    """All its starts are committed, each with the time from which the next one may come."""
    site.add_page("/a", "x")
    await crawl(Follow, path / "s.db", site.at("/a"), politeness__robots=False)
    async with crawler_of(Follow, path / "s.db", site.at("/a")) as crawler:
        assert crawler.state.asked_until == 0.0


@story()
async def test_a_run_that_is_killed_as_it_begins_does_not_make_an_earlier_kill_forgotten(
    site, path
):
    site.add_page("/a", "x")
    site.hold("/a")
    settings = {"politeness__robots": False}
    _, end = await until_asked(site, path / "s.db", site.at("/a"), number=1, **settings)
    left = killed(path / "s.db")
    await end()
    for _ in range(2):  # the second finds the runs of a first that got no further than this
        async with crawler_of(Follow, left, site.at("/a"), **settings) as crawler:
            assert crawler.state.asked_until > time.time() - 30
            await crawler._store.begin_run("follow", "{}")
    assert read(left, "SELECT state FROM runs") == ["killed", "killed", "running"]


@story()
async def test_a_kill_long_ago_keeps_nobody_waiting(site, path):
    """The time of the claim's file is until when the run that died has asked hosts."""
    site.add_page("/a", "x")
    site.hold("/a")
    settings = {"politeness__robots": False}
    _, end = await until_asked(site, path / "s.db", site.at("/a"), number=1, **settings)
    left, now = killed(path / "s.db"), time.time()
    lock = path / "s.db.lock"
    assert now - 5 < lock.stat().st_mtime < now + 1
    await end()
    (path / "killed.db.lock").write_text("999999999")
    os.utime(path / "killed.db.lock", (now - 3600, now - 3600))
    async with crawler_of(Follow, left, site.at("/a"), **settings) as crawler:
        assert crawler.state.asked_until == pytest.approx(now - 3600)


@story(robots=CRAWL_DELAY)
async def test_the_delay_until_the_first_page_is_kept_with_robots_txt(site, path):
    """So that a crawl that is killed before each first page gets to it all the same."""
    site.add_page("/a", "x")
    crawler, end = await until_asked(site, path / "s.db", site.at("/a"), number=1)
    heard = asyncio.Event()
    crawler.on_commit(lambda *_: heard.set())
    await asyncio.wait_for(heard.wait(), 10)
    [at] = read(path / "s.db", "SELECT next_at FROM hosts")
    await end()
    started = site.hits[0].started + time.time() - time.monotonic()
    assert at >= started + DELAY - EPSILON
