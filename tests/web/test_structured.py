"""What a page says for machines: JSON-LD, microdata, Open Graph, tables."""

import time
from typing import Any

import pytest

from crawler.errors import UsageError
from crawler.testing import page_from
from crawler.web.outcome import Outcome
from crawler.web.request import Todo
from crawler.web.visit import Visit


def page_of(html: str) -> Any:
    return page_from(f"<html><body>{html}</body></html>", url="https://a.example/b/")


def ld(*texts: str) -> Any:
    return page_of("".join(f'<script type="application/ld+json">{t}</script>' for t in texts))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"@type": "Product"}', [{"@type": "Product"}]),
        ('[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
        ('{"@context": "x", "@graph": [{"a": 1}, {"a": 2}]}', [{"a": 1}, {"a": 2}]),
        ('<!-- {"a": "line\nbroken"} -->', [{"a": "line\nbroken"}]),
        ('//<![CDATA[\n{"a": 1}\n//]]>', [{"a": 1}]),
        ('{"a": 1};', [{"a": 1}]),
        ('/* <![CDATA[ */ {"a": "<!-- b --> c"} /* ]]> */', [{"a": "<!-- b --> c"}]),
        ("", []),
    ],
)
def test_json_ld_is_read_as_sites_write_it(text: str, found: list[Any]) -> None:
    assert ld(text).jsonld == found


def visited(page: Any) -> Any:
    page.visit = Visit(Todo(1, 0, 0, 0, page.url, 0, 0, 0.0, None, None, None), Outcome.OK, 0.0)
    return page


def test_a_script_that_is_no_json_is_kept_among_the_problems() -> None:
    page = visited(ld('{"a": }', '{"b": 1}'))
    assert page.jsonld == [{"b": 1}]
    [(kind, reason, value)] = page.visit.problems
    assert kind == "jsonld" and "is no JSON" in reason and value == '{"a": }'
    assert page_of("<script type='application/json'>{}</script>").jsonld == []


def test_microdata_has_items_with_nested_ones_references_and_urls() -> None:
    page = page_of("""
      <div itemscope itemtype="https://schema.org/Product" itemid="#p" itemref="more none">
        <h1 itemprop="name alternateName">Green  tea</h1>
        <a itemprop="url" href="tea">x</a><img itemprop="image" src="/1.png"><img itemprop="image" src="2.png">
        <time itemprop="seen" datetime="2026-01-02">today</time>
        <data itemprop="sku" value="7">seven</data><meta itemprop="brand" content="B">
        <div itemprop="offers" itemscope itemtype="https://schema.org/Offer">
          <span itemprop="price" content="3.5">3,50</span>
        </div>
        <div itemscope><span itemprop="other">not of it</span></div>
      </div>
      <p id="more" itemprop="note">elsewhere</p>""")  # noqa: E501
    product, other = page.microdata
    assert product == {
        "type": "https://schema.org/Product",
        "id": "https://a.example/b/",
        "properties": {
            "name": "Green tea",
            "alternateName": "Green tea",
            "url": "https://a.example/b/tea",
            "image": ["https://a.example/1.png", "https://a.example/b/2.png"],
            "seen": "2026-01-02",
            "sku": "7",
            "brand": "B",
            "offers": {"type": "https://schema.org/Offer", "properties": {"price": "3.5"}},
            "note": "elsewhere",
        },
    }
    assert other == {"type": [], "properties": {"other": "not of it"}}


def test_an_item_within_itself_ends() -> None:
    html = '<div itemscope id="a"><div itemprop="b" itemscope itemref="a"></div></div>'
    assert len(page_of(html).microdata) == 1


LINKED = "".join(
    f'<div id=a{n} itemscope itemprop=p itemref="a{n + 1} b{n + 1}"></div>'
    f'<div id=b{n} itemscope itemprop=p itemref="a{n + 1} b{n + 1}"></div>'
    for n in range(60)
)
NAMED = "<div id=x>" + "<b itemprop=c>y</b>" * 2500 + "</div>"


# What is read again for each that refers to it, or stands around it, has an end, and says so.
@pytest.mark.parametrize(
    ("html", "reason"),
    [
        (f'<div itemscope itemref="a0 b0"></div>{LINKED}', "items share too much"),
        (NAMED + "<div itemscope itemref=x></div>" * 2500, "items share too much"),
        ("<div itemscope>" + "<div itemprop=a>" * 1500 + "x" * 9000, "items share too much"),
        ("<div itemscope>" + "<div itemscope itemprop=a>" * 1500, "over 100 items are within"),
    ],
    ids=["doubled", "many", "deep", "items"],
)
def test_microdata_that_grow_beyond_their_page_are_cut(html: str, reason: str) -> None:
    page, began = visited(page_of(html)), time.process_time()
    assert page.microdata and time.process_time() - began < 1.5
    [(kind, why, _)] = page.visit.problems
    assert kind == "microdata" and why.startswith(reason)


@pytest.mark.parametrize(
    "rows",
    ["<tr><td colspan=1000 rowspan=65534>a" + "<tr>" * 3000, "<tr>" + "<td colspan=999>" * 3000],
)
def test_a_table_whose_spans_grow_beyond_its_page_is_cut(rows: str) -> None:
    page, began = visited(page_of(f"<table><tr><th>a<th>b{rows}</table>")), time.process_time()
    assert page.table() is not None and time.process_time() - began < 1.5
    [(kind, why, _)] = page.visit.problems
    assert kind == "table" and why.startswith("spans make over 1,000,000 cells")


def test_thousands_of_columns_of_one_name_are_named_in_linear_time() -> None:
    began = time.process_time()
    [row] = page_of(f"<table><tr>{'<th>a' * 9000}<tr>{'<td>1' * 9000}</table>").table()
    assert time.process_time() - began < 1.0 and len(row) == 9000 and row["a_9000"] == "1"


def test_blanks_and_half_a_comment_in_a_script_are_read_in_linear_time() -> None:
    page, began = visited(ld("//" + " \n" * 50_000 + "x")), time.process_time()
    assert page.jsonld == [] and time.process_time() - began < 1.0


def test_open_graph_has_the_first_value_and_all() -> None:
    page = page_of(
        '<meta property="og:title" content=" A "><meta property="og:image" content="1">'
        '<meta property="og:image" content="2"><meta name="twitter:card" content="x">'
        '<meta name="viewport" content="y"><meta property="OG:Type" content="website">'
    )
    assert page.opengraph == {
        "og:title": "A",
        "og:image": "1",
        "twitter:card": "x",
        "og:type": "website",
    }
    assert page.opengraph.all("og:image") == ["1", "2"] and page.opengraph.all("og:no") == []


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ("<tr><th>a<th>b<tr><td>1<td>2", [{"a": "1", "b": "2"}]),
        ("<thead><tr><td>a<td>a</thead><tr><td>1<td>2", [{"a": "1", "a_2": "2"}]),
        ("<tr><td>a<td><tr><td>1", [{"a": "1", "column_2": ""}]),
        ("<tr><td>a<td>a_2<td>a<tr><td>1<td>2<td>3", [{"a": "1", "a_2": "2", "a_3": "3"}]),
        (
            "<tr><th>a<th>b<th>c<tr><td rowspan=2>x<td colspan=2>y<tr><td>1<td>2",
            [{"a": "x", "b": "y", "c": "y"}, {"a": "x", "b": "1", "c": "2"}],
        ),
        ("<tr><th>a<th>b<tr><th>row<td>1", [{"a": "row", "b": "1"}]),
        ("<tr><th>a<tr><td><table><tr><td>in</table>", [{"a": "in"}]),
        ("<tr><th>a<tr><td colspan=99999999999999999999 rowspan=9>1", [{"a": "1"}]),
        (f"<tr><th>a<tr><td rowspan={'9' * 5000} colspan={'0' * 5000}1>1", [{"a": "1"}]),
        ("", []),
    ],
)
def test_rows_of_a_table_go_by_their_header(rows: str, found: list[Any]) -> None:
    assert page_of(f"<p>x<table id=t>{rows}</table>").table("#t") == found


def test_where_there_is_no_table_that_is_said() -> None:
    with pytest.raises(UsageError, match=r"a.example/b/: '#x' finds no table"):
        page_of("<table></table>").table("#x")


def test_attributes_named_by_control_characters_are_passed_by() -> None:
    odd = "\x1c"
    page = page_of(
        f"<script type='application/ld+json' {odd}>{{\"a\": 1}}</script><meta {odd} property=og:a"
        f" content=b><div itemscope {odd}><b itemprop=c {odd}>d</b></div>"
        f"<table {odd}><tr {odd}><th {odd}>e<tr><td rowspan=\x01 \x1c>f</table>"
    )
    assert (page.jsonld, page.opengraph) == ([{"a": 1}], {"og:a": "b"})
    assert page.microdata == [{"type": [], "properties": {"c": "d"}}]
    assert page.table() == [{"e": "f"}]


def test_what_is_no_page_has_nothing_of_it() -> None:
    page = page_from(b'{"a": 1}', url="https://a.example/", headers={"Content-Type": "text/json"})
    assert (page.jsonld, page.microdata, page.opengraph) == ([], [], {})
