"""What relative references resolve against, with and without the fast pass."""

import codecs

import pytest

from crawler import Request, Response, ScrapedPage

URL = "http://a.example/x/y"


def page(body: bytes, content_type: str = "text/html") -> ScrapedPage:
    response = Response(URL, 200, {"Content-Type": content_type}, body, 0.0, 0.0)
    return ScrapedPage(response, Request(URL))


@pytest.mark.parametrize(
    ("body", "base"),
    [
        (b"", URL),
        (b"<a href=z>", URL),
        (b"<base target=_top>", URL),
        (b"<base href=/b/>", "http://a.example/b/"),
        (b"<html><BaSe HREF='http://b.example/'>", "http://b.example/"),
        (b"<!-- <base href=/b/> -->", URL),
        (codecs.BOM_UTF16_LE + "<base href=/b/>".encode("utf-16-le"), "http://a.example/b/"),
        (codecs.BOM_UTF16_BE + "<p>\u6728".encode("utf-16-be"), URL),
        ("<meta charset=iso-2022-jp>\u6728<base href=/b/>".encode("iso-2022-jp"),
         "http://a.example/b/"),
    ],
)  # fmt: skip
def test_the_base_is_the_same_before_and_after_the_fast_pass(body: bytes, base: str) -> None:
    fresh, scanned = page(body), page(body)
    assert scanned.found.title is None
    assert fresh.base_url == scanned.base_url == base
    assert fresh.urljoin("z") == scanned.urljoin("z")


def test_what_is_no_html_has_no_base() -> None:
    assert page(b'{"a": "<base href=/b/>"}', "application/json").base_url == URL


@pytest.mark.parametrize("kind", ["application/rss+xml", "text/xml", "application/vnd.a+xml"])
def test_what_is_declared_as_xml_is_selected_from_as_xml(kind: str) -> None:
    body = b"<rss><item><Title>A</Title><link>http://e.org/1</link></item></rss>"  # no declaration
    page = ScrapedPage(
        Response("http://e.org/feed", 200, {"Content-Type": kind}, body, 0, 0),
        Request("http://e.org/feed"),
    )
    assert page.xpath("//item/link/text()").getall() == ["http://e.org/1"]
    assert page.css("Title::text").getall() == ["A"]
