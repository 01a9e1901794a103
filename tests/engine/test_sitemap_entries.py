"""What sitemaps list is a table, so that "in the sitemap" is a condition of SQL."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

from following_story import crawled, rows

from crawler import Rule, SitemapSpider, Spider
from crawler.engine import sitemap_reader
from crawler.practice import PracticeSite
from crawler.store import requeue

HEAD = '<?xml version="1.0"?>'


def urlset(*entries: tuple[str, str]) -> str:
    body = "".join(f"<url><loc>{url}</loc>{more}</url>" for url, more in entries)
    return f"{HEAD}<urlset>{body}</urlset>"


class Mapped(SitemapSpider):
    """Reads the sitemap, and goes where links lead."""

    name = "mapped"
    rules = (Rule(),)


def crawl_twice(store: Path, first: dict[str, str], second: dict[str, str] | None = None) -> str:
    """Crawl a site from /map.xml, and once more after it has changed; give its address."""

    async def story() -> str:
        async with PracticeSite(robots=False) as site:
            for pages in filter(None, (first, second)):
                for path, body in pages.items():
                    kind = "application/xml" if path.endswith("xml") else "text/html"
                    site.add_page(path, body.replace("SITE", site.at("/")[:-1]), content_type=kind)
                if pages is second:
                    requeue.recrawl(store, "2999-01-01T00:00:00.000Z", all_=True)
                spider = Mapped(site.at("/map.xml"))
                await crawled(spider, store)
            return site.at("/")[:-1]

    return asyncio.run(story())


def test_what_is_not_in_the_sitemap_is_one_query(tmp_path: Path) -> None:
    store = tmp_path / "a.db"
    more = "<lastmod>2026-01-31</lastmod><changefreq>daily</changefreq><priority>0.8</priority>"
    pages = {
        "/map.xml": urlset(("SITE/a", more), ("SITE/gone#x", "")),
        "/a": '<a href="/b">b</a>',
        "/b": "<p>b</p>",
    }
    base = crawl_twice(store, pages)
    found = rows(store, "SELECT sitemap, url, lastmod, changefreq, priority, run_id"
                        " FROM sitemap_entries ORDER BY url")  # fmt: skip
    assert found == [
        (f"{base}/map.xml", f"{base}/a", "2026-01-31", "daily", 0.8, 1),
        (f"{base}/map.xml", f"{base}/gone", None, None, None, 1),
    ]
    missing = "SELECT url FROM pages WHERE outcome = 'ok' AND url NOT IN" \
        " (SELECT url FROM sitemap_entries)"  # fmt: skip
    assert rows(store, missing) == [f"{base}/b"]


def test_a_sitemap_that_is_read_again_forgets_what_it_no_longer_lists(tmp_path: Path) -> None:
    first = {"/map.xml": urlset(("SITE/a", ""), ("SITE/b", "")), "/a": "a", "/b": "b", "/c": "c"}
    again = {"/map.xml": urlset(("SITE/c", "<priority>1.0</priority>"), ("SITE/b", ""))}
    base = crawl_twice(tmp_path / "a.db", first, again)
    found = rows(tmp_path / "a.db", "SELECT url, priority, run_id FROM sitemap_entries ORDER BY 1")
    assert found == [(f"{base}/b", None, 2), (f"{base}/c", 1.0, 2)]


def test_what_the_rules_leave_out_is_in_the_sitemap_all_the_same(tmp_path: Path) -> None:
    class Some(SitemapSpider):
        name = "some"
        sitemap_rules = (Rule("/a"),)

    async def story() -> Any:
        async with PracticeSite(robots=False) as site:
            site.add_page("/map.xml", urlset((site.at("/a"), ""), (site.at("/b"), "")))
            spider: Spider = Some(site.at("/map.xml"))
            await crawled(spider, tmp_path / "a.db")

    asyncio.run(story())
    assert rows(tmp_path / "a.db", "SELECT count(*) FROM sitemap_entries") == [2]
    assert rows(tmp_path / "a.db", "SELECT count(*) FROM pages WHERE url LIKE '%/b'") == [0]


def test_entries_of_a_large_sitemap_are_all_stored(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(sitemap_reader, "_AT_ONCE", 20)
    monkeypatch.setattr(sitemap_reader, "_SLICE", 7)
    entries = [(f"SITE/{number}", "") for number in range(50)]
    crawl_twice(tmp_path / "a.db", {"/map.xml": urlset(*entries)})
    assert rows(tmp_path / "a.db", "SELECT count(*) FROM sitemap_entries") == [50]


def test_a_table_of_that_name_in_an_older_store_is_left_alone(tmp_path: Path) -> None:
    from item_story import store as stored

    store = tmp_path / "a.db"
    stored(store, [])
    with sqlite3.connect(store) as db:
        db.execute("DROP TABLE sitemap_entries")
        db.execute("CREATE TABLE sitemap_entries (item_id INTEGER PRIMARY KEY, mine TEXT)")
        db.execute("INSERT INTO item_types VALUES ('sitemap_entries', '{\"mine\": \"TEXT\"}',"
                   " '[]', 0, '{}')")  # fmt: skip
        db.execute("DELETE FROM crawl WHERE key = 'spider'")
    db.close()
    crawl_twice(store, {"/map.xml": urlset(("SITE/a", "")), "/a": "a"})
    assert rows(store, "SELECT * FROM sitemap_entries") == []
