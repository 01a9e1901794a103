"""Content-Encoding as servers write it: lists, several lines, mistakes, and what is no success."""

import asyncio
import gzip
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import brotli
import pytest
from aiohttp import web
from backports import zstd
from client_story import Served
from multidict import CIMultiDict

from crawler import Crawler, ScrapedPage, Spider
from crawler.errors import BadCoding
from crawler.http.content_encoding import codings_of

PAGE = b"<title>Hi</title>"
PACKED = gzip.compress(PAGE)

# The lines of the header, the codings to undo.
LINES = [
    (["gzip"], ["gzip"]),
    (["gzip", "br"], ["gzip", "br"]),
    (["gzip, br"], ["gzip", "br"]),
    ([" GZIP ,\tBr "], ["gzip", "br"]),
    (["identity", "gzip"], ["gzip"]),
    (["", ",gzip,,", ""], ["gzip"]),
    (["x-gzip"], ["x-gzip"]),
    ([""], []),
    (["none"], []),
    (["utf-8"], []),
    (["UTF8"], []),
    (["aws-chunked"], []),
    (["aws-chunked,gzip"], ["gzip"]),
    (["text/html; charset=utf-8"], []),
    (["binary", "8bit"], []),
    (["gzip;q=1"], []),
    ([], []),
]


@pytest.mark.parametrize(("lines", "codings"), LINES)
def test_all_lines_are_one_list_and_what_is_no_coding_is_stepped_over(
    lines: list[str], codings: list[str]
) -> None:
    assert codings_of(CIMultiDict(("Content-Encoding", line) for line in lines)) == codings


@pytest.mark.parametrize("name", ["compress", "x-compress", "Pack200-Gzip", "exi", "dcb", "dcz"])
def test_a_coding_that_is_known_and_not_undone_is_no_body(name: str) -> None:
    with pytest.raises(BadCoding, match="cannot be undone"):
        codings_of(CIMultiDict({"Content-Encoding": f"gzip, {name}"}))


# Path: status, lines of the header, further headers, body.
SITE: dict[str, tuple[int, list[str], dict[str, str], bytes]] = {
    "/utf8": (200, ["utf-8"], {}, PAGE),
    "/aws": (200, ["aws-chunked"], {}, PAGE),
    "/empty": (200, [""], {}, PAGE),
    "/lines": (200, ["gzip", "br"], {}, brotli.compress(PACKED)),
    "/identity": (200, ["identity", "gzip"], {}, PACKED),
    "/deflate": (200, ["deflate", "zstd"], {}, zstd.compress(zlib.compress(PAGE))),
    "/lies": (200, ["gzip"], {}, PAGE),
    "/compress": (200, ["compress"], {}, b"\x1f\x9d\x90"),
    "/moved": (301, ["gzip"], {"Location": "/there"}, b"moved"),
    "/moved-unknown": (302, ["compress"], {"Location": "/there2"}, b"moved"),
    "/there": (200, [], {}, PAGE),
    "/there2": (200, [], {}, PAGE),
    "/gone": (404, ["gzip"], {}, b"not gzip"),
    "/gone-coded": (404, ["gzip"], {}, gzip.compress(b"not found")),
    "/gone-cut": (410, ["gzip"], {}, PACKED[:-4]),
    "/limited": (429, ["br"], {}, b"slow down"),
    "/broken": (500, ["gzip, gzip, gzip, gzip"], {}, b"oops"),
}
ENDS = {
    **dict.fromkeys(("/utf8", "/aws", "/empty", "/lines", "/identity"), ("ok", 200, "Hi")),
    **dict.fromkeys(("/deflate", "/there", "/there2"), ("ok", 200, "Hi")),
    "/lies": ("bad_coding", None, None),
    "/compress": ("bad_coding", None, None),
    "/moved": ("redirect", 301, None),
    "/moved-unknown": ("redirect", 302, None),
    "/gone": ("not_found", 404, None),
    "/gone-coded": ("not_found", 404, None),
    "/gone-cut": ("not_found", 410, None),
    "/limited": ("rate_limited", 429, None),
    "/broken": ("server_error", 500, None),
}


class Pages(Spider):
    name = "pages"
    settings: ClassVar[Any] = {"politeness": {"delay": 0}, "fetch": {"retries": 0}}

    def __init__(self, *urls: str) -> None:
        super().__init__()
        self.start_urls = list(urls)

    def parse(self, page: ScrapedPage) -> None:
        """Take nothing."""


def said(name: str) -> Any:
    status, lines, others, body = SITE[name]

    async def serve(request: web.Request) -> web.Response:
        headers = CIMultiDict(others)
        for line in lines:
            headers.add("Content-Encoding", line)
        return web.Response(status=status, body=body, headers=headers, content_type="text/html")

    return serve


def crawled(store: Path, site: dict[str, Any], *paths: str) -> dict[str, Any]:
    """Crawl some paths; give outcome, status and title by path."""

    async def story() -> None:
        async with Served(site) as url:
            spider = Pages(*(url + path for path in paths))
            async with Crawler(spider, store=store) as crawler:
                await crawler.run()

    asyncio.run(story())
    with closing(sqlite3.connect(store)) as db:
        rows = db.execute("SELECT url, outcome, status, title FROM pages").fetchall()
    return {"/" + row[0].split("/", 3)[3]: row[1:] for row in rows}


def test_pages_redirects_and_errors_end_as_their_status_says(tmp_path: Path) -> None:
    paths = [path for path in SITE if path not in ("/there", "/there2")]
    site = {path: said(path) for path in SITE}
    assert crawled(tmp_path / "a.db", site, *paths) == ENDS


@pytest.mark.parametrize(
    ("status", "coding", "body", "outcome"),
    [
        (200, "utf-8", b"User-agent: *\nDisallow: /moved", "ok"),
        (200, "gzip", gzip.compress(b"User-agent: *\nDisallow: /there", mtime=0), "robots_denied"),
        (404, "gzip", b"not gzip", "ok"),
        (403, "compress", b"no", "ok"),
    ],
)
def test_a_robots_txt_with_an_odd_coding_does_not_shut_its_host(
    status: int, coding: str, body: bytes, outcome: str, tmp_path: Path
) -> None:
    async def robots(request: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers={"Content-Encoding": coding})

    site = {"/robots.txt": robots, "/there": said("/there")}
    assert crawled(tmp_path / "a.db", site, "/there")["/there"][0] == outcome
