"""What pages need to be shown: found where browsers find it, fetched of any host, kept apart."""

import asyncio
from pathlib import Path

import pytest
from aiohttp import web
from client_story import Served
from crawl_story import crawl, read

from crawler.cli import run as command
from crawler.links.requisites import references

SHEET = """/* url(comment.png) */ @import "two.css"; @import url('three.css') print;
body { background: url( bare.png ), URL("quo\\74 ed.png") , url(data:image/gif;base64,R0) }
@font-face { src: url(//127.0.0.1/font.woff2#iefix) } a { mask: url(#in) } b { x: url() }"""


def test_a_style_sheet_names_others_images_and_fonts() -> None:
    assert list(references(SHEET, "http://127.0.0.1/css/one.css")) == [
        "http://127.0.0.1/css/two.css",
        "http://127.0.0.1/css/three.css",
        "http://127.0.0.1/css/bare.png",
        "http://127.0.0.1/css/quoted.png",
        "http://127.0.0.1/font.woff2",
    ]


HOME = """<title>home</title><link rel=stylesheet href=/a.css><link rel=alternate href=/feed>
<link rel="icon" href=/icon.ico><script src={other}/s.js></script>
<style>p {{ background: url(/in-style.png) }}</style>
<p style="background: url(&quot;/attr.png&quot;)">
<img src=/img.png srcset="/img.png 1x, /img2.png 2x"><iframe src={other}/frame></iframe>
<img src=/moved.png><img src=/gone.png><img src="data:image/gif;base64,R0"><a href=/next>next</a>
<a href={other}/page>out of scope</a>"""
FRAME = "<img src=/of-frame.png><a href=/from-frame>no</a><iframe src=/frame2></iframe>"
KINDS = {".css": "text/css", ".png": "image/png", ".js": "text/javascript", ".ico": "image/x-icon"}


class Web:
    """Two hosts: a site, and one that only serves what it needs."""

    def __init__(self) -> None:
        self.asked = list[str]()
        self.other = ""

    async def answer(self, request: web.Request) -> web.Response:
        path = request.path
        if path == "/robots.txt":
            rules = "User-agent: *\nDisallow: /frame2\n" if request.url.port in self.ports else ""
            return web.Response(text=rules)
        self.asked.append(path)
        if path in ("/", "/next"):
            return web.Response(text=HOME.format(other=self.other), content_type="text/html")
        if path == "/gone.png":
            return web.Response(status=404)
        if path == "/moved.png":
            return web.Response(status=302, headers={"Location": self.other + "/here.png"})
        if path.startswith("/frame"):
            return web.Response(text=FRAME, content_type="text/html")
        if path == "/a.css":
            return web.Response(text="@import 'b.css';", content_type="text/css")
        if path == "/b.css":
            return web.Response(text="a{background:url(c.png)}", content_type="text/css")
        return web.Response(body=path.encode(), content_type=KINDS[path[path.rindex(".") :]])

    @property
    def ports(self) -> set[int]:
        return {int(self.other.rpartition(":")[2])}


NEEDED = {
    *("/a.css", "/b.css", "/c.png", "/icon.ico", "/in-style.png", "/attr.png", "/img.png"),
    *("/img2.png", "/s.js", "/frame", "/of-frame.png", "/here.png"),
}


def crawled(path: Path, **settings: object) -> Web:
    site = Web()

    async def story() -> None:
        routes = {"/{any:.*}": site.answer}
        async with Served(routes) as at, Served(routes) as site.other:
            await crawl(at + "/", path, **settings)

    asyncio.run(story())
    return site


def paths(store: Path, outcome: str) -> set[str]:
    found = read(store, f"SELECT url FROM pages WHERE outcome = '{outcome}'")
    return {"/" + url.split("/", 3)[3] for url in found}


def test_with_the_switch_they_are_fetched_of_any_host_kept_and_no_pages(tmp_path: Path) -> None:
    store = tmp_path / "a.db"
    site = crawled(store, links__requisites=True)
    assert paths(store, "ok") == {"/", "/next"}
    assert paths(store, "requisite") == NEEDED
    assert paths(store, "not_found") == {"/gone.png"}
    assert paths(store, "robots_denied") == {"/frame2"}
    assert len(site.asked) == len(set(site.asked))
    kept = read(store, "SELECT count(*) FROM bodies JOIN pages USING (page_id)")
    assert kept == [len(NEEDED) + 2]
    assert read(store, "SELECT count(*) FROM pages WHERE url LIKE '%from-frame'") == [0]


def test_without_it_only_links_are_followed(tmp_path: Path) -> None:
    site = crawled(tmp_path / "a.db")
    assert set(site.asked) == {"/", "/next"}


def test_a_limit_of_pages_leaves_none_of_them_out(tmp_path: Path) -> None:
    store = tmp_path / "a.db"
    crawled(store, links__requisites=True, engine__max_pages=1)
    assert paths(store, "ok") == {"/"}
    assert paths(store, "requisite") == NEEDED


def test_an_archive_of_them_has_them_all(tmp_path: Path) -> None:
    warcio = pytest.importorskip("warcio.archiveiterator", reason="warcio: the extra warc")
    store, out = tmp_path / "a.db", tmp_path / "a.warc.gz"
    crawled(store, links__requisites=True)
    assert command(["export", "pages", "-o", str(out), "--store", str(store)]) == 0
    found = dict[str, bytes]()
    with out.open("rb") as file:
        for record in warcio.ArchiveIterator(file):
            if record.rec_type == "response":
                url = record.rec_headers.get_header("WARC-Target-URI")
                found["/" + url.split("/", 3)[3]] = record.content_stream().read()
    assert set(found) >= NEEDED | {"/", "/next", "/moved.png", "/gone.png"}
    assert found["/img.png"] == b"/img.png" and b"url(c.png)" in found["/b.css"]
