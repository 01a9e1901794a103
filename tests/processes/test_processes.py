"""Worker processes: the same results as without, and no page lost to one that hangs or dies."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import parse_spiders
import pytest
from crawl_victim import children_of, is_alive
from fault_server import FaultServer
from fault_server import page as answer

from crawler import Crawler, SiteSpider, Spider, Summary
from crawler.errors import SpiderError
from crawler.http.pool import Pool, memory
from crawler.parse.fast_pass import LARGE
from crawler.practice import PracticeSite
from crawler.web.page import ScrapedPage

FAST = {
    "politeness": {"delay": 0, "per_host": 8, "robots": False},
    "fetch": {"retries": 0},
}
RESULTS = (
    "SELECT url, title, status, outcome, encoding FROM pages ORDER BY url",
    "SELECT source, target, position FROM links ORDER BY source, position",
    "SELECT url, title, heading, number_of_links, header, page_url FROM sighting ORDER BY url",
    "SELECT name, value FROM counters WHERE name LIKE 'outcome.%' ORDER BY name",
)


def rows(store: Path, sql: str) -> list[tuple]:
    with closing(sqlite3.connect(store)) as database:
        return database.execute(sql).fetchall()


async def crawled(spider: Spider, store: Path, number: int = 2, **engine: object) -> Summary:
    settings = FAST | {"engine": {"processes": number, **engine}}
    async with Crawler(spider, store=store, settings=settings) as crawler:
        return await asyncio.wait_for(crawler.run(), 60)


def crawl_pages(
    kind: type[Spider], store: Path, pages: dict[str, str], *, number: int = 2, **arguments: str
) -> Summary:
    """Crawl a practice site that has these pages, from its page /start."""

    async def story() -> Summary:
        async with PracticeSite() as site:
            for path, html in pages.items():
                site.add_page(path, html)
            spider = kind(**arguments)
            spider.start_urls = [site.at("/start")]
            return await crawled(spider, store, number, parse_timeout=5.0)

    return asyncio.run(story())


def linking(*paths: str) -> str:
    return "<title>links</title>" + "".join(f'<a href="{path}">{path}</a>' for path in paths)


def test_the_whole_practice_site_gives_the_same_with_and_without_processes(tmp_path):
    async def story() -> list[list[list[tuple]]]:
        found = []
        async with PracticeSite() as site:
            for number in (1, 2):
                store = tmp_path / f"{number}.db"
                summary = await crawled(parse_spiders.Everything(site.url), store, number)
                assert summary.pages > 200
                site.reset()
                found.append([rows(store, sql) for sql in RESULTS])
        return found

    without, within = asyncio.run(story())
    for one, other in zip(without, within, strict=True):
        assert one == other


@pytest.mark.parametrize("named", ["spiders/quotes.py", "quotes"])
def test_the_quotes_spider_gives_the_same_however_it_is_named(tmp_path, named):
    async def site() -> None:
        async with PracticeSite() as practice:
            for number in (1, 2):
                await asyncio.to_thread(run_quotes, practice.url, number)

    def run_quotes(url: str, number: int) -> None:
        command = [sys.executable, "-m", "crawler", "run", named, "-a", f"base={url}"]
        for key in ("politeness.delay=0", "politeness.robots=false"):
            command += ["--set", key]
        command += ["--set", f"engine.processes={number}"]
        command += ["--store", str(tmp_path / f"{number}.db"), "--quiet"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr

    asyncio.run(site())
    sql = "SELECT text, author, tags FROM quote ORDER BY text"
    quotes = rows(tmp_path / "2.db", sql)
    assert len(quotes) == 100
    assert quotes == rows(tmp_path / "1.db", sql)


def test_callbacks_run_in_other_processes_with_the_arguments_and_attributes_of_the_spider(tmp_path):
    async def story() -> None:
        async with PracticeSite() as site:
            site.add_links("/start", ["/left"])
            site.add_page("/left", "<title>Left</title>")
            spider = parse_spiders.Told(word="given")
            spider.start_urls = [site.at("/start")]
            spider.set_later = "an attribute"
            await crawled(spider, tmp_path / "a.db")

    asyncio.run(story())
    pids = {pid for (pid,) in rows(tmp_path / "a.db", "SELECT process FROM sighting")}
    assert pids and os.getpid() not in pids
    told = set(rows(tmp_path / "a.db", "SELECT word, set_later FROM item"))
    assert told == {("given", "an attribute")}


def test_a_callback_that_waits_runs_in_the_other_processes_too(tmp_path):
    pages = {"/start": linking("/left"), "/left": "<title>Left</title>"}
    crawl_pages(parse_spiders.Waiting, tmp_path / "a.db", pages)
    found = rows(tmp_path / "a.db", "SELECT process, number_of_links > 0 FROM sighting")
    assert sorted(links for _, links in found) == [0, 1]
    assert os.getpid() not in {process for process, _ in found}


@pytest.mark.parametrize("number", [1, 2])
def test_odd_values_bad_items_and_exceptions_end_as_they_do_without_processes(tmp_path, number):
    store = tmp_path / "a.db"
    pages = {"/start": linking("/left"), "/right": linking("/x")}
    crawl_pages(parse_spiders.Careless, store, pages, number=number)
    [(text, value, anything)] = rows(store, "SELECT text, number, anything FROM odd")
    assert (text, value) == ("/left", 7)
    assert json.loads(anything) == {"a set": [1, 3], "an object": "x"}
    assert rows(store, "SELECT item FROM problems") == [("Odd",)]
    outcomes = rows(store, "SELECT outcome, error FROM pages ORDER BY page_id")
    assert [outcome for outcome, _ in outcomes] == ["spider_error", "spider_error"]
    assert "ValueError: after /left" in outcomes[0][1]
    assert "cannot be kept" in outcomes[1][1]
    assert rows(store, "SELECT \"from\" LIKE '%/start', priority FROM item") == [(1, 3)]
    refused = rows(store, "SELECT value FROM counters WHERE name = 'refused.request_out_of_scope'")
    assert refused == [(1,)]


def test_a_page_that_hangs_its_process_is_given_up_and_the_crawl_goes_on(tmp_path):
    pages = {
        "/start": linking("/hang", "/left"),
        "/hang": "x",
        "/left": linking("/far"),
        "/far": "x",
    }
    started = time.monotonic()
    summary = crawl_pages(parse_spiders.Trouble, tmp_path / "a.db", pages)
    assert summary.outcomes == {"ok": 3, "parse_timeout": 1}
    assert time.monotonic() - started < 20
    [(url, error)] = rows(
        tmp_path / "a.db", "SELECT url, error FROM pages WHERE outcome = 'parse_timeout'"
    )
    assert url.endswith("/hang") and "engine.parse_timeout" in error
    assert len(rows(tmp_path / "a.db", "SELECT page_id FROM bodies")) == 4


def test_a_page_whose_process_dies_twice_is_given_up_and_the_crawl_goes_on(tmp_path):
    pages = {"/start": linking("/die", "/left"), "/die": "x", "/left": linking("/far"), "/far": "x"}
    summary = crawl_pages(parse_spiders.Trouble, tmp_path / "a.db", pages)
    assert summary.outcomes == {"ok": 3, "parse_crashed": 1}


def test_a_page_whose_process_is_killed_once_loses_nothing(tmp_path):
    pages = {"/start": linking("/once"), "/once": linking("/far"), "/far": "x"}
    marker = tmp_path / "marker"
    summary = crawl_pages(parse_spiders.Trouble, tmp_path / "a.db", pages, marker=str(marker))
    assert marker.exists()
    assert summary.outcomes == {"ok": 3}
    assert len(rows(tmp_path / "a.db", "SELECT url FROM sighting")) == 3


def test_a_spider_that_a_process_cannot_make_ends_the_crawl_with_its_traceback(tmp_path):
    with pytest.raises(SpiderError, match="RuntimeError: not twice"):
        crawl_pages(parse_spiders.Unmakeable, tmp_path / "a.db", {"/start": "x"})


def test_a_spider_that_no_process_can_import_is_refused_before_the_crawl(tmp_path):
    class Local(SiteSpider):
        """Known to this function only."""

    spider = Local("http://127.0.0.1:1/")
    with pytest.raises(SpiderError, match="top level of a file"):
        asyncio.run(crawled(spider, tmp_path / "a.db"))


def test_arguments_that_are_no_plain_values_are_refused_by_name(tmp_path):
    spider = parse_spiders.Told(word=object())  # type: ignore[arg-type]
    spider.start_urls = ["http://127.0.0.1:1/"]
    with pytest.raises(SpiderError, match="must be JSON values"):
        asyncio.run(crawled(spider, tmp_path / "a.db"))


def test_pages_handed_to_the_embedding_program_know_their_title_and_links(tmp_path):
    async def story() -> list[ScrapedPage]:
        async with PracticeSite() as site:
            site.add_page("/start", linking("/left"))
            site.add_page("/left", "<title>Left</title>")
            settings = FAST | {"engine": {"processes": 2}}
            spider = SiteSpider(site.at("/start"))
            async with Crawler(spider, store=tmp_path / "a.db", settings=settings) as crawler:
                return [page async for page in crawler.pages()]

    first, second = asyncio.run(story())
    assert (first.title, first.links) == ("links", [second.url])
    assert (second.title, second.links) == ("Left", [])


SCRIPT = """
import asyncio, sys
from crawler import Crawler, SiteSpider, item

@item(key="url")
class Sighting:
    url: str
    heading: str

class Slow(SiteSpider):
    name = "slow"
    def parse(self, page):
        yield Sighting(page.url, page.soup.h1.get_text() if page.soup.h1 else "")

async def main():
    settings = {"engine": {"processes": 2, "scope": "prefix"}, "fetch": {"retries": 0},
                "politeness": {"delay": 0, "per_host": 8, "robots": False},
                "store": {"flush_interval": 0.01, "flush_visits": 4}}
    async with Crawler(Slow(sys.argv[1]), store=sys.argv[2], settings=settings) as crawler:
        crawler.on_commit(lambda visits, committed: print(len(visits), flush=True))
        await crawler.run()

if __name__ == "__main__":
    asyncio.run(main())
"""


def test_after_kill_nine_of_the_crawl_and_of_a_process_nothing_is_missing_or_twice(tmp_path):
    script, store, whole = tmp_path / "script.py", tmp_path / "slow.db", tmp_path / "whole.db"
    script.write_text(SCRIPT)

    async def story() -> None:
        async with PracticeSite() as site:

            def command(store: Path) -> tuple[str, ...]:
                return (sys.executable, str(script), site.at("/shop/"), str(store))

            async def undisturbed(store: Path) -> None:
                site.reset()
                await asyncio.to_thread(
                    subprocess.run, command(store), check=True, stdout=subprocess.DEVNULL
                )

            await undisturbed(whole)
            site.reset()
            for one_first in (False, True):
                children = await asyncio.to_thread(
                    killed_after_some_commits, command(store), one_first=one_first
                )
                assert len(children) >= 2
                await asyncio.wait_for(all_gone(children), 10)
            await undisturbed(store)

    asyncio.run(story())
    for sql in (
        "SELECT url, title, status, outcome, encoding FROM pages ORDER BY url",
        "SELECT source, target, position FROM links ORDER BY source, position",
        "SELECT url, heading, page_url FROM sighting ORDER BY url",
        "SELECT name, value FROM counters WHERE name LIKE 'outcome.%' ORDER BY name",
        "SELECT count(*) FROM bodies",
        "SELECT url FROM todo",
    ):
        assert rows(store, sql) == rows(whole, sql), sql


def killed_after_some_commits(command: tuple[str, ...], *, one_first: bool) -> list[int]:
    """Run a crawl that prints a line for each commit, and kill it; give its worker processes.

    `one_first`: kill one of these a few commits before.
    """
    with subprocess.Popen(command, stdout=subprocess.PIPE) as run:
        for _ in range(3):
            assert run.stdout.readline(), "the crawl ended before it could be killed"
        children = children_of(run.pid)
        if one_first:
            os.kill(children[0], signal.SIGKILL)
            assert run.stdout.readline() and run.stdout.readline()
            children += children_of(run.pid)
        run.kill()
    return children


async def all_gone(pids: list[int]) -> None:
    """Wait until the processes are no more, or are zombies that nobody has asked after."""
    while any(is_alive(pid) for pid in pids):  # noqa: ASYNC110 - of others' children nothing is told
        await asyncio.sleep(0.02)


def test_a_process_killed_from_outside_while_the_crawl_runs_changes_nothing(tmp_path):
    async def story() -> tuple[Summary, list[list[tuple]], list[list[tuple]]]:
        async with PracticeSite() as site:
            killing = asyncio.create_task(kill_now_and_then())
            spider = parse_spiders.Everything(site.at("/shop/"))
            summary = await crawled(spider, tmp_path / "a.db", scope="prefix")
            killing.cancel()
            await crawled(spider, tmp_path / "b.db", 1, scope="prefix")
        results = [[rows(tmp_path / name, sql) for sql in RESULTS] for name in ("a.db", "b.db")]
        return summary, *results

    async def kill_now_and_then() -> None:
        deaths = 0
        while deaths < 3:
            await asyncio.sleep(0.3)
            for pid in children_of(os.getpid())[:1]:
                os.kill(pid, signal.SIGKILL)
                deaths += 1

    summary, with_deaths, without = asyncio.run(story())
    assert "parse_crashed" not in summary.outcomes
    assert with_deaths == without


def test_the_pool_of_a_crawl_counts_the_connections_and_the_memory_of_all_processes(tmp_path):
    async def story() -> tuple[Pool, str, dict[str, int]]:
        async with PracticeSite() as site:
            site.add_page("/start", linking("/one", "/two"))
            for path in ("/one", "/two"):
                site.add_page(path, linking(), delay=2.5)
            settings = FAST | {"engine": {"processes": 2}}
            spider = SiteSpider(site.at("/start"))
            async with Crawler(spider, store=tmp_path / "a.db", settings=settings) as crawler:
                run = asyncio.create_task(crawler.run())
                while not any(host.open == 2 for host in crawler.pool.hosts.values()):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
                pool = crawler.pool
                await run
                return pool, site.at("/"), dict(crawler.pool.hosts)

    pool, site, afterwards = asyncio.run(asyncio.wait_for(story(), 30))
    assert pool.hosts.keys() == {site.removesuffix("/")}
    assert pool.memory > memory() + 20_000_000
    assert afterwards == {}


def test_the_scan_of_a_page_without_end_is_given_up_without_processes_too(tmp_path):
    huge = linking("/left") + "<p><i>x</i></p>" * (LARGE // 4)

    async def story() -> Summary:
        async with PracticeSite() as site:
            site.add_page("/start", huge)
            spider = SiteSpider(site.at("/start"))
            return await crawled(spider, tmp_path / "a.db", 1, parse_timeout=1e-6)

    assert asyncio.run(story()).outcomes == {"parse_timeout": 1}


def test_headers_that_are_no_utf8_reach_the_callback_as_they_are(tmp_path: Path) -> None:
    async def story(store: Path, number: int) -> None:
        async with FaultServer() as server:
            spider = parse_spiders.Header()
            spider.start_urls = [server.at("/", answer(head=b"X-Odd: caf\xe9\r\n"))]
            await crawled(spider, store, number)

    for number in (1, 2):
        store = tmp_path / f"{number}.db"
        asyncio.run(story(store, number))
        assert rows(store, "SELECT bytes FROM item") == [(b"caf\xe9".hex(),)]


def test_cookie_jars_are_there_at_the_start_and_in_callbacks(tmp_path: Path) -> None:
    store = tmp_path / "s.db"

    async def story() -> None:
        async with PracticeSite() as site:
            spider = parse_spiders.Baker()
            spider.start_urls = [site.at("/echo")]
            await crawled(spider, store, 2)
            [hit] = [hit for hit in site.hits if hit.path == "/echo"]
            assert hit.headers["Cookie"] == "from=start"

    asyncio.run(story())
    assert rows(store, "SELECT outcome, error FROM pages") == [("ok", None)]
    assert rows(store, "SELECT count(*) FROM item") == [(1,)]
    [(cookie,)] = rows(store, "SELECT cookie FROM cookies")
    assert json.loads(cookie)["value"] == "parse"
