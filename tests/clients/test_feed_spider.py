"""FeedSpider: the records of a feed, part by part, each exactly once."""

import asyncio
import json
import os
import sqlite3
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from client_story import on_site, run_killed, until
from postgres_server import server
from site_thread import site_on_a_thread

from crawler import Crawler, FeedSpider, Request, StopCrawl, item
from crawler.clients import feed_parts
from crawler.errors import UsageError
from crawler.inspect.query import Reader
from crawler.practice import PracticeSite
from crawler.store.requeue import recrawl, retry

KILLS = int(os.environ.get("KILLS", "2"))  # make kill-test: many


@item(key="id")
class Product:
    id: int
    name: str
    price: float | None = None


class Shop(FeedSpider):
    name = "shop"
    record_type = Product
    settings: ClassVar[Any] = {"politeness": {"delay": 0.0}, "fetch": {"retry_delay": 0.0}}


def rows(store: Path, sql: str) -> list[Any]:
    with sqlite3.connect(store) as db:
        found = db.execute(sql).fetchall()
    db.close()
    return found


def lines(numbers: Iterable[int]) -> bytes:
    return b"".join(
        json.dumps({"id": number, "name": f"Tea {number}", "price": number / 2}).encode() + b"\n"
        for number in numbers
    )


async def crawl(spider: FeedSpider | type[FeedSpider], store: Path, url: str, **more: Any) -> Any:
    made = spider() if isinstance(spider, type) else spider
    made.start_urls = [url]
    async with Crawler(made, store=store, settings=more or None) as crawler:
        return await crawler.run()


XML = (
    "<rss><channel><title>Teas</title>"
    + "".join(f"<item><id>{n}</id><name>Tea {n}</name><price></price></item>" for n in range(1300))
    + "</channel></rss>"
)
CSV = "id;name;price\n" + "".join(f"{n};Tea {n};{n}.5\n" for n in range(1300))


@on_site()
async def test_records_of_every_format_are_stored_in_parts_and_typed(
    site: PracticeSite, tmp_path: Path
) -> None:
    bodies = {
        "a.xml": XML.encode(),
        "a.csv": CSV.encode(),
        "a.jsonl": lines(range(1300)),
        "a.json": b'{"items": [' + lines(range(1300)).replace(b"\n", b",")[:-1] + b"]}",
    }
    for name, body in bodies.items():
        store, url = tmp_path / f"{name}.db", site.add_page(f"/{name}", body)
        summary = await crawl(Shop, store, url)
        assert (summary.state, summary.pages, summary.items) == ("finished", 1, 1300)
        assert summary.outcomes == {"ok": 1, "records": 2}
        found = rows(store, "SELECT id, name, price, page_url FROM product ORDER BY id")
        assert len(found) == 1300
        price = None if name == "a.xml" else 8.5 if name == "a.csv" else 4.0
        assert found[8] == (8, "Tea 8", price, url)
        assert rows(store, "SELECT url, size FROM files") == [(url, len(body))]


@on_site()
async def test_nothing_is_sent_for_a_part_and_no_delay_holds_it_up(
    site: PracticeSite, tmp_path: Path
) -> None:
    url = site.add_page("/a.jsonl", lines(range(5000)))
    slow = {"politeness": {"delay": 600.0, "robots": False}}
    summary = await crawl(Shop, tmp_path / "s.db", url, **slow)
    assert summary.items == 5000
    assert [hit.path for hit in site.hits] == ["/a.jsonl"]


@on_site()
async def test_a_record_that_does_not_fit_or_whose_callback_raises_is_refused_alone(
    site: PracticeSite, tmp_path: Path
) -> None:
    class Careful(Shop):
        heard: ClassVar[list[Any]] = []

        def parse_record(self, record: Product, feed: Any) -> Any:
            if record.id == 1500:
                raise ValueError("no such tea")
            yield record

        def on_error(self, request: Request, outcome: Any, status: Any, page: Any) -> None:
            self.heard.append((str(outcome), status, page))

    body = lines(range(10)) + b'{"id": "x"}\n{"id": 7' + b"\n" + lines(range(10, 2300))
    summary = await crawl(Careful, tmp_path / "s.db", site.add_page("/a.jsonl", body))
    assert summary.items == 2299 and summary.refused == {"item_refused": 3}
    assert summary.outcomes == {"ok": 1, "records": 2, "record_error": 1} and summary.errors == 1
    assert Careful.heard == [("record_error", None, None)]
    found = rows(tmp_path / "s.db", "SELECT item, reason, value FROM problems ORDER BY item")
    assert [row[0] for row in found] == ["Product", "json", "record"]
    assert "no such tea" in found[2][1] and json.loads(found[2][2])["id"] == 1500
    assert summary.failed_callbacks == []  # it gives items of the others

    # Once it is mended, `retry` reads that part alone, and nothing is there twice.
    Careful.parse_record = Shop.parse_record  # type: ignore[method-assign]
    assert retry(tmp_path / "s.db") == 1
    again = await crawl(Careful, tmp_path / "s.db", site.at("/a.jsonl"))
    assert again.outcomes == {"records": 1} and len(site.hits) == 2
    count = "SELECT count(*), count(DISTINCT id), sum(id) FROM product"
    assert rows(tmp_path / "s.db", count) == [(2300, 2300, sum(range(2300)))]


@on_site()
async def test_a_callback_that_fails_for_every_record_fails_the_run(
    site: PracticeSite, tmp_path: Path
) -> None:
    class Wrong(Shop):
        def parse_record(self, record: Product, feed: Any) -> Any:
            raise KeyError("tea")

    url = site.add_page("/a.jsonl", lines(range(3)))
    summary = await crawl(Wrong, tmp_path / "s.db", url)
    assert summary.failed_callbacks == ["parse_record"] and summary.refused == {"item_refused": 3}


@on_site()
async def test_of_a_broken_feed_the_records_before_are_stored_and_the_error_says_where(
    site: PracticeSite, tmp_path: Path
) -> None:
    broken = XML.replace("<id>1200</id>", "<id>1200</i>").encode()
    summary = await crawl(Shop, tmp_path / "s.db", site.add_page("/a.xml", broken))
    assert summary.state == "finished" and summary.items == 1200
    [(error,)] = rows(tmp_path / "s.db", "SELECT error FROM pages WHERE outcome = 'record_error'")
    assert "broken xml behind record 1,200" in error


@on_site()
async def test_a_stopped_crawl_goes_on_behind_the_record_that_stopped_it(
    site: PracticeSite, tmp_path: Path
) -> None:
    class Stopping(Shop):
        at_record: int | None = 1234

        def parse_record(self, record: Product, feed: Any) -> Any:
            yield record
            if record.id == self.at_record:
                raise StopCrawl("enough tea")

    store, url = tmp_path / "s.db", site.add_page("/a.jsonl", lines(range(3000)))
    first = await crawl(Stopping, store, url)
    assert (first.reason, first.items) == ("enough tea", 1235)
    limited = await crawl(Shop, store, url, engine={"max_items": 2000})
    assert (limited.reason, limited.items) == ("max_items", 765)
    last = await crawl(Shop, store, url)
    assert (last.state, last.items) == ("finished", 1000)
    assert rows(store, "SELECT count(*), count(DISTINCT id) FROM product") == [(3000, 3000)]
    assert [hit.path for hit in site.hits].count("/a.jsonl") == 1


@on_site()
async def test_a_limit_of_one_page_lets_a_feed_be_read_whole(
    site: PracticeSite, tmp_path: Path
) -> None:
    url = site.add_page("/a.jsonl", lines(range(2500)))
    summary = await crawl(Shop, tmp_path / "s.db", url, engine={"max_pages": 1})
    assert (summary.pages, summary.items) == (1, 2500)


@on_site()
async def test_a_recrawl_of_a_feed_marks_the_records_that_it_has_no_more(
    site: PracticeSite, tmp_path: Path
) -> None:
    store, url = tmp_path / "s.db", site.add_page("/a.jsonl", lines(range(3500)))
    await crawl(Shop, store, url)
    site.add_page("/a.jsonl", lines(range(100, 1600)))
    assert recrawl(store, "2100-01-01", all_=True) == 1
    await crawl(Shop, store, url)
    there = "SELECT min(id), max(id), count(*) FROM product WHERE gone_at IS NULL"
    assert rows(store, there) == [(100, 1599, 1500)]
    assert rows(store, "SELECT count(*) FROM product WHERE gone_at IS NOT NULL") == [(2000,)]

    class Plain(Shop):  # without a key: what a part gave before makes room
        name = "plain"
        record_type = None

    store = tmp_path / "p.db"
    site.add_page("/a.jsonl", lines(range(2500)))
    await crawl(Plain, store, url)
    site.add_page("/a.jsonl", lines(range(10, 1200)))
    recrawl(store, "2100-01-01", all_=True)
    await crawl(Plain, store, url)
    there = "SELECT min(id), max(id), count(*) FROM item WHERE gone_at IS NULL"
    assert rows(store, there) == [(10, 1199, 1190)]


@on_site()
async def test_a_file_that_is_gone_is_fetched_again_and_a_changed_feed_is_no_other_half(
    site: PracticeSite, tmp_path: Path
) -> None:
    url = site.add_page("/a.jsonl", lines(range(3000)))
    for changed in (False, True):
        store = tmp_path / f"{changed}.db"
        await crawl(Shop, store, url, engine={"max_items": 1500})
        [(path,)] = rows(store, "SELECT path FROM files")
        (store.with_name(store.name + ".files") / path).unlink()
        if changed:
            site.add_page("/a.jsonl", lines(range(50, 3000)))
        summary = await crawl(Shop, store, url)
        count = rows(store, "SELECT count(*), count(DISTINCT id) FROM product")
        if not changed:
            assert count == [(3000, 3000)]
            continue
        assert count == [(1500, 1500)] and summary.outcomes == {"records": 1, "bad_file": 1}
        recrawl(store, "2100-01-01", all_=True)
        await crawl(Shop, store, url)
        there = "SELECT min(id), count(*) FROM product WHERE gone_at IS NULL"
        assert rows(store, there) == [(50, 2950)]


@on_site()
async def test_over_postgresql_another_machine_goes_on_with_a_feed(
    site: PracticeSite, tmp_path: Path
) -> None:
    url, store = site.add_page("/a.jsonl", lines(range(2500))), server().dsn("feeds")
    for machine, most in (("one", 1200), ("two", None)):  # each has files of its own
        spider = Shop()
        spider.start_urls = [url]
        settings = {"store": {"files": str(tmp_path / machine)}, "engine": {"max_items": most}}
        async with Crawler(spider, store=store, settings=settings) as crawler:
            summary = await crawler.run()
    assert (summary.state, summary.items) == ("finished", 1300)
    with Reader(store) as reader:
        [found] = reader.query("SELECT count(*), count(DISTINCT id) FROM product").rows
    assert found == (2500, 2500)


class Late(Shop):
    """Fails for every record of the first part."""

    def parse_record(self, record: Any, feed: Any) -> Any:
        if record.id < 1000:
            raise ValueError("too early")
        return record


@on_site()
async def test_a_part_that_failed_does_not_stand_for_those_that_did_not(
    site: PracticeSite, tmp_path: Path
) -> None:
    site.add_page("/a.jsonl", lines(range(1300)))
    spider = Late()
    spider.start_urls = [site.at("/a.jsonl")]
    async with Crawler(spider, store=tmp_path / "c.db") as crawler:
        assert (await crawler.run()).items == 300
        assert crawler.stats.failed_callbacks("shop") == []


@on_site()
async def test_of_many_feeds_at_once_not_all_files_stay_open(
    site: PracticeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_parts, "_OPEN", 0)
    site.add_page("/a.jsonl", lines(range(2300)))
    at_work: list[int] = []

    class Counting(Shop):
        def parse_record(self, record: Any, feed: Any) -> Any:
            at_work.append(record.id)
            return record

    assert (await crawl(Counting, tmp_path / "c.db", site.at("/a.jsonl"))).items == 2300
    assert at_work == list(range(2300))


class Odd(FeedSpider):
    """Puts into its state what no store can keep."""

    name = "odd"
    settings: ClassVar[Any] = {"politeness": {"delay": 0.0}}

    def parse_record(self, record: Any, feed: Any) -> Any:
        self.state["odd"] = object()
        return None


@on_site()
async def test_a_state_that_cannot_be_kept_ends_the_crawl_and_not_the_feed(
    site: PracticeSite, tmp_path: Path
) -> None:
    site.add_page("/a.jsonl", lines(range(3)))
    with pytest.raises(UsageError, match=r"self\.state\['odd'\]"):
        await crawl(Odd, tmp_path / "c.db", site.at("/a.jsonl"))


CHILD = """
    import asyncio, sys
    from crawler import Crawler, FeedSpider

    class Shop(FeedSpider):
        name = "shop"
        settings = {"fetch": {"allow_private": True}}
        start_urls = [sys.argv[1] + "a.jsonl"]

        def parse_record(self, record, feed):
            self.state["sum"] = self.state.get("sum", 0) + record["id"]
            self.stats.count("records")
            yield record

    async def main():
        async with Crawler(Shop, store=sys.argv[2]) as crawler:
            await crawler.run()

    asyncio.run(main())
"""


def test_killed_again_and_again_every_record_is_there_exactly_once(tmp_path: Path) -> None:
    number = KILLS * 3000
    store, script, before = tmp_path / "c.db", tmp_path / "child.py", 0
    script.write_text(textwrap.dedent(CHILD))

    def parts() -> int:
        try:
            return int(rows(store, "SELECT count(*) FROM pages WHERE outcome = 'records'")[0][0])
        except sqlite3.Error:
            return 0

    async def some_parts() -> None:
        nonlocal before
        await until(lambda: parts() > before)
        before = parts()

    with site_on_a_thread() as site:
        site.add_page("/a.jsonl", lines(range(number)))
        story = run_killed(script, site.url, str(store), kills=KILLS, when=some_parts)
        assert asyncio.run(story) >= 1
        asked = [hit.path for hit in site.hits]
    assert rows(store, "SELECT count(*), count(DISTINCT id) FROM item") == [(number, number)]
    [(state,)] = rows(store, "SELECT value FROM crawl WHERE key = 'state'")
    assert json.loads(state)["sum"] == sum(range(number))
    counted = "SELECT value FROM counters WHERE name = 'spider.records'"
    assert rows(store, counted) == [(number,)]
    assert asked.count("/a.jsonl") == 1


class Index(Shop):
    """A page that leads to a feed, and records that lead to pages."""

    def start(self) -> Any:
        yield Request(self.start_urls[0])

    def parse(self, page: Any) -> Any:
        if page.title == "index":
            yield self.feed(page.urljoin("a.jsonl") or "", args={"shade": "green"})
        else:
            yield {"title": page.title}

    def parse_record(self, record: Product, feed: Any, shade: str = "") -> Any:
        yield {"id": record.id, "shade": shade}
        if record.id % 1000 == 0:
            yield Request(feed.urljoin(f"page/{record.id}"))


@on_site()
async def test_pages_lead_to_feeds_and_records_to_pages_also_over_worker_processes(
    site: PracticeSite, tmp_path: Path
) -> None:
    url = site.add_page("/index", "<title>index</title>")
    site.add_page("/a.jsonl", lines(range(2500)))
    for number in (0, 1000, 2000):
        site.add_page(f"/page/{number}", f"<title>{number}</title>")
    for processes in (1, 2):
        store = tmp_path / f"{processes}.db"
        summary = await crawl(Index, store, url, engine={"processes": processes})
        assert (summary.state, summary.pages, summary.items) == ("finished", 5, 2503)
        shades = "SELECT shade, count(*) FROM item WHERE id IS NOT NULL GROUP BY 1"
        assert rows(store, shades) == [("green", 2500)]
        depths = "SELECT DISTINCT depth FROM pages WHERE url LIKE '%/page/%'"
        assert rows(store, depths) == [(2,)]
