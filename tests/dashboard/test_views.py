"""Every view over a real store: it answers, its figures are those of SQL, parts have their ids."""

import asyncio
import html
import re
import shutil
import sqlite3
from urllib.parse import quote

import aiohttp
import pytest
from page_story import crawled, got, shown, text_of, told

from crawler.dashboard.views import BY_PATH, VIEWS
from crawler.practice import PracticeSite

ADDRESSES = {
    "host": "host?name={host}",
    "url": "url?url={start}",
    "search": "search?q=thing",
    "diff": "diff?from=1&to=1",
    "ask": "ask?action=block&target={host}",
    "sql": "sql?sql=SELECT+outcome,count(*)+FROM+pages+GROUP+BY+1",
}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A finished crawl, and the host that it was of."""
    path = tmp_path_factory.mktemp("page") / "things.db"

    async def make():
        async with PracticeSite(robots=False) as site:
            await crawled(site, path)
            return site.url.rstrip("/")

    return path, asyncio.run(make())


def address(path: str, host: str) -> str:
    return ADDRESSES.get(path, path).format(host=host, start=host + "/")


@pytest.mark.parametrize("path", list(BY_PATH))
def test_a_view_answers_with_its_parts(store, path):
    async def story():
        async with shown(store[0]) as base:
            status, page = await got(f"{base}/things/{address(path, store[1])}")
            assert status == 200, text_of(page)
            for part in BY_PATH[path].all:
                assert f'id="{part.id}"' in page, part.id
            assert page.count("<h1") == 1
            assert "style=" not in page and "onclick" not in page

    told(story())


def test_the_overview_says_what_the_store_holds(store):
    async def story():
        async with shown(store[0]) as base:
            _, page = await got(f"{base}/things/")
        text = text_of(page)
        with sqlite3.connect(store[0]) as db:
            stored = db.execute("SELECT value FROM crawl WHERE key = 'pages'").fetchone()[0]
            refused = db.execute("SELECT count(*) FROM problems").fetchone()[0]
        assert f"{stored} pages in" in text
        assert f"stored {stored}" in text
        assert f"{refused} item" in text and "not stored" in text and refused > 0
        assert "Finished" in text

    told(story())


def test_closed_patterns_are_counted_where_not_all_are_listed(store, tmp_path):
    path = tmp_path / "things.db"
    shutil.copy(store[0], path)
    with sqlite3.connect(path) as db:
        rows = [(f"http://a.example/c{n}/0", "http://a.example/c/1") for n in range(201)]
        db.executemany("INSERT INTO endless VALUES (?, ?)", rows)

    async def story():
        async with shown(path) as base:
            _, page = await got(f"{base}/things/traps")
        text = text_of(page)
        assert "201 patterns are closed" in text and "No trap was met" not in text
        assert "200 of 201" in text

    told(story())


def test_of_many_pages_that_link_to_one_the_first_are_shown_and_sql_has_all(store):
    with sqlite3.connect(store[0]) as db:
        sql = "SELECT target, count(DISTINCT source) AS n FROM links GROUP BY 1 ORDER BY n"
        few, *_, (most, number) = db.execute(sql).fetchall()
    assert few[1] <= 12 < number

    async def story():
        async with shown(store[0]) as base:
            for url, cut in ((few[0], False), (most, True)):
                _, page = await got(f"{base}/things/url?url={quote(url)}")
                assert ("The first 12; SQL has all." in page) == cut
                query = re.search('id="in".*?href="([^"]*sql=[^"]*)"', page, re.DOTALL)[1]
                assert "FROM+links" in query or "FROM%20links" in query

    told(story())


@pytest.mark.parametrize("spider", ["things", "site"])
def test_a_crawl_that_a_limit_ended_says_which_and_how_to_go_on(tmp_path, spider):
    path = tmp_path / "things.db"

    async def story():
        async with PracticeSite(robots=False) as site:
            await crawled(site, path, engine__max_pages=5)
        with sqlite3.connect(path) as db:
            db.execute("UPDATE runs SET spider = ?", (spider,))
        async with shown(path) as base:
            text = text_of((await got(f"{base}/things/"))[1])
            metrics = (await got(f"{base}/metrics"))[1]
        assert "Ended by: max_pages; a higher limit goes on." in text
        assert "Broken off" not in text and "killed" not in text
        command = f"crawler run things --store {path}"
        way = {"things": command, "site": "the command that began it"}[spider]
        assert f"URLs are queued. Go on with {way}" in text
        assert 'crawlkeep_state{crawl="things",state="stopped"} 1.0' in metrics

    told(story())


def test_the_front_leads_to_the_one_crawl_and_lists_several(store, tmp_path):
    async def story():
        async with (
            shown(store[0]) as base,
            aiohttp.ClientSession() as session,
            session.get(base + "/", allow_redirects=False) as answer,
        ):
            assert (answer.status, answer.headers["Location"]) == (303, "/things/")
        async with shown(store[0], tmp_path / "none.db") as base:
            status, page = await got(base + "/")
            assert status == 200
            assert "there is no such store" in text_of(page)
            assert 'href="/things/"' in page

    told(story())


def test_what_is_not_there_is_told_in_a_sentence(store):
    async def story():
        async with shown(store[0]) as base:
            for path, said in (
                ("/things/nothing", "no such view"),
                ("/other/", "no crawl of that name"),
                ("/things/host?name=none.example", "never met"),
                ("/things/url?url=nonsense", "is no URL"),
                ("/things/ask?action=dance", "no such question"),
                ("/things/ask?action=block&target=*", "every URL"),
                ("/things/diff?store=../things.db", "no store"),
            ):
                status, page = await got(base + path)
                assert (status in (200, 400, 404), said in text_of(page)) == (True, True), path

    told(story())


def test_sql_gives_rows_mistakes_and_files(store):
    async def story():
        async with shown(store[0]) as base:
            sql = "SELECT url, outcome FROM pages WHERE url LIKE '%/missing'"
            _, page = await got(f"{base}/things/sql", params={"sql": sql})
            assert "/missing" in text_of(page) and "1 row in" in text_of(page)
            _, page = await got(f"{base}/things/sql", params={"sql": "SELECT utl FROM pages"})
            assert "did you mean url" in text_of(page)
            for kind in ("csv", "json"):
                params = {"sql": sql, "format": kind}
                status, text = await got(f"{base}/things/sql", params=params)
                assert status == 200 and "/missing" in text
            params = {"sql": sql, "explain": "1"}
            _, page = await got(f"{base}/things/sql", params=params)
            assert "SCAN pages" in text_of(page)

    told(story())


def test_search_finds_urls_hosts_and_words(store):
    async def story():
        async with shown(store[0]) as base:
            _, page = await got(f"{base}/things/search", params={"q": "127.0.0.1"})
            assert "Hosts like it" in page
            _, page = await got(f"{base}/things/search", params={"q": "thing 12"})
            assert "/1/12" in page

    told(story())


def test_filters_and_older_pages_hold_on_to_what_was_asked(store):
    async def story():
        async with shown(store[0]) as base:
            _, page = await got(f"{base}/things/pages?outcome=errors")
            assert "not_found" in text_of(page) and "thing 3" not in text_of(page)
            _, page = await got(f"{base}/things/pages?outcome=stored")
            older = re.search(r'href="([^"]+)">Older', page)[1]
            _, page = await got(base + html.unescape(older))
            assert "thing 0" in text_of(page)
            assert re.search(r'href="[^"]+" aria-current="true">Stored', page)

    told(story())


def test_events_bring_parts_as_they_stand_in_a_fresh_page(store):
    async def story():
        async with shown(store[0]) as base, aiohttp.ClientSession() as session:
            _, page = await got(f"{base}/things/hosts")
            async with session.get(f"{base}/things/events?view=hosts") as answer:
                assert answer.headers["Content-Type"].startswith("text/event-stream")
                seen = b""
                while b"event: beat" not in seen:
                    seen += await answer.content.readany()
            parts = re.findall(r"event: part\ndata: (.*)\n", seen.decode())
            assert [re.search(r'id="(\w+)"', part)[1] for part in parts] == [
                "state",
                "steering",
                "views",
                "hosts",
            ]
            for part in parts:
                assert part in page

    told(story())


def test_health_and_metrics_are_there_without_a_crawl(store, tmp_path):
    async def story():
        async with shown(store[0]) as base:
            assert await got(base + "/healthz") == (200, "ok\n")
            assert await got(base + "/readyz") == (200, "ok\n")
            status, text = await got(base + "/metrics")
            assert status == 200
            assert 'crawlkeep_state{crawl="things",state="finished"} 1.0' in text
            assert 'crawlkeep_requests_total{crawl="things",outcome="not_found"} 2.0' in text
        async with shown(tmp_path / "none.db") as base:
            status, text = await got(base + "/readyz")
            assert status == 503 and "no such store" in text
            _, text = await got(base + "/metrics")
            assert 'crawlkeep_up{crawl="none"} 0.0' in text

    told(story())


def test_every_view_of_the_menu_has_a_key_of_its_own():
    keys = [view.key for view in VIEWS if view.key]
    assert len(keys) == len(set(keys)) == 11
