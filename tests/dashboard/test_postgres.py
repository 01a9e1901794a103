"""The page over a crawl in PostgreSQL: every view answers, is live, and gives away nothing."""

import asyncio

import aiohttp
import pytest
from page_story import crawled, got, shown, told
from postgres_server import server

from crawler.dashboard.views import BY_PATH
from crawler.errors import QueryError
from crawler.inspect.query import Reader
from crawler.practice import PracticeSite
from crawler.store.address import address_of

from .test_views import address, text_of

MORE = (
    *("ask?action=retry&target={host}", "pages?outcome=errors", "pages?outcome=queued"),
    *("pages?host={host}&type=html", "items?where=price+%3E+1", "hosts?sort=pages&state=done"),
    *("politeness?wait=30", "search?q={host}/1", "url?url={start}1/11&wait=30&links=all"),
    *("?span=15m", "sql?sql=SELECT+datetime(at,+'unixepoch')+FROM+ticks"),
)


@pytest.fixture(scope="module")
def store():
    """A finished crawl with a cookie, and the host that it was of."""
    place = server().dsn()

    async def make():
        async with PracticeSite(robots=False) as site:
            await crawled(site, place)
            return site.url.rstrip("/")

    host = asyncio.run(make())
    crawl = place.rpartition("=")[2]
    server().psql(
        f"INSERT INTO {crawl}.cookies (session, domain, path, name, cookie)"
        " VALUES ('', 'a.example', '/', 'sid', '{\"v\": \"s3cret\"}')"
    )
    server().psql("CREATE TABLE IF NOT EXISTS public.elsewhere AS SELECT 's3cret'::text AS said")
    return address_of(place), host


def test_every_view_answers_over_postgresql(store):
    place, host = store

    async def story():
        async with shown(place) as base:
            for path in (*BY_PATH, *MORE):
                status, page = await got(f"{base}/{place.name}/{address(path, host)}")
                assert status == 200, (path, text_of(page)[-500:])
            _, page = await got(f"{base}/{place.name}/")
            assert "thing 7" not in text_of(page) and "Finished on" in text_of(page)
            _, page = await got(f"{base}/{place.name}/workers")
            assert f"PostgreSQL, {place}" in text_of(page)
            status, text = await got(base + "/metrics")
            assert f'crawlkeep_state{{crawl="{place.name}",state="finished"}} 1.0' in text
            assert await got(base + "/readyz") == (200, "ok\n")

    told(story())


def test_what_is_asked_by_somebody_else_is_seen_within_a_second(store):
    place, _ = store

    async def story():
        async with shown(place) as base, aiohttp.ClientSession() as session:
            url = f"{base}/{place.name}/events?view=control"
            async with session.get(url) as answer:
                seen = b""
                while b"event: beat" not in seen:
                    seen += await answer.content.readany()
                assert b"from psql" not in seen
                await asyncio.to_thread(
                    server().psql,
                    f"INSERT INTO {place.name}.control (action, target, reason)"
                    " VALUES ('add', 'http://a.example/', 'from psql')",
                )
                async with asyncio.timeout(3):
                    while b"from psql" not in seen:
                        seen += await answer.content.readany()

    told(story())


REFUSED = (
    "DELETE FROM pages",
    "SELECT 1; DELETE FROM pages",
    "WITH gone AS (DELETE FROM pages RETURNING 1) SELECT * FROM gone",
    "SELECT * FROM cookies",
    'SELECT cookie FROM "cookies"',
    "TABLE cookies",
    "SELECT c FROM (SELECT 1) AS one, /* /* */ */ cookies AS c",
    'SELECT * FROM U&"\\0063ookies"',
    "SELECT $$x$$ FROM cookies",
    "SELECT query_to_xml('SELECT * FROM cook' || 'ies', true, false, '')",
    "SELECT table_to_xml('cook' || 'ies', true, false, '')",
    "SELECT ts_stat('SELECT to_tsvector(cookie) FROM cook' || 'ies')",
    "SELECT most_common_vals FROM pg_stats",
    "SELECT * FROM pg_catalog.pg_authid",
    "SELECT table_name FROM information_schema.tables",
    "SELECT said FROM public.elsewhere",
    'SELECT said FROM "public" . "elsewhere"',
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT pg_terminate_backend(1)",
    "SELECT set_config('search_path', 'public', false)",
    "SELECT nextval('crawl_seqs')",
    "SELECT repeat('x', 1000000000)",
    "COPY pages TO PROGRAM 'touch /tmp/evil'",
    "DO $$ BEGIN END $$",
    "SET search_path TO public",
    "EXPLAIN ANALYZE DELETE FROM pages",
)


@pytest.mark.parametrize("sql", REFUSED)
def test_sql_of_strangers_reads_only_tables_of_the_crawl(store, sql):
    with Reader(store[0]) as reader:
        reader.guard("cookies")
        with pytest.raises(QueryError), reader.limited(2.0):
            list(reader.query(sql).rows)
        [(left,)] = reader.query("SELECT count(*) FROM pages").rows
        assert left > 40


SECRET = (
    "false) UNION SELECT 1, 'http://a.example/', cookie, 4 FROM cookies WHERE (true",
    "(SELECT max(cookie) FROM cookies) LIKE '%s_cret%'",
    "false) UNION SELECT 1, 'http://a.example/', said, 4 FROM public.elsewhere WHERE (true",
    "(SELECT count(*) FROM pg_catalog.pg_authid) > 0",
)


def test_a_condition_reads_only_tables_of_the_crawl_at_once_and_live(store):
    place, _ = store

    async def story():
        async with shown(place) as base, aiohttp.ClientSession() as session:
            items = f"{base}/{place.name}/items"
            _, page = await got(items, params={"where": "price > 1"})
            assert "The latest of thing" in page
            for where in SECRET:
                _, page = await got(items, params={"where": where})
                assert "s3cret" not in page and "The latest of thing" not in page, where
                assert 'role="alert"' in page, where
            asked = {"view": "items", "where": SECRET[1]}
            async with session.get(f"{base}/{place.name}/events", params=asked) as answer:
                seen = b""
                while b"event: beat" not in seen:
                    seen += await answer.content.readany()
            assert b'id="items"' in seen and b"The latest of thing" not in seen

    told(story())


def test_sql_that_only_reckons_is_answered(store):
    with Reader(store[0]) as reader:
        reader.guard("cookies")
        for sql in (
            "SELECT 'cookies', count(*), max(url) FROM pages -- not the table cookies",
            "WITH n AS (SELECT generate_series(1, 5) AS i) SELECT sum(i) FROM n",
            'SELECT host(url) AS "the host", round(avg(elapsed), 2) FROM pages GROUP BY 1',
            "(SELECT url FROM pages LIMIT 1) UNION ALL (SELECT url FROM todo LIMIT 1)",
            "SELECT unixepoch(fetched_at), E'it\\'s', upper(outcome) FROM pages LIMIT 2",
        ):
            assert list(reader.query(sql).rows), sql
        assert list(reader.explain("SELECT url FROM pages").rows)
        assert "pages" in reader.names()


def test_a_query_that_takes_too_long_is_stopped_by_the_server(store):
    with Reader(store[0]) as reader:
        endless = "SELECT count(*) FROM pages a, pages b, pages c, pages d, pages e, pages f"
        with pytest.raises(QueryError, match=r"stopped after 0\.2 s"), reader.limited(0.2):
            list(reader.query(endless).rows)
        [(left,)] = reader.query("SELECT count(*) FROM pages").rows
        assert left > 40
