"""What one asks of a crawl under way comes to pass within a second, and is written down."""

import asyncio
import sqlite3
from contextlib import asynccontextmanager, closing

import pytest
from crawl_story import crawler_of, story
from postgres_server import server

from crawler import control
from crawler.cli import status
from crawler.engine import signs, steering
from crawler.errors import StoreRefused, UsageError
from crawler.inspect.query import Reader
from crawler.inspect.status import overview
from crawler.store import requeue, revisit_queue
from crawler.store.address import address_of

PLACE = {"address": None}
ON_BOTH = ("pause_starts", "block_drops", "grown_asks_again", "are_added", "failed_is_queued")


def pytest_generate_tests(metafunc):
    """Tell each story over a file, and those whose SQL is another one over PostgreSQL, too."""
    both = any(part in metafunc.function.__name__ for part in ON_BOTH)
    metafunc.parametrize("place", ["sqlite", *["postgres"] * both], indirect=True)


@pytest.fixture(autouse=True)
def place(request):
    PLACE["address"] = server().dsn() if request.param == "postgres" else None


def store_in(path):
    return PLACE["address"] or str(path / "x.db")


def read(store, sql):
    """Return the rows of a query, those of one column as values."""
    with Reader(store) as reader:
        rows = list(reader.query(sql).rows)
    return [row[0] for row in rows] if rows and len(rows[0]) == 1 else rows


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Look every 20 ms at what is asked."""
    monkeypatch.setattr(steering, "_LOOK", 0.02)
    monkeypatch.setattr(steering, "_REAL", 0.0)
    monkeypatch.setattr(signs, "EVERY", 0.1)


def wide(site, pages=60):
    """Add a start page with links to many pages of two kinds."""
    paths = [f"/{kind}/{n}" for n in range(pages) for kind in ("keep", "trap")]
    site.add_links("/", paths)
    for path in paths:
        site.add_links(path, [])
    return site.at("/")


def name_of(site):
    """Return the host as one would type it."""
    return site.url.removeprefix("http://").rstrip("/")


async def until(is_so):
    """Wait until something is so."""
    while not is_so():  # noqa: ASYNC110  # what happens elsewhere sets no event
        await asyncio.sleep(0.01)


async def until_told(store, is_so):
    """Wait until `crawler status` has something to tell, and return what it then knows."""
    told = await asyncio.to_thread(overview, address_of(store))
    while not is_so(told):
        await asyncio.sleep(0.05)
        told = await asyncio.to_thread(overview, address_of(store))
    return told


@asynccontextmanager
async def under_way(url, store, **settings):
    """Crawl slowly, from the moment on at which the links of the first page are queued."""
    settings = {"politeness__delay": 0.02, "politeness__adaptive": False, **settings}
    async with crawler_of(url, store, **settings) as crawler:
        run = asyncio.create_task(crawler.run())
        await until(lambda: crawler.frontier.pending >= 20)
        try:
            yield crawler, run
        finally:
            crawler.stop()
            await run


async def asked(store, action, target="", **more):
    """Ask, and wait for the answer."""
    number = await asyncio.to_thread(control.ask, store, action, target, **more)
    row = await asyncio.to_thread(control.wait, store, number, 10.0)
    assert row.state != "asked", "nobody answered"
    return row


def by_sql(store, action, target):
    """Ask by an INSERT, as anybody can."""
    if PLACE["address"]:
        crawl = store.rpartition("=")[2]
        sql = f"INSERT INTO {crawl}.control (action, target) VALUES ('{action}', '{target}')"
        return int(server().psql(f"{sql} RETURNING control_id").split()[0])
    with closing(sqlite3.connect(store, isolation_level=None)) as db:
        sql = "INSERT INTO control (action, target) VALUES (?, ?)"
        return db.execute(sql, (action, target)).lastrowid


def sound(store):
    """Assert what always holds of a store."""
    pending = read(store, "SELECT host_id, count(*) FROM todo GROUP BY host_id ORDER BY 1")
    told = read(store, "SELECT host_id, pending FROM hosts WHERE pending <> 0 ORDER BY 1")
    assert pending == told
    assert read(store, "SELECT count(*) - count(DISTINCT url) FROM pages") == [0]
    known = "SELECT url FROM pages UNION ALL SELECT url FROM todo"
    assert read(store, f"SELECT count(*) FROM ({known}) AS known") == read(
        store, "SELECT count(*) FROM seen"
    )
    counted = "SELECT 'outcome.' || outcome, count(*) FROM pages GROUP BY 1 ORDER BY 1"
    told = "SELECT name, value FROM counters WHERE name LIKE 'outcome.%' ORDER BY 1"
    assert read(store, counted) == read(store, told)


@story()
async def test_a_pause_starts_nothing_more_and_resume_goes_on(site, path):
    async with under_way(wide(site), store_in(path)) as (_crawler, run):
        row = await asked(store_in(path), "pause", reason="the owner asked", who="anna")
        assert (row.state, row.who, row.via) == ("applied", "anna", "python")
        await asyncio.sleep(0.1)
        before = len(site.hits)
        await asyncio.sleep(0.2)
        assert len(site.hits) == before
        assert not run.done()
        told = await until_told(store_in(path), lambda told: told.paused)
        assert told.runs[0].pages == told.pages > 0
        assert "running, paused (process " in status.story(told)
        assert (await asked(store_in(path), "resume")).result == "goes on"
        await until(lambda: len(site.hits) > before)
    sound(store_in(path))


@story()
async def test_a_block_drops_what_is_queued_and_takes_no_more_of_it(site, path):
    store = store_in(path)
    async with under_way(wide(site), store) as (crawler, run):
        row = await asked(store, "block", f"{name_of(site)}/trap/*")
        assert row.state == "applied"
        dropped = int(row.result.split()[0])
        assert dropped > 40
        assert read(store, "SELECT count(*) FROM pages WHERE outcome = 'blocked'") == [dropped]
        traps = sum(hit.path.startswith("/trap/") for hit in site.hits)
        await asyncio.wait_for(run, 20)
        assert sum(hit.path.startswith("/trap/") for hit in site.hits) == traps
        summary = crawler.summary("finished", "finished")
        assert summary.outcomes["blocked"] == dropped
    assert read(store, "SELECT count(*) FROM todo") == [0]
    sound(store)


@story()
async def test_a_block_holds_in_the_next_run_until_it_is_lifted(site, path):
    store = store_in(path)
    target = f"{name_of(site)}/trap/*"
    async with under_way(wide(site), store) as (crawler, run):
        await asked(store, "block", target)
    async with crawler_of(site.at("/"), store) as crawler:
        run = asyncio.create_task(crawler.run())
        with Reader(store) as reader:
            assert [row.target for row in control.blocked(reader)] == [target]
        await run
    assert not any(hit.path == "/trap/59" for hit in site.hits)
    control.ask(store, "unblock", target)
    async with crawler_of(site.at("/"), store) as crawler:
        assert crawler.finished
    sound(store)


@story()
async def test_what_a_recrawl_has_not_queued_yet_is_dropped_by_a_block(site, path, monkeypatch):
    monkeypatch.setattr(revisit_queue, "AT_ONCE", 20)
    monkeypatch.setattr(revisit_queue, "LOW", 20)
    url, store = wide(site, 30), store_in(path)
    async with crawler_of(url, store) as crawler:
        await crawler.run()
    assert requeue.recrawl(address_of(store), "2999-01-01T00:00:00.000Z") == 20
    async with under_way(url, store, politeness__delay=0.01) as (_, run):
        assert (await asked(store, "block", f"{name_of(site)}/trap/*")).state == "applied"
        summary = await run
    assert (summary.state, summary.queued) == ("finished", 0)
    assert read(store, "SELECT count(*) FROM revisit_queue") == [0]
    visited = "SELECT count(*) FROM revisits JOIN pages USING (page_id) WHERE url LIKE"
    assert read(store, f"{visited} '%/keep/%'") == [30]
    assert read(store, f"{visited} '%/trap/%'")[0] < 20


@story()
async def test_a_host_that_is_blocked_is_left_alone(site, path):
    store = store_in(path)
    async with under_way(wide(site), store) as (_, run):
        row = await asked(store, "block", name_of(site))
        assert int(row.result.split()[0]) > 80
        await asyncio.wait_for(run, 20)
    sound(store)


@story()
async def test_a_block_of_a_queue_that_has_grown_asks_again(site, path):
    store = store_in(path)
    async with under_way(wide(site), store):
        row = await asked(store, "block", name_of(site), expected=3)
        assert (row.state, row.result[:22]) == ("refused", "refused: it would be 1")
        assert read(store, "SELECT count(*) FROM pages WHERE outcome = 'blocked'") == [0]
    sound(store)


@story()
async def test_a_pattern_that_takes_every_url_is_refused_also_in_sql(site, path):
    store = store_in(path)
    async with under_way(wide(site), store):
        with pytest.raises(UsageError, match="every URL"):
            control.ask(store, "block", "*")
        number = await asyncio.to_thread(by_sql, store, "block", "%")
        row = await asyncio.to_thread(control.wait, store, number, 10.0)
        assert (row.state, row.via) == ("refused", "sql")
        assert "every URL" in row.result


@story()
async def test_urls_are_added_and_known_ones_are_told_apart(site, path):
    store = store_in(path)
    site.add_links("/more", [])
    async with under_way(wide(site), store) as (_, _run):
        both = f"{site.at('/more')}\n{site.at('/keep/1')}"
        row = await asked(store, "add", both, value="priority=10")
        assert row.result == "1 new, 1 known"
        await until(lambda: any(hit.path == "/more" for hit in site.hits))
        assert not any(hit.path == "/trap/59" for hit in site.hits)
    sound(store)


@story()
async def test_what_is_prioritized_comes_first(site, path):
    store = store_in(path)
    async with under_way(wide(site), store) as (_, run):
        row = await asked(store, "prioritize", site.at("/trap/59"), value="10")
        assert row.result == "1 URL moved"
        before = len(site.hits)
        await until(lambda: any(hit.path == "/trap/59" for hit in site.hits))
        assert len(site.hits) - before < 10
        await asyncio.wait_for(run, 20)
    assert len({hit.path for hit in site.hits}) == len(site.hits) == 122  # with robots.txt
    sound(store)


@story()
async def test_a_delay_is_set_and_holds(site, path):
    store = store_in(path)
    async with under_way(wide(site), store) as (crawler, run):
        row = await asked(store, "set", name_of(site), value="delay=5")
        assert row.state == "applied"
        [host] = crawler.frontier.hosts.values()
        assert host.pace.least == 5.0
        row = await asked(store, "set", "", value="speed=5")
        assert (row.state, "speed=5" in row.result) == ("refused", True)
    async with under_way(wide(site), store) as (crawler, run):
        await until(lambda: crawler.frontier.hosts)
        [host] = crawler.frontier.hosts.values()
        assert host.pace.least == 5.0
        row = await asked(store, "set", name_of(site), value="delay=0.01")
        await asyncio.wait_for(run, 20)


@story()
async def test_a_paused_host_rests_alone(site, path):
    store = store_in(path)
    async with under_way(wide(site), store) as (_crawler, run):
        assert (await asked(store, "pause", name_of(site))).state == "applied"
        await asyncio.sleep(0.1)
        before = len(site.hits)
        await asyncio.sleep(0.15)
        assert len(site.hits) == before
        await asked(store, "resume", name_of(site))
        await asyncio.wait_for(run, 20)
    sound(store)


@story()
async def test_stop_ends_the_run_and_loses_nothing(site, path):
    store = store_in(path)
    async with under_way(wide(site), store) as (_, run):
        await asked(store, "stop", reason="enough", who="anna")
        summary = await asyncio.wait_for(run, 20)
        assert (summary.state, summary.reason) == ("stopped", "stopped")
    sound(store)
    assert read(store, "SELECT count(*) FROM workers") == [0]


@story()
async def test_what_failed_is_queued_again_while_the_crawl_runs(site, path):
    store = store_in(path)
    url = wide(site)
    site.add_page("/keep/3", "no", status=500)
    async with under_way(url, store, fetch__retries=0) as (_, run):
        ended = "SELECT count(*) FROM pages WHERE url LIKE '%/keep/3'"
        await until(lambda: read(store, ended) == [1])
        row = await asked(store, "retry", name_of(site))
        assert row.result == "1 URL queued again"
        row = await asked(store, "retry", site.at("/"))
        assert row.result == "1 URL queued again"
        await asyncio.wait_for(run, 20)
    assert sum(hit.path == "/keep/3" for hit in site.hits) == 2
    assert sum(hit.path == "/" for hit in site.hits) == 2
    sound(store)


def test_what_cannot_be_meant_is_told_before_it_is_asked(tmp_path):
    with pytest.raises(UsageError, match="no action"):
        control.ask(tmp_path / "x.db", "explode")
    with pytest.raises(UsageError, match="only http"):
        control.ask(tmp_path / "x.db", "block", "ftp://a.example/")
    with pytest.raises(StoreRefused, match="no such store"):
        control.ask(tmp_path / "x.db", "pause")
