"""Selectors made from bytes: the same tree as parsel's own from the text."""

from pathlib import Path

import pytest
from lxml import etree
from parsel import Selector

from crawler.parse.charset import decode
from crawler.parse.selector import selector_of

URL = "http://a.example/x"
BODIES = [
    b"",
    b" \n",
    b"<",
    b"<>",
    b"<!-- c -->",
    b"<?pi?>",
    b"<!doctype html>",
    b"plain text",
    b"<p>one<p>two",
    b"<p>one</p>",
    b"\n <p>one</p>\r\n\f",
    b"<p>one</p>\0",
    b"<p>o\0ne</p>",
    b"\xef\xbb\xbf<p>mark</p>",
    "<p>\xa0\u3000caf\xe9 \U0001f600</p>".encode(),
    "\u3000<p>wide</p>\x85".encode(),
    "<p>wide</p>\u3000".encode(),
    b"\x1c<p>odd</p>\x1f",
    b"<p>bad \xff utf-8 \xed\xa0\x80</p>",
    b"<p>cut \xf0\x9f\x98</p>",
    "<p>known \ufffd</p>".encode(),
    b"<meta charset=iso-8859-1><p>caf\xe9</p>",
    b"<meta charset=shift_jis><p>\x82\xa0</p>",
    b'<?xml version="1.0" encoding="iso-8859-1"?><html xmlns="http://www.w3.org/1999/xhtml"><a/></html>',
    b"<html><head><base href=/b/></head><body><template><p>x</template><svg><a/></svg></html>",
    b"<p>control \x01 &#1; &#xD800; &nbsp; &bogus;</p>",
    b"<div>" * 3000 + b">",
    b"<p a=1 a=2 'b' c=<>x</p></p></div></html> <b>after</b>",
]
DOCS = [
    page
    for folder in ("python3.11/html/library", "postgresql-doc-15/html", "sqlite3")
    for page in sorted(Path("/usr/share/doc", folder).glob("*.html"))[:12]
]


@pytest.mark.parametrize("header", ["text/html", "text/html; charset=utf-8"])
@pytest.mark.parametrize("body", [*BODIES, *(page.read_bytes() for page in DOCS)], ids=len)
def test_the_tree_is_that_of_parsel(body: bytes, header: str) -> None:
    text, encoding = decode(body, header)
    made = selector_of(text, body, encoding, URL)
    theirs = Selector(text or "<html></html>", type="html", base_url=URL)
    assert etree.tostring(made.root) == etree.tostring(theirs.root)
    assert made.root.getroottree().docinfo.doctype == theirs.root.getroottree().docinfo.doctype
    assert made.root.base_url == theirs.root.base_url == URL
    assert made.get() == theirs.get()
    assert type(made.root) is type(theirs.root)
    for query in ("//text()", "//@*", "normalize-space()"):
        assert made.xpath(query).getall() == theirs.xpath(query).getall()
    assert made.css("p").getall() == theirs.css("p").getall()
