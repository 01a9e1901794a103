"""Records of feeds, one after the other, from a page or a file: XML, CSV, JSON lines, JSON."""

import gzip
import io
import json
import time
from dataclasses import field
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pydantic
import pytest

from crawler import item
from crawler.parse.json_array import values_of
from crawler.testing import page_from
from crawler.web.outcome import Outcome
from crawler.web.records import RecordFeed
from crawler.web.request import Todo
from crawler.web.visit import Visit

RSS = """<?xml version="1.0"?><rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/"
 xmlns:g="http://base.google.com/ns/1.0"><channel><title>teas</title>
<item><title>Green</title><g:price>3.50 EUR</g:price><media:title>photo</media:title>
<guid isPermaLink="false">1</guid><category>a</category><category>b</category></item>
<item><title>Black &amp; white</title><g:price>4</g:price><guid>2</guid></item></channel></rss>"""

ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><id>x</id><entry><id>1</id></entry></feed>"""


def page_of(body: str | bytes, kind: str = "", url: str = "https://a.example/feed") -> Any:
    headers = {"Content-Type": kind} if kind else {}
    return page_from(body, url=url, headers=headers)


def noted(page: Any) -> Any:
    page.visit = Visit(Todo(1, 0, 0, 0, page.url, 0, 0, 0.0, None, None, None), Outcome.OK, 0.0)
    return page


def test_rss_gives_its_items_with_names_attributes_and_lists() -> None:
    assert list(page_of(RSS, "application/rss+xml").records()) == [
        {
            "title": "Green",
            "price": "3.50 EUR",
            "media:title": "photo",
            "guid": "1",
            "guid@isPermaLink": "false",
            "category": ["a", "b"],
        },
        {"title": "Black & white", "price": "4", "guid": "2"},
    ]


@pytest.mark.parametrize(
    ("xml", "at", "found"),
    [
        ("<s><p id='1'><n>a</n></p><p id='2'/></s>", None, [{"@id": "1", "n": "a"}, {"@id": "2"}]),
        ("<shop><all><p>a</p><p>b</p></all></shop>", None, [{"text": "a"}, {"text": "b"}]),
        ("<s><x><p><n>a</n></p></x><y><p><n>b</n></p></y></s>", "p", [{"n": "a"}, {"n": "b"}]),
        ("<s><p><q><n>1</n></q></p></s>", None, [{"q": {"n": "1"}}]),
        ("<s><p><p><n>in</n></p></p></s>", "p", [{"p": {"n": "in"}}]),
        (ATOM, None, [{"id": "1"}]),
        ("<s><p><n><![CDATA[a < b]]></n><!-- c --></p></s>", None, [{"n": "a < b"}]),
        ("<s></s>", None, []),
    ],
)  # fmt: skip
def test_elements_of_xml_are_records(xml: str, at: str | None, found: list[Any]) -> None:
    assert list(page_of(xml).records(at=at)) == found


def test_no_entity_is_expanded() -> None:
    bomb = "<!DOCTYPE s [<!ENTITY a 'x'><!ENTITY f SYSTEM 'file:///etc/hostname'>]>"
    [record] = page_of(f"{bomb}<s><p><n>[&a;&f;]</n></p></s>").records()
    assert record == {"n": "[&a;&f;]"}


@pytest.mark.parametrize(
    ("body", "kind", "found"),
    [
        ("a,b\n1,2\n\n3,\n", "text/csv", [{"a": "1", "b": "2"}, {"a": "3", "b": ""}]),
        ("a;b\r\n\"1;\n2\";x\r\n", "", [{"a": "1;\n2", "b": "x"}]),
        ("a\tb\n1\t2", "", [{"a": "1", "b": "2"}]),
        ("a,a,,b\n1,2,3,4", "", [{"a": "1", "a_2": "2", "column_3": "3", "b": "4"}]),
        ("\ufeffa|b\n1|2".encode(), "", [{"a": "1", "b": "2"}]),
        ("a,b\nä,ö".encode("latin-1"), "text/csv; charset=latin1", [{"a": "ä", "b": "ö"}]),
        ("\ufeffa,b\n1,ö".encode("utf-16le"), "text/csv", [{"a": "1", "b": "ö"}]),
        ('{"a": 1}\n\n{"a": 2}\n', "", [{"a": 1}, {"a": 2}]),
        ('{"a": 1}', "application/x-ndjson", [{"a": 1}]),
        ('[{"a": 1}, 2]', "", [{"a": 1}, {"value": 2}]),
        ('{"n": 2, "facets": ["x"], "data": {"items": [{"a": 1}]}}', "", [{"a": 1}]),
        ('{\n"items": [\n{"a": 1}]}', "", [{"a": 1}]),
    ],
)  # fmt: skip
def test_formats_are_known_by_their_content(body: Any, kind: str, found: list[Any]) -> None:
    assert list(page_of(body, kind).records()) == found
    packed = gzip.compress(body if isinstance(body, bytes) else body.encode())
    assert list(page_of(packed, kind).records()) == found


def test_the_array_of_json_is_named_by_its_path() -> None:
    page = page_of('{"a": [{"x": 1}], "data": {"all": [{"x": 2}]}}')
    assert list(page.records(at="data.all")) == [{"x": 2}]
    with pytest.raises(ValueError, match=r"a.example/feed: .*nothing at 'data.none'"):
        list(page.records(at="data.none"))


@item(key="name")
class Tea:
    name: str
    price: float | None = None
    tags: list[str] = field(default_factory=list)


class Model(pydantic.BaseModel):
    name: str
    price: Decimal
    seen: date


class Quick(msgspec.Struct):
    name: str
    new: bool


def test_records_become_the_types_that_are_asked_for() -> None:
    csv = "name,price,tags,more\nGreen,3.5,hot,x\nBlack,,,\n"
    assert list(page_of(csv).records(Tea)) == [Tea("Green", 3.5, ["hot"]), Tea("Black")]
    models = page_of("name,price,seen\na,1.10,2026-01-02").records(Model)
    assert list(models) == [Model(name="a", price=Decimal("1.10"), seen=date(2026, 1, 2))]
    quick = page_of("<s><p><name>7</name><new>true</new></p></s>").records(Quick)
    assert list(quick) == [Quick("7", True)]


def test_what_does_not_fit_is_refused_alone_and_kept_with_the_reason() -> None:
    page = noted(page_of("name,price\nGreen,3.5\nBlack,dear\nshort\nWhite,1,2\nOolong,4\n"))
    assert [tea.name for tea in page.records(Tea)] == ["Green", "Oolong"]
    assert page.visit.refusals == {"item_refused": 3}
    assert [(kind, reason) for kind, reason, _ in page.visit.problems] == [
        ("Tea", "Expected `float | null`, got `str` - at `$.price`"),
        ("csv", "a row of 1 field, of 2"),
        ("csv", "a row of 3 fields, of 2"),
    ]
    assert json.loads(page.visit.problems[0][2]) == {"name": "Black", "price": "dear"}
    lines = noted(page_of('{"a": 1}\n{"a": \n{"a": 3}\n', "application/jsonl"))
    assert list(lines.records()) == [{"a": 1}, {"a": 3}] and len(lines.visit.problems) == 1


def test_outside_of_a_crawl_what_does_not_fit_is_raised() -> None:
    with pytest.raises(ValueError, match="a record that is no Tea"):
        list(page_of("name,price\nBlack,dear").records(Tea))


@pytest.mark.parametrize(
    ("body", "before"),
    [
        ("<s><p><n>a</n></p><p><n>b</n></q></s>", 1),
        ("<s><p><n>a</n></p><p><n>b", 1),
        ('[{"a": 1}, {"a": ', 0),
    ],
)
def test_a_broken_feed_says_so_behind_what_came_before(body: str, before: int) -> None:
    found: list[Any] = []
    with pytest.raises(ValueError, match=rf"a.example/feed: broken \w+ behind record {before}"):
        found.extend(one for one in page_of(body).records())
    assert len(found) in (0, before)


def test_a_large_json_is_read_piece_by_piece() -> None:
    rows = ",".join(f'{{"n": {n}, "x": 1.5, "text": "{"x" * 1000}"}}' for n in range(9000))
    body = f'{{"about": {{"k": ["v"]}}, "items": [{rows}]}}'.encode()
    found = RecordFeed("https://a.example/").read(io.BytesIO(body), None, lambda *_: None)
    first = next(found)
    assert first["n"] == 0 and first["x"] == 1.5 and isinstance(first["x"], float)
    assert sum(1 for _ in found) == 8999
    with pytest.raises(ValueError, match="behind record"):
        list(RecordFeed("https://a.example/").read(io.BytesIO(body[:-1000]), None, lambda *_: None))


class Trickle(io.BytesIO):
    """A file that gives three bytes at a time."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(3)


@pytest.mark.parametrize(
    ("text", "at", "found"),
    [
        ('[1.5, -2e-300, 12345678901234567890, true, null]', None, ...),
        ('["\\u00e9\\ud83d\\ude00 \\\\\\"", [], {}]', None, ...),
        ('{"a": 1.25, "b": [1, [2]], "c": {"d": [{"e": [{}]}, 2] , "f": 1}, "g": [{}]}', None,
         [{"e": [{}]}, 2]),
        ('{"a": {"b": [ ]}}', "a.b", []),
        ('\ufeff{"a": 5, "b": [-0.5e+2\n]}', "b", [-50.0]),
        ('{"a": 1}', None, "no array of objects"),
        ('{"a": {"b": 1}}', "a.c", "nothing at 'a.c'"),
        ('{"a": {"b": 1}}', "a.b", "is no array"),
        ("[1, 2", None, "Expecting"),
        ("[1, ]", None, "Expecting value"),
        ("[1 2]", None, "Expecting ','"),
        ("[1] [2]", None, "more stands behind"),
        ('{"a": [{}], 1: 2}', None, "Expecting a name"),
        ("[NaN]", None, "NaN is no JSON"),
        ("[" + "9" * 5000 + "]", None, "4300 digits"),
        ("[" * 5000, None, "recursion"),
    ],
)  # fmt: skip
def test_an_array_is_read_value_by_value_however_its_file_comes(
    text: str, at: str | None, found: Any
) -> None:
    def read() -> list[Any]:
        return list(values_of(Trickle(text.encode()), at))

    if isinstance(found, str):
        with pytest.raises((ValueError, RecursionError), match=found):
            read()
    else:
        assert read() == (json.loads(text) if found is ... else found)


@pytest.mark.parametrize("body", ['[{"a":' + "9" * 5000 + "}", "[" * 100, '[{"a":' + "[" * 5000])
def test_a_large_json_of_too_many_digits_or_levels_is_broken(body: str) -> None:
    feed = RecordFeed("https://a.example/")
    with pytest.raises(ValueError, match="broken json behind record 0"):
        list(feed.read(io.BytesIO(body.encode().ljust(9 << 20, body[-1:].encode())), None, print))


@pytest.mark.parametrize(
    ("charset", "row"),
    [
        ("x-mac-cyrillic", b"\x80,1"), ("iso-8859-8-i", b"\xe0,1"), ("windows-874", b"\xa1,1"),
        ("x-user-defined", b"\x80,1"), ("big5", b"\xa4\xa4,1"),
        ("utf-16be", b"\x04\x10\0,\0" + b"1"),
    ],
)  # fmt: skip
def test_a_csv_is_read_in_every_encoding_of_the_web(charset: str, row: bytes) -> None:
    head = "a,b\r".encode("utf-16-be" if charset == "utf-16be" else "ascii")
    feed = RecordFeed("https://a.example/", f"text/csv; charset={charset}")
    [record] = feed.read(io.BytesIO(head + row), None, print)
    assert record["b"] == "1" and len(record["a"]) == 1 and record["a"] > "\x7f"


def test_a_csv_in_an_encoding_that_browsers_refuse_is_broken() -> None:
    feed = RecordFeed("https://a.example/", "text/csv; charset=iso-2022-kr")
    with pytest.raises(ValueError, match="broken csv behind record 0: its encoding"):
        list(feed.read(io.BytesIO(b"a,b\n1,2\n"), None, print))


def test_records_of_xml_are_found_as_quickly_deep_within_it() -> None:
    feed, began = RecordFeed("https://a.example/", at="b"), time.process_time()
    body = "<r>" + "<a>" * 1500 + "<b>x</b>" * 20_000 + "</a>" * 1500 + "</r>"
    assert sum(1 for _ in feed.read(io.BytesIO(body.encode()), None, print)) == 20_000
    assert time.process_time() - began < 1.0
