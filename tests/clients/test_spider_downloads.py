"""A spider's downloads: stored under their content, with rows, resumed and exactly once."""

import hashlib
import sqlite3
import textwrap
from pathlib import Path
from typing import Any, ClassVar

from client_story import on_site, run_killed, until

from crawler import Crawler, Download, Request, Spider
from crawler.practice import PracticeSite
from crawler.practice.files import large_bytes

FAST = {
    "engine": {"scope": "any"},
    "politeness": {"delay": 0.0},
    "fetch": {"retry_delay": 0.0},
}


def rows(store: Path, sql: str) -> list[Any]:
    with sqlite3.connect(store) as db:
        found = db.execute(sql).fetchall()
    db.close()
    return found


class Files(Spider):
    name = "files"
    settings: ClassVar[Any] = FAST

    def __init__(self, *requests: Any) -> None:
        super().__init__()
        self.requests = requests
        self.got: list[Any] = []

    def start(self) -> Any:
        return self.requests

    def parse_file(self, file: Any) -> Any:
        self.got.append(file)
        return {"name": file.name, "size": file.size, "kind": file.meta["kind"]}


async def crawl(store: Path, *requests: Any, **settings: Any) -> tuple[Files, Any]:
    spider = Files(*requests)
    async with Crawler(spider, store=store, settings=settings) as crawler:
        return spider, await crawler.run()


@on_site()
async def test_a_file_lies_under_its_content_with_a_row(site: PracticeSite, tmp_path: Path) -> None:
    store = tmp_path / "c.db"
    url = site.at("/files/tides.csv")
    spider, summary = await crawl(
        store, Download(url, callback="parse_file", meta={"kind": "table"})
    )
    [file] = spider.got
    body = file.path.read_bytes()
    assert file.sha256 == hashlib.sha256(body).hexdigest() and body.startswith(b"hour,metres")
    assert file.path == tmp_path / "c.db.files" / file.sha256[:2] / file.sha256
    assert rows(store, "SELECT url, path, size, name, content_type FROM files") == [
        (url, file.address, len(body), "tides ≈.csv", "text/csv")
    ]
    assert rows(store, "SELECT name, size, kind, page_url FROM item") == [
        ("tides ≈.csv", len(body), "table", url)
    ]
    assert rows(
        store, "SELECT outcome, p.size, p.url = f.url FROM pages p JOIN files f USING (page_id)"
    )[0] == ("ok", len(body), 1)
    assert (summary.state, summary.pages) == ("finished", 1)
    assert not (tmp_path / "c.db.files" / "tmp").exists()


@on_site()
async def test_a_page_and_a_download_of_one_url_are_two_requests(
    site: PracticeSite, tmp_path: Path
) -> None:
    store = tmp_path / "c.db"
    url = site.at("/files/tides.csv")
    await crawl(store, Request(url), Download(url), Download(url))
    assert rows(store, "SELECT count(*) FROM pages") == [(2,)]
    assert rows(store, "SELECT count(*) FROM files") == [(1,)]


@on_site()
async def test_one_content_is_stored_once_however_often_it_is_found(
    site: PracticeSite, tmp_path: Path
) -> None:
    store = tmp_path / "c.db"
    site.add_page("/one", b"same")
    site.add_page("/two", b"same")
    await crawl(store, Download(site.at("/one")), Download(site.at("/two")))
    assert rows(store, "SELECT count(*), count(DISTINCT path) FROM files") == [(2, 1)]


@on_site()
async def test_a_broken_download_is_retried_and_resumed(site: PracticeSite, tmp_path: Path) -> None:
    store = tmp_path / "c.db"
    await crawl(store, Download(site.at("/files/large.bin?size=2000000&cut=700000")))
    [(sha256,)] = rows(store, "SELECT sha256 FROM files")
    assert sha256 == hashlib.sha256(large_bytes(0, 2_000_000)).hexdigest()
    hits = [hit for hit in site.hits if hit.path == "/files/large.bin"]
    assert [("Range" in hit.headers) for hit in hits] == [False, True]
    assert rows(store, "SELECT attempts FROM pages") == [(2,)]
    assert rows(store, "SELECT count(*) FROM attempts") == [(1,)]


@on_site()
async def test_a_redirected_download_is_still_a_download(
    site: PracticeSite, tmp_path: Path
) -> None:
    store = tmp_path / "c.db"
    site.add_redirect("/old", "/files/tides.csv", status=302)
    await crawl(store, Download(site.at("/old")))
    assert rows(store, "SELECT url, name FROM files") == [
        (site.at("/files/tides.csv"), "tides ≈.csv")
    ]
    assert rows(store, "SELECT outcome FROM pages ORDER BY page_id") == [("redirect",), ("ok",)]


@on_site()
async def test_what_is_not_there_or_not_as_promised_is_an_outcome(
    site: PracticeSite, tmp_path: Path
) -> None:
    store = tmp_path / "c.db"
    await crawl(
        store,
        Download(site.at("/status/404")),
        Download(site.at("/files/tides.csv"), sha256="0" * 64),
        Download(site.at("/files/large.bin")),
        fetch={"retries": 1, "retry_delay": 0.0, "max_file": 1000},
    )
    found = rows(store, "SELECT outcome FROM pages ORDER BY outcome")
    assert found == [("bad_file",), ("not_found",), ("too_large",)]
    assert rows(store, "SELECT * FROM files") == []
    left = [path for path in (tmp_path / "c.db.files").rglob("*") if path.is_file()]
    assert left == []


CHILD = """
    import asyncio, sys
    from crawler import Crawler, Download, Spider

    class Files(Spider):
        name = "files"
        settings = {"politeness": {"delay": 0.0, "per_host": 4}, "store": {"flush_interval": 0.05},
                    "fetch": {"allow_private": True}}
        def start(self):
            for n in range(12):
                yield Download(f"{sys.argv[1]}files/large.bin?size={3_000_000 + n}")

    async def main():
        async with Crawler(Files, store=sys.argv[2]) as crawler:
            print(await crawler.run())

    asyncio.run(main())
"""


@on_site()
async def test_killed_and_run_again_it_stores_every_file_exactly_once(
    site: PracticeSite, tmp_path: Path
) -> None:
    store, script = tmp_path / "c.db", tmp_path / "child.py"
    script.write_text(textwrap.dedent(CHILD))
    hits = iter((4, 10, 17, 25))

    async def some_hits() -> None:
        enough = next(hits)
        await until(lambda: len(site.hits) >= enough)

    assert await run_killed(script, site.url, str(store), kills=4, when=some_hits) >= 1
    found = rows(store, "SELECT size, sha256, path FROM files ORDER BY size")
    assert [size for size, _, _ in found] == [3_000_000 + n for n in range(12)]
    for size, sha256, path in found:
        body = (tmp_path / "c.db.files" / path).read_bytes()
        assert hashlib.sha256(body).hexdigest() == sha256 and len(body) == size
    kept = [path for path in (tmp_path / "c.db.files").rglob("*") if path.is_file()]
    assert len(kept) == 12
    assert rows(store, "SELECT count(*) FROM pages") == [(12,)]
