"""Items whose fields say where they stand."""

import json
from dataclasses import dataclass
from datetime import date as day
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from data_story import SmallWeb, crawl, on_web, rows

from crawler import ScrapedPage, Spider, item
from crawler.errors import SpiderError
from crawler.items import InvalidItem
from crawler.testing import page_from
from crawler.web.loading import LoadError, css, date, load, number, text, url, xpath

TEA = """<base href="/x/"><meta name=sku content="T-1"><div class=tea><h2>Green
 <b>tea</b><script>1</script></h2><i class=price>1.234,50 €</i><a href="a?b=1#c">more</a>
 <time datetime="2026-01-02T10:00Z">soon</time><li>a<li> <li>b</div>"""
URL = "https://shop.example/b/"


@item(key="name")
class Tea:
    name: str = css("h2")
    price: float = css(".price", number)


def value_of(hint: Any, declared: Any, html: str = TEA) -> Any:
    made = dataclass(type("Made", (), {"__annotations__": {"x": hint}, "x": declared}))
    return load(made, page_from(html, url=URL)).x  # type: ignore[attr-defined]


def shout(found: str, *, join: Any, now: datetime, kind: Any = None) -> str:
    return f"{found}! {join('y')} {now:%Z} {kind}"


@pytest.mark.parametrize(
    ("hint", "declared", "value"),
    [
        (str, css("h2"), "Green tea"),
        (str, css("h2::text", text), "Green"),
        (float, css(".price"), 1234.5),
        (Decimal | None, css(".price"), Decimal("1234.50")),
        (str, css(".price", str.upper), "1.234,50 €"),
        (str, css("a", url), "https://shop.example/x/a?b=1"),
        (str, css("a::attr(href)", url()), "https://shop.example/x/a?b=1"),
        (str, xpath("//a", text()), "more"),
        (day, css("time"), day(2026, 1, 2)),
        (datetime, xpath("//time/@datetime", date), datetime.fromisoformat("2026-01-02T10:00Z")),
        (str, css("meta[name=sku]"), "T-1"),
        (list[str], css("li", all=True), ["a", "b"]),
        (tuple[str, ...], css("li", all=True), ("a", "b")),
        (list[float], css(".price", all=True), [1234.5]),
        (list[str], css(".none", all=True, default=[]), []),
        (float | None, css(".none"), None),
        (float, css(".none", default=0.0), 0.0),
        (str, css("a", shout), "more! https://shop.example/x/y UTC None"),
        (float, xpath("count(//li)"), 3.0),
    ],
)
def test_a_value_is_what_its_selector_function_and_type_say(
    hint: Any, declared: Any, value: Any
) -> None:
    got = value_of(hint, declared)
    assert (got, type(got)) == (value, type(value))


@pytest.mark.parametrize(
    ("html", "query", "value"),
    [
        ("<title>A \n tea</title>", "title", "A tea"),
        ("<table><tr><td>1<td>2</table>", "td", "1"),
        ("<table><tr><td>1<td>2</table>", "tr", "1 2"),
        ("<select><option>x</select>", "option", "x"),
        ("<p hidden>y</p>", "p", "y"),
        ("<p>a<br>b<style>c</style></p>", "p", "a b"),
        ("<p>1<sup>st</sup></p>", "p", "1st"),
    ],
)
def test_an_element_stands_for_its_text(html: str, query: str, value: str) -> None:
    assert value_of(str, css(query), html) == value


def test_a_mutable_default_is_each_items_own() -> None:
    @item
    class Tagged:
        tags: list[str] = css(".none", all=True, default=[])

    one, other = (load(Tagged, page_from(TEA, url=URL)) for _ in range(2))
    assert one.tags == [] and one.tags is not other.tags


@pytest.mark.parametrize(
    ("html", "reason", "found"),
    [
        ("<h2>A</h2>", 'Tea.price: css ".price": finds nothing', None),
        ("<h2>A</h2><i class=price> ", 'Tea.price: css ".price": finds only white space', None),
        ("<h2>A</h2><i class=price>soon", 'Tea.price: css ".price": no number', "soon"),
    ],
)
def test_an_error_names_item_field_selector_page_and_text(
    html: str, reason: str, found: str | None
) -> None:
    with pytest.raises(LoadError) as caught:
        load(Tea, page_from(html, url=URL))
    error = caught.value
    assert isinstance(error, InvalidItem) and isinstance(error, ValueError)
    assert (error.reason, error.url, error.found) == (reason, URL, found)
    assert (error.item, error.field, error.selector) == ("Tea", "price", 'css ".price"')
    assert str(error) == f"{reason}{f' in {found!r}' if found else ''} ({URL})"
    assert json.loads(error.as_given()) == {"name": "A", "price": found}


def test_a_long_text_is_cut_in_the_message_and_whole_in_the_value() -> None:
    with pytest.raises(LoadError) as caught:
        load(Tea, page_from(f"<h2>A</h2><i class=price>{'x' * 500}", url=URL))
    assert "x" * 80 in str(caught.value) and "x" * 81 not in str(caught.value)
    assert "x" * 500 in caught.value.as_given()


def test_an_element_is_loaded_with_or_without_its_page() -> None:
    at = page_from(TEA, url=URL)
    [row] = at.css(".tea")
    assert load(Tea, row) == load(Tea, row, at) == Tea("Green tea", 1234.5)
    assert load(Tea, row, at, name="given").name == "given"
    assert list(at.items(Tea, ".tea", name="given")) == [Tea("given", 1234.5)]
    assert list(at.items(Tea)) == [Tea("Green tea", 1234.5)]
    assert list(at.items(Tea, ".none")) == []


def test_what_only_the_author_can_mend_is_an_error_of_the_spider() -> None:
    @item
    class Wrong:
        name: str = css("h2[")

    @item
    class Bare:
        name: str

    @item
    class Half:
        name: str
        price: float = css(".price")

    at = page_from(TEA, url=URL)
    for kind, why in (
        (Wrong, "Wrong.name: css"),
        (Bare, "no field says"),
        (Half, "Half, page, na"),
    ):
        with pytest.raises(SpiderError, match=why):
            load(kind, at)
    with pytest.raises(SpiderError, match="make it an @item"):
        load(dict, at)


def test_a_wrong_post_init_is_a_load_error() -> None:
    @dataclass
    class Cheap:
        price: float = css(".price")

        def __post_init__(self) -> None:
            raise ValueError("too dear")

    with pytest.raises(LoadError, match=rf"Cheap.*too dear \({URL}\)"):
        load(Cheap, page_from(TEA, url=URL))


class Teas(Spider):
    """One page with a bad tea between two good ones, one whose callback lets an error pass."""

    name = "teas"

    def parse(self, page: ScrapedPage) -> Any:
        if page.url.endswith("/"):
            yield from page.items(Tea, ".tea")
            yield from page.follow_all("a")
        else:
            yield Tea("before", 1.0)
            yield load(Tea, page)


def test_a_crawl_refuses_what_cannot_be_loaded_alone(tmp_path: Path) -> None:
    teas = "".join(
        f"<div class=tea><h2>{name}</h2><b class=price>{price}</b></div>"
        for name, price in (("A", "1,50"), ("B", "soon"), ("C", "£2"))
    )
    store = tmp_path / "a.db"
    found: list[Any] = []

    async def tell(web: SmallWeb) -> None:
        web.add("/", f"<body>{teas}<a href=/one>one</a>")
        web.add("/one", "<h2>D</h2>")
        spider = Teas()
        spider.start_urls = [web.url + "/"]
        found.append(await crawl(store, spider))

    on_web(tell)
    teas_kept = rows(store, "SELECT name, price FROM tea ORDER BY name")
    assert teas_kept == [("A", 1.5), ("C", 2.0), ("before", 1.0)]
    kept = rows(store, "SELECT item, reason, value FROM problems ORDER BY reason")
    assert [row[:2] for row in kept] == [
        ("Tea", 'Tea.price: css ".price": finds nothing'),
        ("Tea", 'Tea.price: css ".price": no number'),
    ]
    assert json.loads(kept[1][2]) == {"name": "B", "price": "soon"}
    assert found[0].refused["item_refused"] == 2
    assert rows(store, "SELECT outcome FROM pages ORDER BY url") == [("ok",), ("spider_error",)]
