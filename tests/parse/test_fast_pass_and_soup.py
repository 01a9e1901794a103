"""The fast pass gives what BeautifulSoup on lxml gives, over real pages and over hard markup."""

import os
import re
import time
import warnings
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, XMLParsedAsHTMLWarning

from crawler.parse import charset
from crawler.parse.fast_pass import scan
from crawler.parse.tokenizer import attributes_of

DOCS = [
    Path("/usr/share/doc/python3.11/html"),
    Path("/usr/share/doc/postgresql-doc-15/html"),
    Path("/usr/share/doc/sqlite3"),
]
STEP = int(os.environ.get("STEP", "24"))  # every so many; `make real-pages` takes every eighth


def by_soup(text: str) -> tuple[str | None, list[str]]:
    """Title and references of `a` and `area` as the definition says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)  # these pages are both
        soup = BeautifulSoup(text, "lxml")
    title = " ".join(re.split("[\t\n\f\r ]+", soup.title.get_text())) if soup.title else None
    title = title and title.strip(" ")
    return title, [tag["href"] for tag in soup.select("a[href], area[href]")]


def by_scan(text: str) -> tuple[str | None, list[str]]:
    found = scan(text)
    return found.title, found.hrefs


@pytest.mark.parametrize("folder", DOCS, ids=lambda folder: folder.parts[4])
def test_on_real_pages_the_fast_pass_equals_beautifulsoup(folder):
    files = sorted(file for file in folder.resolve().rglob("*.htm*") if file.is_file())[::STEP]
    if not files:
        pytest.skip(f"{folder} is not installed")
    assert len(files) > 400 / STEP
    links = 0
    for file in files:
        text, _ = charset.decode(file.read_bytes(), "text/html")
        expected = by_soup(text)
        assert by_scan(text) == expected, file
        links += len(expected[1])
    assert links > 8000 / STEP


HARD = {
    "upper case": '<A HREF="/x">x</A><TITLE>T</TITLE>',
    "single quotes": "<a href='/x?a=\"1\"'>x</a>",
    "no quotes": "<a href=/x/y>x</a><a href=/z >z</a>",
    "white space": '<a\n\thref = "/x"\n>x</a>',
    "references": '<a href="/x?a=1&amp;b=2&copy=3&#65;&#x42;">x</a>',
    "title with references": "<title>A &amp; B &lt;C&gt; &eacute;</title>",
    "title over lines": "<title>\n  A\n  B\t C \n</title>",
    "empty title": "<title></title>",
    "two titles": "<title>A</title><title>B</title>",
    "no href": '<a name="x">x</a><a>y</a>',
    "empty href": '<a href="">x</a><a href>y</a>',
    "href twice": '<a href="/1" href="/2">x</a>',
    "other attributes first": '<a class="b" data-href="/no" title="a > b" href="/x">x</a>',
    "comment": '<!-- <a href="/no">no</a> --><a href="/x">x</a>',
    "odd comment": '<!-- a -- b --><a href="/x">x</a><!----><a href="/y">y</a>',
    "script": '<script>var a = "<a href=/no>";</script><a href="/x">x</a>',
    "style": '<style>a { b: "<a href=/no>" }</style><a href="/x">x</a>',
    "area": '<map><area href="/x"><area nohref></map>',
    "link element": '<link href="/no.css" rel="stylesheet"><a href="/x">x</a>',
    "nested": '<div><p><a href="/x"><b>x</b></a></p></div>',
    "unclosed": '<p><a href="/x">x<p><a href="/y">y',
    "greater in quotes": '<img alt="a > b < c"><a href="/x">x</a>',
    "closing tags with attributes": '</p href="/no"><a href="/x">x</a>',
    "doctype": '<!DOCTYPE html><html><head><title>T</title></head><body><a href="/x">x',
    "processing instruction": '<?xml version="1.0"?><html><body><a href="/x">x</a>',
    "less than in text": '<p>1 < 2 and 3 <4</p><a href="/x">x</a>',
    "similar names": '<abbr href="/no">x</abbr><article href="/no"></article><a href="/x">x</a>',
    "unicode": '<title>Über 🏠</title><a href="/ü?q=é">x</a>',
    "javascript": '<a href="javascript:void(0)">x</a><a href="mailto:a@b.example">m</a>',
    "slash after value": '<a href="/x"/>x</a><a href=/y/>y</a>',
    "svg": '<svg><a href="/x"><text>x</text></a></svg>',
    "plain text": "no markup at all",
}


@pytest.mark.parametrize("markup", HARD.values(), ids=HARD.keys())
def test_on_hard_markup_the_fast_pass_equals_beautifulsoup(markup):
    assert by_scan(markup) == by_soup(markup)


EVIL = {
    "open tags": "<a " * 300_000,
    "open quotes": '<a href="' * 100_000,
    "deep": "<div>" * 200_000,
    "open comments": "<!--" * 250_000,
    "comment ends": "<!--" + "--" * 400_000,
    "less than": "<" * 1_000_000,
    "equals": "<a " + "=" * 900_000,
    "spaces": "<a href" + " " * 900_000,
    "slashes": "<a " + "/" * 900_000,
    "quotes": "<p " + "\"'" * 450_000,
    "scripts": "<script>" * 100_000,
    "titles": "<title>" * 120_000,
    "ampersands": '<a href="' + "&" * 900_000 + '">',
    "attributes": "<a " + "b=c " * 200_000 + ">",
    "templates": "<template></template>" * 42_000,
    "noscripts": "<noscript>" * 90_000,
    "script ends": "<script>" + "</script " * 90_000,
}


@pytest.mark.parametrize("text", EVIL.values(), ids=EVIL.keys())
def test_hostile_markup_takes_linear_time(text):
    """Twice the text takes about twice the time, and half a megabyte little of it."""

    def seconds(markup: str) -> float:
        began = time.process_time()
        scan(markup)
        attributes_of(markup)
        return time.process_time() - began

    text = text[: len(text) * 2 // 3]  # 600,000 characters and half of that: read by windows, both
    whole, half = seconds(text), seconds(text[: len(text) // 2])
    assert whole < 2.0
    assert whole < 4 * half + 0.5
