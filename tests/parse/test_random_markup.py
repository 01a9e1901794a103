"""Random markup: the fast pass, the full pass and a tree by the HTML standard find the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser, LexborNode

from crawler import urls
from crawler.parse import document, fast_pass

URL = "http://site.test/"
# No "<" or "</" alone: the fast pass does not look for comments that begin so.
PIECES = [
    *("<a href=/1>", '<a href="/2" class=x>', "<A HREF='/3'>", '<a href=/4 title=">">', "</a>"),
    *("<area href=/5>", "<a xlink:href=/6>", "<use href=/7 />", "<image href=/8>", "text", "&amp;"),
    *("<title>", "</title>", "<title>T &lt; t</title>", "<title/>", "<base href=/b/>", "<base>"),
    *("<svg>", "</svg>", "<svg/>", '<path d="x"/>', "<g>", "</g>", "<text>", "<desc>", "</desc>"),
    *("<foreignObject>", "</foreignObject>", "<math>", "</math>", "<mi>", "</mi>", "<![CDATA["),
    *('<annotation-xml encoding="text/html">', "</annotation-xml>", "<font color=x>", "]]>"),
    *("<script>", "</script>", "<style>", "</style>", "<textarea>", "</textarea>", "<xmp>"),
    *("</xmp>", "<iframe>", "</iframe>", "<noembed>", "</noembed>", "<template>", "</template>"),
    *("<!--", "-->", "<!-->", "--!>", "<?x", ">", '"', "'", "<p>", "</p>", "<div>", "</div>"),
    *("<table>", "<tr>", "<td>", "</table>", "<select>", "<option>", "</select>", "<b>", "</b>"),
    *("<li>", "<h1>", "</h1>", "<br/>", "<body>", "</body>", "<head>", "</head>", "<x-y a='>'>"),
    *("</b title='<a href=/9>'>", '</x-y a=">">', '</p "<a href=/9>"'),
]


def elements(root: LexborNode | None) -> Iterator[tuple[LexborNode, str]]:
    """Yield the elements of a tree in its order, each with its namespace."""
    waiting = [(root, "html")]
    while waiting:
        node, around = waiting.pop()
        if node is None:
            continue
        waiting.append((node.next, around))
        if not node.is_element_node:
            continue
        name = node.tag or ""
        space = {"svg": "svg", "math": "math"}.get(name, "html") if around == "html" else around
        yield node, space
        if space != "html" or name != "template":  # whose content is no part of the document
            waiting.append((node.first_child, "html" if holds_html(node, space) else space))


def holds_html(node: LexborNode, space: str) -> bool:
    name = (node.tag or "").lower()
    if space == "math" and name == "annotation-xml":
        return node.attributes.get("encoding") == "text/html"
    points = {"svg": ("foreignobject", "desc", "title"), "math": ("mi", "mo", "mn", "ms", "mtext")}
    return name in points.get(space, ())


def by_tree(html: str) -> tuple[str | None, str | None, set[str]]:
    """Return title, base and links by the tree of the standard."""
    title = base = None
    links = set()
    for node, space in elements(LexborHTMLParser(html).root):
        said = node.attributes
        if space == "html" and node.tag == "title" and title is None:
            title = " ".join((node.text() or "").split())
        elif space == "html" and node.tag == "base" and base is None:
            base = said.get("href", base)
        elif space == "html" and node.tag in ("a", "area") and "href" in said:
            links.add(said["href"])
        elif space == "svg" and node.tag == "a":
            links.add(said.get("href", said.get("xlink:href")))
    return title, base, {link for link in links if link}


@settings(max_examples=250, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=24).map("".join))
def test_random_markup_is_read_as_a_tree_has_it(pieces: str) -> None:
    html = f"<!doctype html>{pieces}"
    title, base, links = by_tree(html)
    for found in (fast_pass.scan(html), fast_pass.precise(html)):
        assert (found.title, found.base, set(found.hrefs)) == (title, base, links)
    full = document(html, URL, tags={"a": ("href", "xlink:href"), "area": ("href",)})
    assert full.base == (URL if base is None else f"{URL}b/")
    assert {link.url for link in full.links} == {f"{URL}{link[1:]}" for link in links}


@pytest.mark.parametrize(
    ("before", "shown"),
    [("<p>", True), ("</b><i>", True), ("<a href=/1>", True), ("x", False), ("<br>", False),
     ("<body>", False), ("<!-- c --><svg></svg>", True), ("<title>T</title>", True)],
)  # fmt: skip
def test_frames_take_the_place_of_a_body_without_text(before: str, shown: bool) -> None:
    html = f"<!doctype html>{before}<frameset><a href=/no></frameset><a href=/no>"
    assert fast_pass.scan(html).hrefs == ([] if shown else ["/no", "/no"])
    assert by_tree(html)[2] == (set() if shown else {"/no"})


@pytest.mark.parametrize(
    "html",
    [  # a quote that is part of a name or of a value without quotes; the end of a tag in others
        '<a href=/y="z t="u><a href=/no>">',
        '<p x=a"b c=">" d="<a href=/no>">',
        '<p ="x" y="<a href=/no>">',
        '<b "="><a href=/no>">',
        '<pa=" t="><a href=/no>">',
        "<a href=/1 =' t='><a href=/no>'>",
        "<area == href=/no>",
        '<svg><path d="></svg><a href=/no>"/></svg><a href=/1>',
        '<svg><title x="></title></svg><a href=/no>"></title></svg><a href=/1>',
        "<svg/d= /><title>T</title></svg><a href=/1>",
        "<template><svg></template><a href=/1>",
        '<template><g d="></template><a href=/no>"></template><a href=/1>',
        "<template><math><![CDATA[></template><a href=/no>]]></math></template><a href=/1>",
        "<template><plaintext></template><a href=/no>",
        "<template><script><!--<script></script></template><a href=/no>-->",
        "<a href=/1><title",
    ],
)
def test_quotes_and_ends_are_where_a_tree_has_them(html: str) -> None:
    title, base, links = by_tree(f"<!doctype html>{html}")
    for found in (fast_pass.scan(html), fast_pass.precise(html)):
        assert (found.title, found.base, set(found.hrefs)) == (title, base, links)
    full = document(html, URL, tags=("a", "area"))
    assert {link.url for link in full.links} == {urls.parse(link, URL) for link in links}
