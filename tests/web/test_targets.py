"""`page.follow` and `follow_all`: what they take, what they refuse, and how queries are written."""

from typing import Any

import pytest
from yarl import URL

from crawler import Request, ScrapedPage, parse
from crawler.errors import BadUrl, UsageError
from crawler.web.response import Response

HERE = "http://e.org/dir/page"
HTML = (
    '<a href="x?q=검색">x</a><a name=n>n</a><img src=/i><a href="">here</a><a href=mailto:a@b>m</a>'
)
FOUND = "http://e.org/dir/x?q=%B0%CB%BB%F6"


def page(html: str = HTML) -> ScrapedPage:
    body = f"<meta charset=euc-kr>{html}".encode("euc-kr")
    return ScrapedPage(
        Response(HERE, 200, {"Content-Type": "text/html"}, body, 0, 0), Request(HERE)
    )


TARGETS = {
    "a reference": lambda p: "x?q=검색",
    "a URL": lambda p: FOUND,
    "a URL of yarl": lambda p: URL(FOUND, encoded=True),
    "a link": lambda p: parse.links(p.body, p.url)[0],
    "a selector": lambda p: p.css("a")[0],
    "a selector of an attribute": lambda p: p.css("a::attr(href)")[0],
    "a selector of XPath": lambda p: p.xpath("//a/@href")[0],
    "a tag of BeautifulSoup": lambda p: p.soup.a,
    "a string of BeautifulSoup": lambda p: p.soup.a["href"],
    "an element of lxml": lambda p: p.selector.root.xpath("//a")[0],
}


@pytest.mark.parametrize("what", TARGETS)
def test_a_target_may_be(what: str) -> None:
    one = page()
    assert one.follow(TARGETS[what](one)).url == FOUND
    assert [request.url for request in one.follow_all([TARGETS[what](one)])] == [FOUND]


def test_a_query_is_written_in_the_encoding_of_the_page_by_every_way() -> None:
    one = page()
    assert one.links[0] == one.urljoin("x?q=검색") == FOUND
    assert page().urljoin("x?q=검색#검") == FOUND
    assert next(request.url for request in page().follow_all("a")) == FOUND
    assert page().urljoin("/검?q=a") == "http://e.org/%EA%B2%80?q=a"  # a path is always UTF-8


def test_elements_that_lead_nowhere_are_passed_over_and_an_empty_reference_is_the_page() -> None:
    assert [request.url for request in page().follow_all("a, img")] == [
        FOUND, "http://e.org/i", HERE,
    ]  # fmt: skip
    soup = page().soup.find_all(["a", "img"])
    assert [request.url for request in page().follow_all(soup)] == [FOUND, "http://e.org/i", HERE]


NONE = {
    "None": (lambda p: None, "found nothing"),
    "a list": (lambda p: ["/x"], "not a list of 1; give them to follow_all"),
    "selectors": (lambda p: p.css("a"), "give them to follow_all"),
    "a selector without a link": (lambda p: p.css("meta")[0], "neither href nor src"),
    "a tag without a link": (lambda p: p.soup.meta, "neither href nor src"),
    "bytes": (lambda p: b"/x", "follow takes a URL"),
    "a number": (lambda p: 1, "follow takes a URL"),
    "the soup": (lambda p: p.soup, "neither href nor src"),
    "a request": (lambda p: Request(HERE), "is a Request already"),
}


@pytest.mark.parametrize("what", NONE)
def test_what_is_no_target_is_refused_by_name(what: str) -> None:
    make, why = NONE[what]
    one = page()
    with pytest.raises(UsageError, match=why):
        one.follow(make(one))


@pytest.mark.parametrize("what", ["None", "a tag", "a selector", "bytes"])
def test_follow_all_says_what_it_cannot_go_through(what: str) -> None:
    one = page()
    single: dict[str, Any] = {"None": None, "a tag": one.soup.a, "a selector": one.css("a")[0]}
    with pytest.raises(UsageError, match="follow_all takes"):
        list(one.follow_all(single.get(what, b"/x")))


def test_a_reference_to_no_web_page_is_a_bad_url() -> None:
    with pytest.raises(BadUrl):
        page().follow("mailto:a@b")
