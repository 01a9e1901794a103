"""A crawl over PostgreSQL: the same rows as over SQLite, by the same commands."""

import asyncio
import json
import re
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from cli_story import ROOT
from postgres_server import server
from site_thread import site_on_a_thread

from crawler import Crawler, SiteSpider, Summary
from crawler.cli import ending
from crawler.cli import run as command
from crawler.errors import QueryError, StoreRefused
from crawler.inspect.query import Reader
from crawler.practice import PracticeSite
from crawler.store.address import address_of

TABLES = {
    "pages": "SELECT url, title, status, outcome, depth, content_hash, size, redirect_to, method"
    " FROM pages",
    "links": "SELECT source, target, position FROM links",
    "quote": 'SELECT author, text, tags, page_url FROM "quote"',
    "seen": "SELECT name, url_hash FROM seen JOIN hosts USING (host_id)",
    "todo": "SELECT url FROM todo",
    "hosts": "SELECT name, pending, pages FROM hosts",
    "counters": "SELECT name, value FROM counters",
    "runs": "SELECT state, reason, pages, errors FROM runs",
    "broken": "SELECT source, target, status FROM broken_links",
}


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """One site crawled into a file and into a database: the addresses of the two stores."""
    folder = tmp_path_factory.mktemp("crawl")
    address, file = server().dsn("quotes"), str(folder / "quotes.db")
    spider = str(ROOT / "spiders" / "quotes.py")
    with site_on_a_thread() as site, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for store in (address, file):
            asked = ["-a", f"base={site.url}", "--set", "politeness.delay=0", "--store", store]
            asked += ["--set", "engine.workers=1"]  # that both give the same numbers
            assert command(["run", spider, *asked, "--quiet"]) == 0
    return address, file


@pytest.mark.parametrize("table", TABLES)
def test_the_rows_are_those_that_sqlite_has(crawled: tuple[str, str], table: str) -> None:
    address, file = crawled
    with Reader(address) as reader, closing(sqlite3.connect(file)) as db:
        theirs = Counter(db.execute(TABLES[table]).fetchall())
        assert Counter(reader.query(TABLES[table]).rows) == theirs
        assert theirs or table == "todo" or table == "broken"


def test_a_crawl_that_is_finished_says_so_and_fetches_nothing(
    crawled: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    address, _ = crawled
    spider = str(ROOT / "spiders" / "quotes.py")
    assert command(["run", spider, "--store", address]) == 0
    assert "this crawl is finished" in capsys.readouterr().out


def test_status_tells_the_same_of_both(
    crawled: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    found = []
    for store in crawled:
        assert command(["status", store, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        found.append({k: v for k, v in told.items() if k not in ("store", "bytes", "runs", "pool")})
    assert found[0] == found[1]


@pytest.mark.parametrize("format", ["jsonl", "csv"])
@pytest.mark.parametrize("what", ["quote", "pages", "links"])
def test_exports_are_equal_row_for_row(
    crawled: tuple[str, str], what: str, format: str, tmp_path: Path
) -> None:
    lines = []
    for number, store in enumerate(crawled):
        file = tmp_path / f"{number}.{format}"
        assert command(["export", what, "-o", str(file), "-f", format, "--store", store]) == 0
        lines.append(Counter(map(_without_times, file.read_text("utf-8").splitlines())))
    assert lines[0] == lines[1]


def _without_times(line: str) -> str:
    if not line.startswith("{"):
        return ",".join(sorted(part for part in line.split(",") if not part[:4].isdigit())[:3])
    row = json.loads(line)
    loose = ("fetched_at", "elapsed", "page_id", "item_id", "headers", "parent_id")
    return json.dumps({k: v for k, v in row.items() if k not in loose}, sort_keys=True)


def documented() -> dict[str, str]:
    """Every SELECT that the documentation shows, and where it first does."""
    shown = re.compile(r'crawler query (?:--?[\w-]+ \S+ )*"((?:SELECT|WITH)[^"]*)"')
    found: dict[str, str] = {}
    for page in [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"]:
        text = page.read_text(encoding="utf-8")
        blocks = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
        each = [*(one for block in blocks for one in block.split(";")), *shown.findall(text)]
        for sql in each:
            if re.match(r"(?:\s*--.*\n)*\s*(?:SELECT|WITH)\b", sql) and " MATCH " not in sql:
                found.setdefault(sql.strip(), page.name)
    return found


def test_every_documented_query_gives_the_same_on_both(crawled: tuple[str, str]) -> None:
    """But for full text, tables of items that this crawl has not, and what a clock says."""
    run, different = 0, []
    with Reader(crawled[0]) as reader, Reader(crawled[1]) as file:
        for sql, page in documented().items():
            whole = re.sub(r"\sLIMIT \d+$", "", sql)  # of rows that are alike, any may be first
            try:
                theirs = Counter(map(_told, file.query(whole).rows))
            except QueryError as error:
                assert "no such table" in str(error), (sql, error)
                continue
            run += 1
            try:
                ours = Counter(map(_told, reader.query(whole).rows))
                list(reader.query(sql).rows)
            except QueryError as error:
                different.append((page, sql, str(error)))
                continue
            if ours != theirs and not re.search(r"FROM (workers|ticks)\b", sql):
                different.append((page, sql, f"{ours - theirs} for {theirs - ours}"))
    assert different == []
    assert run > 45
    print(f"{run} documented queries, on both the same")


def _told(row: tuple[object, ...]) -> tuple[object, ...]:
    """A row without what depends on when it was made."""
    timed = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
    return tuple(
        "…" if isinstance(v, float) or (isinstance(v, str) and timed.match(v)) else v for v in row
    )


def test_what_is_wrong_with_a_query_is_told_with_what_was_meant(crawled: tuple[str, str]) -> None:
    with Reader(crawled[0]) as reader:
        for sql, words in {
            "SELECT autor FROM quote": "did you mean author",
            "SELECT 1 FROM qoute": "did you mean quote",
            "DELETE FROM todo": "gives rows|only read",
            "SELECT 1; SELECT 2": "one statement",
            "SELEC 1": "syntax error",
        }.items():
            with pytest.raises(QueryError, match=words):
                list(reader.query(sql).rows)
        assert list(reader.query("SELECT 1").rows) == [(1,)]


def test_a_database_without_such_a_crawl_is_told(crawled: tuple[str, str]) -> None:
    with pytest.raises(StoreRefused, match="no such crawl"):
        Reader(crawled[0].replace("crawl=quotes", "crawl=nothing"))


def test_every_column_that_sqlite_has_is_there(crawled: tuple[str, str]) -> None:
    """A migration of the one store needs one of the other: crawler/store/postgres/migrations."""
    address, file = crawled
    with Reader(address) as reader, Reader(file) as other:
        here, there = reader.names(), other.names()
    there.pop("search")
    there.pop("revisit_queue")  # a recrawl over PostgreSQL is queued at once
    assert {t: set(columns) - set(here.get(t, ())) for t, columns in there.items()} == {
        t: set() for t in there
    }


def test_no_password_is_shown_or_stored(crawled: tuple[str, str]) -> None:
    secret = crawled[0].replace("postgres@", "postgres:s3cret@") + "&password=s3cret2"
    address = address_of(secret)
    assert "s3cret" not in f"{address} {address!r}"
    with Reader(secret) as reader:
        every = "SELECT settings FROM runs UNION ALL SELECT value FROM crawl"
        assert not any("s3cret" in str(row) for row in reader.query(every).rows)


def test_a_crawl_into_a_file_loads_no_asyncpg() -> None:
    code = "import sys, crawler, crawler.engine.crawler; sys.exit('asyncpg' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_each_worker_process_tells_how_many_pages_all_have_stored() -> None:
    """One site is one host: the other worker stores nothing, and may be the one that ends it."""
    address = server().dsn()

    async def worker(site: PracticeSite) -> Summary:
        spider = SiteSpider(site.url)
        settings = {"politeness": {"delay": 0.01, "robots": False}, "engine": {"max_pages": 20}}
        async with Crawler(spider, store=address, settings=settings) as crawler:
            return await crawler.run()

    async def both() -> list[Summary]:
        async with PracticeSite(robots=False) as site:
            return await asyncio.gather(worker(site), worker(site))

    summaries = asyncio.run(both())
    with Reader(address) as reader:
        [(stored,)] = reader.query("SELECT count(*) FROM pages WHERE outcome = 'ok'").rows
    assert sorted(each.last for each in summaries) == [False, True]
    [last] = [each for each in summaries if each.last]
    assert (last.total_pages, sum(each.pages for each in summaries)) == (stored, stored)
    assert 0 < stored <= 20
    assert stored == last.pages or f"({stored} with other processes" in ending.story(last)


def test_fresh_starts_over_and_keeps_what_was_there(tmp_path: Path) -> None:
    address = server().dsn()
    spider = str(ROOT / "spiders" / "quotes.py")
    with site_on_a_thread() as site, pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        asked = [spider, "-a", f"base={site.url}", "--set", "politeness.delay=0", "--quiet"]
        for more in ([], ["--fresh"]):
            code = command(["run", *asked, "--store", address, "--max-pages", "2", *more])
            assert code == 0
    crawl = address.rpartition("=")[2]
    kept = f"SELECT count(*) FROM pg_namespace WHERE nspname LIKE '{crawl}_20%'"
    assert server().psql(kept) == "1"
    with Reader(address) as reader:
        assert list(reader.query("SELECT count(*) FROM runs").rows) == [(1,)]
