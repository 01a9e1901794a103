"""What a response is: MIME types parsed, extracted from headers, and told from bytes.

The values are those of https://mimesniff.spec.whatwg.org/ and of "extract a MIME type" of
https://fetch.spec.whatwg.org/; Chromium agrees on each page of `PAGES`.
"""

import asyncio
from pathlib import Path

import pytest
from following_story import crawled, rows
from multidict import CIMultiDict

from crawler import Request, ScrapedPage, SiteSpider
from crawler.parse import mime
from crawler.practice import PracticeSite
from crawler.web.response import Response

PARSED = [
    ("text/html", ("text/html", {})),
    (" TEXT/HTML\t; Charset=UTF-8 ", ("text/html", {"charset": "UTF-8"})),
    ('text/html;charset="a\\"b;c"x;d=e', ("text/html", {"charset": 'a"b;c', "d": "e"})),
    ('text/html;charset="open', ("text/html", {"charset": "open"})),
    ("text/html;charset=;charset=a;charset=b", ("text/html", {"charset": "a"})),
    ("text/html;a b=c;=d;e", ("text/html", {})),
    *((text, None) for text in ("", "html", "text/", "/html", "text/html charset=utf-8", "t t/h")),
]


@pytest.mark.parametrize(("text", "want"), PARSED)
def test_a_mime_type_is_parsed_as_the_standard_does(text: str, want: object) -> None:
    assert mime.parse(text) == want


EXTRACTED = [
    ("text/html, text/html; charset=utf-8", ("text/html", {"charset": "utf-8"})),
    ("text/html; charset=a, text/html", ("text/html", {"charset": "a"})),
    ("text/html; charset=a, text/html; charset=b", ("text/html", {"charset": "b"})),
    ("text/html; charset=a, text/plain, text/html", ("text/html", {})),
    ("text/html; charset=a, */*", ("text/html", {"charset": "a"})),
    ("text/html, cannot-parse", ("text/html", {})),
    ('text/html; charset="a,b", text/html; x=","', ("text/html", {"charset": "a,b", "x": ","})),
    ("text/plain, text/html", ("text/html", {})),
    ("*/*", None),
    (",", None),
]


@pytest.mark.parametrize(("header", "want"), EXTRACTED)
def test_of_several_types_the_last_counts(header: str, want: object) -> None:
    assert mime.extract(header) == want


HTML = b"<title>T</title><a href='/1'>1</a>"
COMPUTED = [
    (None, b"", "text/plain"),
    *((None, b"\n\t <" + tag + b">", "text/html") for tag in (
        b"!DOCTYPE html", b"HTML", b"head", b"Script", b"iframe", b"h1", b"div", b"font", b"table",
        b"a", b"style", b"title", b"b", b"body", b"br", b"p", b"!--")),
    (None, b"<b\n>", "text/html"), (None, b"<section>", "text/plain"),
    (None, b"<pre>", "text/html"), (None, b"<article/>", "text/html"),
    (None, b"<products>", "text/html"), (None, b"<H1x>", "text/html"),
    (None, b"<catalog>", "text/plain"),
    (None, b"x<p>", "text/plain"),
    (None, b" <?xml", "text/xml"), (None, b"%PDF-1", "application/pdf"),
    (None, b"%!PS-Adobe-", "application/postscript"), (None, b"\xfe\xff<p>", "text/plain"),
    (None, b"\xef\xbb\xbf<p>", "text/plain"), (None, b"\x89PNG\r\n\x1a\n", "image/png"),
    (None, b"GIF89a", "image/gif"), (None, b"RIFF1234WEBPVP8 ", "image/webp"),
    (None, b"\x1f\x8b\x08", "application/x-gzip"), (None, b"PK\x03\x04", "application/zip"),
    (None, b"a\0", "application/octet-stream"), (None, b"a\x1b", "text/plain"),
    *((kind, HTML, "text/html") for kind in ("*/*", "unknown/unknown", "application/unknown",
                                            "html", "text/html charset=utf-8", "TEXT/HTML")),
    ("text/plain", HTML, "text/plain"), ("text/plain", b"\0", "application/octet-stream"),
    ("text/plain; charset=UTF-8", b"\0", "application/octet-stream"),
    ("text/plain;charset=UTF-8", b"\0", "text/plain"), ("image/png", HTML, "image/png"),
    ("text/html", b"<?xml version='1.0'?>\n<!-- c --><rss>", "application/rss+xml"),
    ("text/html", b"<feed>", "application/atom+xml"), ("text/html", b"<html><rss>", "text/html"),
    ("text/html", b"<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'"
                  b" xmlns='http://purl.org/rss/1.0/'>", "application/rss+xml"),
]  # fmt: skip


@pytest.mark.parametrize(("header", "body", "want"), COMPUTED)
def test_bytes_tell_the_type_where_the_header_does_not(header, body: bytes, want: str) -> None:
    assert mime.computed(header, body) == want


def test_nosniff_keeps_markup_from_being_guessed() -> None:
    assert mime.computed(None, HTML, nosniff=True) == "text/plain"
    assert mime.computed("text/html", b"<rss>", nosniff=True) == "text/html"
    assert mime.computed("text/plain", b"\0", nosniff=True) == "text/plain"


XHTML = b'<html xmlns="http://www.w3.org/1999/xhtml"><head>%b</head></html>' % HTML
PAGES = {
    "twice": (["text/html", "text/html; charset=utf-8"], HTML),
    "comma": (["text/html, text/html; charset=utf-8"], HTML),
    "last": (["text/plain", "text/html"], HTML),
    "no semicolon": (["text/html charset=utf-8"], HTML),
    "no slash": (["html"], HTML),
    "any": (["*/*"], HTML),
    "unknown": (["unknown/unknown"], HTML),
    "application/unknown": (["application/unknown"], HTML),
    "upper case": (['TEXT/HTML; CHARSET="utf-8"'], HTML),
    "none": ([], b"<!doctype html>\n" + HTML),
    "a comment": ([], b"<!-- c -->" + HTML),
    "xml": (["application/xml"], b"<?xml version='1.0'?><!DOCTYPE html>" + XHTML),
    "text/xml": (["text/xml; charset=utf-8"], b"<!-- c -->" + XHTML),
    "nothing but xml": ([], b"<?xml version='1.0'?>" + XHTML),
    "xml in UTF-16": (["text/xml"], ("\ufeff" + XHTML.decode()).encode("utf-16-le")),
    "a feed as HTML": (["text/html"], b"<rss>" + HTML),
}
NO_PAGES = {
    "last": (["text/html", "text/plain"], HTML),
    "plain": (["text/plain"], HTML),
    "other xml": (["application/vnd.x+xml"], XHTML),
    "xml": (["application/xml"], b"<urlset><title>T</title></urlset>"),
    "marked bytes": ([], b"\xef\xbb\xbf" + HTML),
    "text before": ([], b"hello " + HTML),
    "empty": ([], b""),
}


def page(kinds: list[str], body: bytes) -> ScrapedPage:
    headers = CIMultiDict([("Content-Type", kind) for kind in kinds])
    return ScrapedPage(
        Response("http://e.org/", 200, headers, body, 0, 0), Request("http://e.org/")
    )


@pytest.mark.parametrize("what", PAGES)
def test_a_page_is_read_whatever_its_header(what: str) -> None:
    found = page(*PAGES[what])
    assert (found.title, found.links) == ("T", ["http://e.org/1"])
    assert found.css("a::attr(href)").getall() == ["/1"]


@pytest.mark.parametrize("what", NO_PAGES)
def test_what_a_browser_shows_as_text_is_no_page(what: str) -> None:
    found = page(*NO_PAGES[what])
    assert (found.response.is_html, found.title, found.links) == (False, None, [])


def test_a_crawl_follows_pages_of_every_header_and_stores_what_they_are(tmp_path: Path) -> None:
    async def story() -> set[str]:
        async with PracticeSite(robots=False) as site:
            for path, (kind, onward) in {
                "/": ("text/html, text/html", "/2"),
                "/2": ("*/*", "/3"),
                "/3": ("application/xml", "/x"),
            }.items():
                link = f"<a href='{onward}'>x</a>"
                body = f"<html xmlns='http://www.w3.org/1999/xhtml'>{link}</html>"
                site.add_page(path, body, content_type=kind)
            await crawled(SiteSpider(site.at("/")), tmp_path / "m.db")
            return {hit.target for hit in site.hits}

    assert asyncio.run(story()) == {"/robots.txt", "/", "/2", "/3", "/x"}
    kinds = rows(
        tmp_path / "m.db", "SELECT content_type FROM pages WHERE status = 200 ORDER BY url"
    )
    assert kinds == ["text/html", "text/html", "application/xhtml+xml"]
