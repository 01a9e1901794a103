"""SVG, MathML and XHTML: where elements are text by their name, and where they are not.

Each page is read by the fast pass and by the full one; both must say what Chromium's tree says.
"""

import asyncio
import time
from pathlib import Path

import pytest
from following_story import crawled

from crawler import Request, ScrapedPage, SiteSpider, parse
from crawler.parse.fast_pass import precise, scan
from crawler.practice import PracticeSite
from crawler.web.response import Response

URL = "http://e.org/"
TWO = '<a href="/1">1</a><a href="/2">2</a>'


def page(body: str, kind: str = "text/html; charset=utf-8") -> ScrapedPage:
    headers = {"Content-Type": kind}
    return ScrapedPage(Response(URL, 200, headers, body.encode(), 0, 0), Request(URL))


def both(body: str, kind: str = "text/html; charset=utf-8") -> list[str]:
    """Return the paths that both passes find."""
    one = page(body, kind)
    fast = [url.removeprefix("http://e.org") for url in one.links]
    full = [link.url.removeprefix("http://e.org") for link in
            parse.links(one.body, URL, kind, tags=("a", "area"))]  # fmt: skip
    assert fast == list(dict.fromkeys(full))
    return fast


RAW = ["title", "style", "script", "textarea", "xmp", "iframe", "noembed", "noframes"]


@pytest.mark.parametrize("name", [*RAW, "plaintext"])
@pytest.mark.parametrize("root", ["svg", "math", "SVG"])
def test_an_empty_element_in_foreign_content_swallows_nothing(name: str, root: str) -> None:
    for empty in (f"<{name}/>", f"<{name} />", f'<{name} a="b"/>', f"<{name.upper()} a=b />"):
        assert both(f"<title>T</title><{root}><g>{empty}</g></{root}>{TWO}") == ["/1", "/2"]


@pytest.mark.parametrize("name", RAW)
def test_an_empty_element_in_html_is_a_start_tag_as_in_browsers(name: str) -> None:
    assert both(f"<{name}/>{TWO}</{name}><a href=/3>3</a>") == ["/3"]


FOREIGN = [
    ("<svg><title><a href=/in>x</a></title></svg>", "/in"),
    ("<svg><style><a href=/in>x</a></style></svg>", "/in"),
    ("<svg><foreignObject><title/><a href=/no></title></foreignObject></svg>", ""),
    ("<svg><foreignObject><p>x</foreignObject></svg><style/><a href=/no></style>", ""),
    ("<svg><foreignObject><div></div></foreignObject><style/></svg><a href=/in>", "/in"),
    ("<svg><desc><script/><a href=/no></script></desc></svg>", ""),
    ("<svg><desc><svg><script/></svg></desc></svg><a href=/in>", "/in"),
    ("<svg><p><script/><a href=/no></script></p>", ""),
    ("<svg><font><script/></font></svg><a href=/in>", "/in"),
    ("<svg><font color=red><script/><a href=/no></script></font></svg>", ""),
    ("<math><mi><style/><a href=/no></style></mi></math>", ""),
    ("<math><annotation-xml><style/></annotation-xml></math><a href=/in>", "/in"),
    ("<math><annotation-xml encoding='text/html'><style/><a href=/no></style></math>", ""),
    ("<math><annotation-xml><svg><desc><b><style/><a href=/no></style>", ""),
    ("<div><svg><g></div><style/><a href=/no></style>", ""),
    ("<svg/><style/><a href=/no></style>", ""),
    ("<svg a=b/><style/></svg><a href=/in>", "/in"),
    ("<svg><style a=b/></style></svg><a href=/in>", "/in"),
    ("<svg><![CDATA[<a href=/no>]]></svg><a href=/in>", "/in"),
    ("<p><![CDATA[<a href=/no>]]><a href=/in>", "/in"),
    ("<svg><base href=/b/></svg><a href=in>", "/in"),
    ("<template><base href=/b/></template><a href=in>", "/in"),
    ("<template><base href=/b/></template><base href=/c/><a href=in>", "/c/in"),
    ("<script><!-- <script> var a='</script>'; <a href=/no> --></script><a href=/in>", "/in"),
    ("<a href=/in>x</a><a href='/no", "/in"),
    ("<a href=/in>x</a><a href=/no class='x'", "/in"),
]


@pytest.mark.parametrize(("body", "paths"), FOREIGN)
def test_links_are_those_of_the_tree_of_a_browser(body: str, paths: str) -> None:
    assert both(f"<!doctype html>{body}") == paths.split()


def test_the_title_of_a_picture_is_not_that_of_the_page() -> None:
    for body, title in {
        "<svg><title>Icon</title></svg><title>T</title>": "T",
        "<svg><title>Icon</title></svg>": None,
        "<svg><title/></svg><title>T</title>": "T",
        "<svg><p></p></svg><title>T</title>": "T",
    }.items():
        assert page(body).title == title


def test_plain_pictures_take_the_fast_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def dear(*arguments: object, **options: object) -> None:
        raise AssertionError("the slow way")

    monkeypatch.setattr("crawler.parse.fast_pass.precise", dear)
    icon = '<svg viewBox="0 0 1 1"><title>I</title><g><path d="M0"/></g><use href="#a"/></svg>'
    formula = "<math><mrow><mi>x</mi><mo>&lt;</mo><mn>1</mn></mrow></math>"
    assert scan(f"<title>T</title>{icon}{formula}<svg/>{TWO}").hrefs == ["/1", "/2"]


XHTML = '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml">{}</html>'
XML = [
    (f"<head><title>T</title><script src='x'/></head><body>{TWO}</body>", "T", "/1 /2"),
    (f"<head><title/></head><body>{TWO}</body>", "", "/1 /2"),
    (f"<head><title>A &amp; <![CDATA[<b>]]></title></head><body>{TWO}</body>", "A & <b>", "/1 /2"),
    (f"<body><textarea/><iframe/><style/><xmp/>{TWO}</body>", None, "/1 /2"),
    ("<body><script><![CDATA[ '<a href=\"/no\">' ]]></script><a href='/in'/></body>", None, "/in"),
]


@pytest.mark.parametrize(("body", "title", "paths"), XML)
@pytest.mark.parametrize("kind", ["application/xhtml+xml", "text/xml"])
def test_xhtml_is_xml(body: str, title: str | None, paths: str, kind: str) -> None:
    body = XHTML.format(body)
    assert both(body, kind) == paths.split()
    assert page(body, kind).title == title


def test_what_fills_a_window_is_read_to_its_end() -> None:
    fake = "<a href='/no'>x</a>" * 18_000
    assert both(f'<div data-p="{fake}"></div><a href=/in>x</a>') == ["/in"]
    assert both(f'<a data-z="{"x" * 300_000}" href="/in">x</a>') == ["/in"]
    assert both(f"<a data-z={'x' * 300_000} href='/in'>x</a>") == ["/in"]
    name = "d" * 262_142  # which a window cuts off in its middle, or right behind it
    for cut in range(6):
        assert both(f'<a {name[cut:]} href="/in" title="a > b">x</a>') == ["/in"]
        assert both(f'<a {name[cut:]}="c d" href="/in">x</a>') == ["/in"]
    for end in ("", " ", "=", '="', " b= "):  # and the end of the document
        assert both(f"<a href=/in>x</a><a {'b ' * 200_000}{end}") == ["/in"]
    assert both(f"<svg>{'<path/>' * 60_000}<style/></svg><a href=/in>x</a>") == ["/in"]
    assert both(f"{'<svg><path/></svg>' * 40_000}<a href=/in>x</a>") == ["/in"]


NESTED = {
    "foreign elements and ends of none": ("<svg>", "<g>", "</z>"),
    "elements where HTML stands": ("<svg><foreignObject>", "<div>", ""),
    "items": ("<svg><foreignObject>", "<li><b>", "<li>"),
    "pictures in pictures": ("", "<svg><desc>", "</p>"),
    "formulas": ("", "<math><mi>", "</x>"),
    "pictures without an end": ("", "<svg><path>", ""),
}


@pytest.mark.parametrize("what", NESTED)
def test_nesting_costs_in_proportion(what: str) -> None:
    head, deep, after = NESTED[what]

    def cost(number: int) -> float:
        text = head + deep * number + after * number
        began = time.process_time()
        scan(text)
        return time.process_time() - began

    small = min(cost(2_000) for _ in range(3))
    assert cost(16_000) < 30 * small  # eight times the markup; the square of it were 64


def test_both_ways_of_the_fast_pass_agree_on_plain_pages() -> None:
    body = f"<title> T &amp; t </title><base href=/b/><meta name=robots content=none>{TWO}<p>x"
    assert precise(body) == scan(body)


def test_a_crawl_goes_on_behind_an_empty_element(tmp_path: Path) -> None:
    async def story() -> set[str]:
        async with PracticeSite(robots=False) as site:
            site.add_page("/", f"<title>H</title><svg><title/><path/></svg>{TWO}")
            xhtml = XHTML.format("<head><script src='x'/></head><body><a href='/3'>3</a></body>")
            site.add_page("/1", xhtml, content_type="application/xhtml+xml")
            await crawled(SiteSpider(site.at("/")), tmp_path / "f.db")
            return {hit.target for hit in site.hits}

    assert asyncio.run(story()) == {"/robots.txt", "/", "/1", "/2", "/3"}
