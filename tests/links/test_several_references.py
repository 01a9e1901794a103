"""References beside the plain ones: attributes that hold several, and the header Link."""

import pytest
from crawl_story import crawl, read, story

from crawler import Rule, Spider, parse
from crawler.web.response import Response

HERE = "http://e.org/"


def test_an_attribute_that_holds_several_urls_gives_each() -> None:
    html = '<a href=/a ping="/p1 /p2">a</a><img data-srcset="/s1.png 1x, /s2.png 2x">'
    wanted = {"a": ("href", "ping"), "img": ("data-srcset",)}
    found = [link.url.removeprefix(HERE) for link in parse.links(html, HERE, tags=wanted)]
    assert found == ["a", "p1", "p2", "s1.png", "s2.png"]


class Sets(Spider):
    name = "sets"
    rules = (Rule(tags="img", attrs="data-srcset"), Rule(tags="a", attrs="ping"))


@story()
async def test_rules_follow_each_of_them(site, path):
    site.add_page("/", '<img data-srcset="/s1 1x, /s2 2x"><a href=/no ping="/p1 /p2">x</a>')
    for name in ("/s1", "/s2", "/p1", "/p2", "/no"):
        site.add_page(name, "<title>x</title>")
    await crawl(Sets, path / "s.db", site.url)
    asked = {hit.path for hit in site.hits} - {"/robots.txt"}
    assert asked == {"/", "/p1", "/p2", "/s1", "/s2"}


@story()
async def test_the_header_link_names_a_canonical_url_where_the_page_names_none(site, path):
    site.add_page("/", "<title>x</title>", headers={"Link": '</canon>; rel="canonical"'})
    own = "<link rel=canonical href=/own>"
    site.add_page("/b", own, headers={"Link": '</canon>; rel="canonical"'})
    seeds = (site.url, site.at("/b"))
    await crawl(Sets, path / "s.db", *seeds, links__canonical="mark")
    found = read(path / "s.db", "SELECT canonical FROM pages ORDER BY url")
    assert found == [site.at("/canon"), site.at("/own")]


@pytest.mark.parametrize("body", [b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 9999])
def test_json_that_is_nested_too_deep_is_an_error_of_the_page(body: bytes) -> None:
    page = Response(HERE, 200, {"Content-Type": "application/json"}, body, 0, 0)
    with pytest.raises(ValueError, match="it is nested too deep"):
        page.json()
