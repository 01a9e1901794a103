"""Every action comes to the same by the page, the command line, SQL and Python, on both backends.

Over PostgreSQL four workers take part in the crawl. The quick suite asks for each action once, by
one way after the other; `make control-proof` (CONTROL=all) for each of them by every way.
"""

import asyncio
import os
import sqlite3
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager, closing
from itertools import cycle

import pytest
from crawl_story import Follow, crawler_of
from page_story import posted, shown
from postgres_server import server

from crawler import control
from crawler.cli import run as command
from crawler.engine import steering
from crawler.inspect.query import Reader
from crawler.practice import PracticeSite
from crawler.store.address import address_of

WAYS = ("page", "cli", "sql", "python")
RUNS = [[way] for way in WAYS] if os.environ.get("CONTROL") == "all" else [list(WAYS)]
"""For each run of a crawl the ways by which is asked."""
HOSTS = 4
FIELDS = {"set": "delay", "prioritize": "priority"}  # of the page's forms
ASKED_BY_CLI = {
    "add": lambda target, value: ["--priority", value.partition("=")[2], target],
    "block": lambda target, value: ["--yes", target],
    "prioritize": lambda target, value: ["--by", value, target],
    "set": lambda target, value: ["--host", target, value],
}


class Asker:
    """Asks for something, by the ways in turn, and gives the row that tells what came of it."""

    def __init__(self, store: str, base: str, ways: list[str]) -> None:
        self.store, self._ways = store, cycle(ways)
        self.page = base

    async def __call__(self, action: str, target: str = "", value: str | None = None):
        before, way = len(control.log(self.store, 1000)), next(self._ways)
        await getattr(self, f"_{way}")(action, target, value)
        row = control.log(self.store, 1)[0]
        assert len(control.log(self.store, 1000)) == before + 1
        row = await asyncio.to_thread(control.wait, self.store, row.control_id, 10.0)
        assert (row.via, row.action) == (way, action)
        return row

    async def _page(self, action, target, value):
        form = {"action": action, "target": target, "reason": "a test"}
        if value is not None:
            name, mark, said = value.partition("=")
            form |= {name: said} if mark else {FIELDS[action]: value}
        answer = await posted(f"{self.page}/control", form)
        assert answer.status == 303

    async def _cli(self, action, target, value):
        if action in ("retry", "reopen"):  # these commands act on a store that nobody crawls into
            await asyncio.to_thread(control.ask, self.store, action, target, via="cli")
            return
        given = ASKED_BY_CLI.get(action, lambda target, _: [target] * bool(target))
        words = [action, *given(target, value), "--store", self.store]
        assert await asyncio.to_thread(command, words) in (0, None)

    async def _sql(self, action, target, value):
        said = "NULL" if value is None else f"'{value}'"
        into = "control (action, target, value)"
        values = f"VALUES ('{action}', '{target}', {said})"
        if "://" in self.store:
            crawl = self.store.rpartition("=")[2]
            await asyncio.to_thread(server().psql, f"INSERT INTO {crawl}.{into} {values}")
        else:
            await asyncio.to_thread(self._insert, f"INSERT INTO {into} {values}")

    def _insert(self, sql):
        with closing(sqlite3.connect(self.store, isolation_level=None)) as db:
            db.execute(sql)

    async def _python(self, action, target, value):
        await asyncio.to_thread(control.ask, self.store, action, target, value=value)


@asynccontextmanager
async def under_way(store, starts, workers):
    """Crawl in some worker processes, until somebody stops the crawl."""
    async with AsyncExitStack() as stack:
        crawlers = [
            await stack.enter_async_context(
                crawler_of(Follow, store, *starts, politeness__delay=0.5, fetch__retries=0)
            )
            for _ in range(workers)
        ]
        runs = [asyncio.create_task(crawler.run()) for crawler in crawlers]
        try:
            async with asyncio.timeout(30):
                while queued(store) < 80:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            yield runs
        finally:
            for crawler in crawlers:
                crawler.stop()
            await asyncio.gather(*runs)


async def asked_for_everything(ask, number, sites, runs):
    """Ask for each action once; assert what came of it, and that it is so."""

    def host(number):
        return sites[number].url.removeprefix("http://").rstrip("/")

    assert (await ask("pause")).result.startswith("paused, ")
    assert "goes on" in (await ask("resume")).result
    paused = await ask("pause", host(0))
    assert paused.state == "applied", paused
    await asyncio.sleep(0.1)
    here = len(sites[0].hits)
    added = await ask("add", sites[1].at(f"/new/{number}"), "priority=10")
    assert added.result == "1 new, 0 known"
    blocked = await ask("block", f"{host(1)}/{number}/*")
    assert blocked.state == "applied" and int(blocked.result.split()[0]) > 5
    assert (await ask("unblock", f"{host(1)}/{number}/*")).result == "taken again"
    assert (await ask("prioritize", sites[2].at("/last"), "10")).state == "applied"
    assert (await ask("set", host(3), "delay=0.04")).result == "applied"
    again = await ask("retry", sites[number].at("/"))
    assert again.result == "1 URL queued again"
    closed = await ask("reopen", f"{sites[0].url}none/0")
    assert closed.state == "refused" and "is not closed" in closed.result
    assert len(sites[0].hits) == here
    assert (await ask("resume", host(0))).result == "goes on"
    assert (await ask("stop")).state == "applied"
    summaries = await asyncio.wait_for(asyncio.gather(*runs), 15)
    assert {summary.state for summary in summaries} == {"stopped"}


def web_of(site):
    """Add a start page with links to more than four runs get to."""
    paths = [*(f"/{run}/{n}" for run in range(len(RUNS)) for n in range(60)), "/last"]
    site.add_links("/", paths)
    for path in (*paths, *(f"/new/{run}" for run in range(len(RUNS)))):
        site.add_links(path, [])
    return site.at("/")


def queued(store):
    with Reader(store) as reader:
        [(number,)] = reader.query("SELECT count(*) FROM todo").rows
    return number


def sound(store):
    """Assert that no URL is lost, and what was added is among them; `retry` queues stored ones."""
    known = "(SELECT url FROM pages UNION SELECT url FROM todo) AS known"
    with Reader(store) as reader:
        [(number,)] = reader.query(f"SELECT count(*) FROM {known}").rows
        [(seen,)] = reader.query("SELECT count(*) FROM seen").rows
        [(added,)] = reader.query(f"SELECT count(*) FROM {known} WHERE url LIKE '%/new/%'").rows
        [(twice,)] = reader.query("SELECT count(*) - count(DISTINCT url) FROM pages").rows
    assert (number, added, twice) == (seen, len(RUNS), 0)


@pytest.mark.parametrize("backend", ["sqlite", "postgres"])
def test_every_action_comes_to_the_same_whoever_asks(backend, tmp_path, monkeypatch):
    monkeypatch.setattr(steering, "_LOOK", 0.02)
    monkeypatch.setattr(steering, "_REAL", 0.0)
    store = server().dsn() if backend == "postgres" else str(tmp_path / "x.db")
    workers = 4 if backend == "postgres" else 1

    async def story():
        async with AsyncExitStack() as stack:
            sites = [
                await stack.enter_async_context(PracticeSite(f"127.0.0.{n + 1}", robots=False))
                for n in range(HOSTS)
            ]
            starts = [web_of(site) for site in sites]
            base = await stack.enter_async_context(shown(address_of(store)))
            name = address_of(store).name.removesuffix(".db")
            for number, ways in enumerate(RUNS):
                async with under_way(store, starts, workers) as runs:
                    ask = Asker(store, f"{base}/{name}", ways)
                    await asked_for_everything(ask, number, sites, runs)

    asyncio.run(asyncio.wait_for(story(), 150))
    sound(store)
    ways = Counter(row.via for row in control.log(store, 1000))
    assert {ways[way] for way in WAYS} == {3 * len(RUNS)}
