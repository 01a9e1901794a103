"""The live page over a store of a million pages and five million items, and what it costs a crawl.

python bench/live_page.py                        # makes bench/.work/large.db once (3 minutes, 3 GB)
python bench/live_page.py --pages 100000         # a smaller one
python bench/live_page.py --store postgresql://… # over a copy of it (`crawler copy`)
python bench/live_page.py --loss                 # a crawl with three open pages and a scraper

Exit code 1 where a view takes over `--most` seconds of CPU (the best of three answers, as they
come over HTTP; what the clock says depends on what else runs, and stands beside it), or where
the crawl's CPU a page is more than `--share` above that of a crawl alone. Over PostgreSQL, which
reckons elsewhere, the clock counts. Conditions and SQL that
somebody made up are measured, and not judged: the page stops them.
"""

import argparse
import asyncio
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import aiohttp
from generated import serving
from measure import run

from crawler import Crawler, Rule, Spider, item
from crawler.dashboard.serve import Listening, served
from crawler.dashboard.views import BY_PATH
from crawler.practice import PracticeSite
from crawler.store.address import DatabaseAddress, address_of

WORK = Path(__file__).parent / ".work"
HOST = "http://h{}.example"
HOSTS = 20_000
OPEN = ("", "pages", "hosts")  # the views that are open while a crawl is measured
SCRAPE = 5.0  # seconds between two looks of a scraper


@item(key="name")
class Ware:
    """What the generated pages hold five of each."""

    name: str
    price: float


class Wares(Spider):
    """Crawls the few real pages with which the store begins."""

    name = "wares"
    rules = (Rule(callback="parse"),)

    def parse(self, page):
        yield Ware(page.title or page.url, 1.5)


async def _begun(path):
    async with PracticeSite(robots=False) as site:
        site.add_links("/", ["/a", "/b"], title="start")
        site.add_page("/a", "<title>a</title>")
        site.add_page("/b", "<title>b</title>")
        spider = Wares()
        spider.start_urls = [site.url]
        async with Crawler(spider, store=path, settings={"store": {"text": True}}) as crawler:
            await crawler.run()


# What a crawl of days has left, and still has to do. ?1 is the number of pages, ?2 that of hosts.
# Nine of ten pages are stored; a host of the first ten has as many as a thousand of the others.
_HOST = "(CASE WHEN i % 3 THEN 10 + i % (?2 - 10) ELSE i % 10 END)"
_URL = (
    f"'http://h' || {_HOST} || '.example/shop/' || (i % 40) || '/item-' || i || '?page=' || (i % 7)"
)
_QUEUED = "(5 * ((i % (1 + i % 40)) * 13 % (?2 / 5)))"  # few hosts have most of the queue
_AT = "strftime('%Y-%m-%dT%H:%M:%fZ', unixepoch() - (?1 - i) / 25.0, 'unixepoch')"
_SERIES = "WITH n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)"
_MADE = (
    "INSERT INTO hosts (host_id, name, pending, pages, delay)"
    " WITH n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?2 - 1)"
    " SELECT 100 + i, 'http://h' || i || '.example', 0,"
    " CASE WHEN i < 10 THEN ?1 / 30 ELSE 2 * ?1 / 3 / ?2 END, CASE WHEN i % 400 = 5 THEN 8.0 END"
    " FROM n",
    "INSERT INTO pages (page_id, url, title, status, outcome, depth, fetched_at, elapsed,"
    " content_type, encoding, size, content_hash, attempts, parent_id, run_id, host_id, url_hash,"
    f" headers, error) {_SERIES} SELECT i, {_URL}, 'Item number ' || i,"
    " CASE i % 100 WHEN 1 THEN 404 WHEN 2 THEN 500 WHEN 3 THEN NULL WHEN 4 THEN 301 ELSE 200 END,"
    " CASE i % 100 WHEN 1 THEN 'not_found' WHEN 2 THEN 'server_error' WHEN 3 THEN 'timeout'"
    " WHEN 4 THEN 'redirect' WHEN 5 THEN 'skipped_content' ELSE 'ok' END,"
    f" i % 9, {_AT}, 0.08 + (i % 50) / 500.0, 'text/html', 'utf-8', 20000 + i % 5000,"
    f" hex(i * 7919), 1, max(1, i / 10), 1, 100 + {_HOST}, i * 7919,"
    """ '{"Content-Type": "text/html", "Server": "nginx"}',"""
    " CASE i % 100 WHEN 2 THEN 'HTTP 500' WHEN 3 THEN 'no answer within 30 s' END FROM n",
    f"INSERT INTO seen {_SERIES} SELECT 100 + {_HOST}, i * 7919 FROM n",
    "INSERT INTO link_lists (page_id, targets) SELECT page_id, json_array(url, url || '&a', url ||"
    " '&b', 'http://h1.example/', 'http://h2.example/about') FROM pages WHERE page_id > 9",
    "INSERT INTO texts (page_id, url, title, text) SELECT page_id, url, title, 'The text of item'"
    " || page_id || ' tells what it is for' FROM pages WHERE page_id > 9 AND outcome = 'ok'",
    "INSERT INTO ware (name, price, page_id, page_url, run_id, fetched_at)"
    " SELECT 'ware ' || page_id || ' ' || value, page_id % 100, page_id, url, 1, fetched_at"
    " FROM pages, json_each('[1,2,3,4,5]') WHERE page_id > 9",
    "INSERT INTO problems (page_id, page_url, run_id, item, reason, value)"
    " SELECT page_id, url, 1, 'ware', CASE page_id % 3 WHEN 0 THEN 'price: no number' WHEN 1 THEN"
    " 'name: is missing' ELSE 'price: below 0' END, page_id % 5000 FROM pages"
    " WHERE page_id % 5 = 0",
    "INSERT INTO attempts SELECT host_id, url_hash, url, 1, fetched_at, 503, 'server_error',"
    " 'HTTP 503', fetched_at, 0.1 FROM pages WHERE page_id % 50 = 0",
    "INSERT INTO todo (host_id, rank, seq, url_hash, url, depth, parent_id)"
    f" {_SERIES} SELECT 100 + {_QUEUED}, 0, ?1 + i, i * 104729, 'http://h' ||"
    f" {_QUEUED} || '.example/shop/' || (i % 40) || '/next-' || i || '?sort=' || (i % 9),"
    " 5, i / 10 FROM n",
    "DELETE FROM ticks",
    "UPDATE hosts SET pending = 0",
    "UPDATE hosts SET pending = number FROM (SELECT host_id AS id, count(*) AS number FROM todo"
    " GROUP BY 1) WHERE id = host_id",
    "INSERT INTO ticks (at, run_id, seconds, pages, errors, bytes, queued)"
    " WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 / 250)"
    " SELECT unixepoch() - (?1 / 250 - i) * 10.0, 1, 10.0, 250 + i % 60, i % 12, 5000000, i * 250"
    " FROM n",
    "INSERT INTO patterns SELECT 'http://h' || value || '.example/shop/0/item-0?page=0', value,"
    " 5000, 400, 0 FROM (WITH n(value) AS (SELECT 0 UNION ALL SELECT value + 1 FROM n WHERE"
    " value < ?2 / 10) SELECT value FROM n)",
    "INSERT INTO endless SELECT 'http://h' || i || '.example/calendar/0', 'http://h' || i ||"
    " '.example/calendar/9' FROM (WITH n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE"
    " i < 300) SELECT i FROM n)",
    "INSERT INTO robots (host_id, fetched_at, status, body) SELECT host_id, unixepoch(), 200,"
    " CAST('User-agent: *' || char(10) || 'Disallow: /cart' AS BLOB) FROM hosts WHERE host_id > 99",
    "DELETE FROM counters",
    "INSERT INTO counters SELECT 'outcome.' || outcome, count(*) FROM pages GROUP BY outcome",
    "INSERT INTO counters VALUES ('items.stored', 5 * ?1), ('refused.item_refused', ?1 / 5),"
    " ('refused.seen', 40 * ?1), ('refused.out_of_scope', ?1), ('retry.server_error', ?1 / 50)",
    "UPDATE crawl SET value = ?1 WHERE key = 'pages'",
    "UPDATE runs SET state = 'running', ended_at = NULL, pages = ?1, seconds = ?1 / 25.0,"
    " started_at = strftime('%Y-%m-%dT%H:%M:%fZ', unixepoch() - ?1 / 25.0, 'unixepoch')",
    "DELETE FROM workers",
    "INSERT INTO workers VALUES ('bench-1', 1, 1, 'running', unixepoch() - ?1 / 25.0,"
    " unixepoch() + 1e9, ?2, 30, 25.0, 0.01, 3e8, 60, 40, 100, 0.02, 0.05, 12, '[]')",
    "ANALYZE",
)


def large(path, pages):
    """Make the store, where it is not there yet."""
    if path.exists():
        return
    began, made = time.monotonic(), path.with_suffix(".part.db")
    made.unlink(missing_ok=True)
    asyncio.run(_begun(made))
    with closing(sqlite3.connect(made)) as db:
        db.execute("PRAGMA synchronous = OFF")
        for sql in _MADE:
            values = (pages, min(HOSTS, max(50, pages // 50)))
            db.execute(sql, values[: 2 if "?2" in sql else 1 if "?1" in sql else 0])
            db.commit()
    made.rename(path)
    print(f"{path}: {path.stat().st_size / 1e9:.1f} GB in {time.monotonic() - began:.0f} s")


# ---------------------------------------------------------------- how long a view takes

ASKED = {
    "": ("", "?span=1h"),
    "hosts": ("", "?state=slowed", "?sort=pages", "?name=h19&state=queued", "?state=given_up"),
    "host": ("?name=http://h3.example", "?name=http://h350.example"),
    "pages": (
        *("", "?outcome=errors", "?outcome=timeout", "?outcome=queued", "?outcome=stored"),
        *("?host=h3.example", "?host=h350.example&outcome=errors", "?type=html", "?type=pdf"),
    ),
    "url": ("?url=http://h3.example/shop/33/item-33?page=5", "?url=http://h5.example/none"),
    "search": ("?q=number+777", "?q=h350", "?q=http://h3.example/shop/3"),
    "items": ("", "?type=ware&where=price+%3D+7"),
    "diff": ("?from=1&to=1",),
    "ask": ("?action=block&target=h350.example/*", "?action=retry&target=http://h3.example"),
}


OWN = (
    "items?type=ware&where=price+%3E+1000",
    "sql?sql=SELECT+outcome,+count(*)+FROM+errors+GROUP+BY+1",
)
"""What somebody might ask for: no index has it."""


async def views(path, rounds=3):
    """Return the seconds of CPU and of the clock of each view at best, by its address."""
    found, name = {}, path.name.removesuffix(".db")
    async with (
        served([path], Listening("127.0.0.1", 0)) as base,
        aiohttp.ClientSession() as session,
    ):
        paths = [f"{name}/{view}{more}" for view in BY_PATH for more in ASKED.get(view, ("",))]
        own = [f"{name}/{one}" for one in OWN]
        for address in (*paths, *own, "metrics", "readyz"):
            times = []
            for _ in range(rounds):
                began, cpu = time.perf_counter(), time.process_time()
                async with session.get(base + address) as answer:
                    text = await answer.text()
                times.append((time.process_time() - cpu, time.perf_counter() - began))
                if answer.status != 200 and address not in own:
                    raise SystemExit(f"{address}: {answer.status}\n{text[-500:]}")
            found[address.removeprefix(name)] = min(times)
    return found


def tell_views(path, most):
    """Print what each view takes; return whether all are quick enough."""
    found = asyncio.run(views(path))
    print("     CPU  on the wall")
    for address, (cpu, wall) in sorted(found.items(), key=lambda one: -one[1][0]):
        print(f"{cpu * 1000:5.0f} ms {wall * 1000:5.0f} ms  {address}")
    judged = [took for address, took in found.items() if address.lstrip("/") not in OWN]
    return max(took[isinstance(path, DatabaseAddress)] for took in judged) <= most


# ---------------------------------------------------------------- what it costs a crawl


async def _watching(base, name):
    """Be three open pages and a scraper, until cancelled."""

    async def viewer(session, view):
        async with session.get(f"{base}{name}/events?view={view}") as answer:
            async for _ in answer.content:
                pass

    async def scraper(session):
        while True:
            async with session.get(f"{base}metrics") as answer:
                await answer.read()
            await asyncio.sleep(SCRAPE)

    endless = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(timeout=endless) as session, asyncio.TaskGroup() as group:
        group.create_task(scraper(session))
        for view in OPEN:
            group.create_task(viewer(session, view))


def _crawl(url, store, pages):
    command = [sys.executable, "-m", "crawler", "crawl", url, "--store", str(store), "--fresh"]
    flags = ["--max-pages", str(pages), "--set", "politeness.delay=0", "--quiet"]
    allowed = ["--set", "politeness.per_host=16"]
    cost = run([*command, *flags, *allowed], store.with_suffix(".log"))
    with closing(sqlite3.connect(store)) as db:
        [(stored,)] = db.execute("SELECT count(*) FROM pages")
    return cost.cpu / stored, stored / cost.wall


def loss(pages, rounds):
    """Return CPU a page and pages a second, alone and watched, of each round."""
    store = WORK / "watched.db"
    found = {"alone": [], "watched": []}
    with serving("tree", pages=pages * 2) as url:
        for turn in range(rounds * 2):
            kind = ("alone", "watched")[turn % 2]
            page = None
            if kind == "watched":
                page = subprocess.Popen([sys.executable, __file__, "--watch", str(store)])
            try:
                found[kind].append(_crawl(url, store, pages))
            finally:
                if page is not None:
                    page.terminate()
                    page.wait()
    return found


async def _watch(store):
    """Serve the page over a store, and look at it."""
    async with served([store], Listening("127.0.0.1", 0)) as base:
        await _watching(base, store.stem)


def tell_loss(pages, rounds, share):
    """Print what a crawl loses; return whether that is little enough."""
    found = loss(pages, rounds)
    alone, watched = (
        statistics.median(cpu for cpu, _ in found[kind]) for kind in ("alone", "watched")
    )
    print(json.dumps(found))
    print(f"CPU a page: {alone * 1e3:.3f} ms alone, {watched * 1e3:.3f} ms watched:", end=" ")
    print(f"{100 * (watched / alone - 1):+.1f} % (of the crawl's own process)")
    return watched <= (1 + share) * alone


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--store", help="a copy of such a store in PostgreSQL, by its address")
    parser.add_argument("--pages", type=int, help="of the store; of the crawl with --loss")
    parser.add_argument("--most", type=float, default=0.5, help="seconds that a view may take")
    parser.add_argument("--loss", action="store_true", help="measure what it costs a crawl")
    parser.add_argument("--share", type=float, default=0.05, help="of CPU that it may cost")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--watch", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.watch:
        while not given.watch.exists():  # the crawl makes it anew
            time.sleep(0.1)
        asyncio.run(_watch(given.watch))
        return 0
    WORK.mkdir(exist_ok=True)
    if given.loss:
        return not tell_loss(given.pages or 10_000, given.rounds, given.share)
    if given.store:
        return not tell_views(address_of(given.store), given.most)
    pages = given.pages or 1_000_000
    path = WORK / ("large.db" if pages == 1_000_000 else f"large-{pages}.db")
    large(path, pages)
    print(f"{pages:,} pages, {5 * pages:,} items, on {os.cpu_count()} cores")
    return not tell_views(path, given.most)


if __name__ == "__main__":
    sys.exit(main())
