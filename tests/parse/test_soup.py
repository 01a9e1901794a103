"""`page.soup` is the tree that BeautifulSoup builds on lxml, element by element."""

import copy
import os
import pickle
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, Tag
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.parse import charset, soup
from crawler.parse.soup import SPECIMEN, drawn, soup_of
from tests.parse.test_fast_pass_and_soup import DOCS, EVIL, HARD

STEP = 8 * int(os.environ.get("STEP", "24"))  # `make real-pages` takes every 64th

pytestmark = pytest.mark.filterwarnings("ignore::bs4.XMLParsedAsHTMLWarning")


def plain(html: str) -> BeautifulSoup:
    return BeautifulSoup(html, "lxml")


def same(html: str) -> bool:
    ours, theirs = soup_of(html), plain(html)
    return drawn(ours) == drawn(theirs) and str(ours) == str(theirs)


@pytest.mark.parametrize("folder", DOCS, ids=lambda folder: folder.parts[4])
def test_on_real_pages_every_element_is_the_same(folder: Path) -> None:
    files = sorted(file for file in folder.resolve().rglob("*.htm*") if file.is_file())[::STEP]
    if not files:
        pytest.skip(f"{folder} is not installed")
    for file in files:
        assert same(charset.decode(file.read_bytes(), "text/html")[0]), file


ODD = {
    "nothing": "",
    "white space": " \n ",
    "a byte order mark": "\ufeff<p>x",
    "a zero byte": "<p>a\0b</p>",
    "an attribute in a namespace": "<p {a}b=c {http://www.w3.org/XML/1998/namespace}lang=d>x",
    "a template's attribute": "<p {{ x }} {y}>z",
    "a name with a colon": "<a:b c:d=e xml:lang=f xmlns:g=h>x</a:b>",
    "upper case": "<P CLASS='A B' ID=C>x</P>",
    "no-break spaces": "<p class='a\xa0b\u3000c'>\xa0</p>\u2003",
    "white space that is kept": "<pre> <b> </b>\n\n<i>x</i> </pre> \n <textarea>\n </textarea>",
    "kept inside kept": "<pre> <pre> </pre> </pre> <p> </p>",
    "strings of a type": "<script>a</script><style> </style><template>x<p>y</p>z</template>w",
    "ruby": "<ruby>a<rp>(</rp><rt>b<i>c</i></rt><rp>)</rp></ruby>",
    "comments": "<!-- --><!---->a<!--b--><p><!--\n--></p><!--c",
    "a comment in a style": "<style><!-- p {} --></style><template><!-- x --></template>",
    "instructions": "<?php x ?><p><?pi?></p><![CDATA[x]]>",
    "document types": "<!DOCTYPE html><p><!DOCTYPE html SYSTEM 'x'>y",
    "ends without starts": "</p>a</b></body></html></i>b",
    "crossed": "<b>1<i>2</b>3</i><p>4<p>5<table>6<tr>7<td>8</table>9",
    "behind the end": "<html><body>a</body></html> <p>b</p> c <!-- d -->",
    "metas": "<meta charset=x><meta http-equiv=Content-Type content='a; charset=b'><meta name=c>",
    "lists": "<td headers='a b'><a rel=' a  b ' rev='' href='c d' accesskey='e f'><link rel=g>",
    "an attribute twice": "<p class=a class=b id=c id=d>x",
    "deep": "<div>" * 400 + "x",
    "many": "<p>x" * 1000,
}


@pytest.mark.parametrize("html", {**HARD, **ODD}.values(), ids={**HARD, **ODD}.keys())
def test_on_odd_markup_every_element_is_the_same(html: str) -> None:
    assert same(html)


@pytest.mark.parametrize("name", ["open tags", "less than", "attributes", "script ends", "quotes"])
def test_on_hostile_markup_every_element_is_the_same(name: str) -> None:
    assert same(EVIL[name][:20_000])


PARTS = [
    *("<p>", "</p>", "<b class='x  y'>", "</b>", "<i>", "</i>", "<pre>", "</pre>", "<br>", "<br/>"),
    *("<table>", "<tr>", "<td headers=a>", "</table>", "<script>", "</script>", "<template>"),
    *("</template>", "<rt>", "</rt>", "<textarea>", "</textarea>", "<html lang=e>", "<body>"),
    *("</body>", "</html>", "<head>", "<title>", "</title>", "<!--", "-->", "<?x y?>"),
    *("<meta charset=a>", "<a {b}=c>", "<svg:g>", "</svg:g>", " ", "\n", "text", "&amp;", "<"),
    *("<select>", "<option>", "<form>", "</form>", "<frameset>", "<noscript>", "<plaintext>"),
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=40))
def test_on_any_sequence_of_tags_every_element_is_the_same(parts: list[str]) -> None:
    assert same("".join(parts))


# ---------------------------------------------------------------- it is a soup like any other


def test_the_tree_can_be_changed_copied_and_pickled() -> None:
    ours, theirs = soup_of(SPECIMEN), plain(SPECIMEN)
    for tree in (ours, theirs):
        tree.p.append(tree.new_tag("em", string="new"))
        tree.find("pre").decompose()
        tree.a["class"] = ["z"]
    assert drawn(ours) == drawn(theirs)
    assert str(copy.copy(ours)) == str(theirs)
    assert str(copy.deepcopy(ours.p)) == str(theirs.p)
    assert str(pickle.loads(pickle.dumps(ours))) == str(theirs)
    assert ours.prettify() == theirs.prettify()


def test_selectors_and_searches_find_the_same() -> None:
    ours, theirs = soup_of(SPECIMEN), plain(SPECIMEN)
    for css in ("p.b > b", "td a[rel~=e]", "html:lang(en)", ":root", "p + p", "p:last-of-type"):
        assert str(ours.select(css)) == str(theirs.select(css)), css
    assert ours.get_text("|") == theirs.get_text("|")
    assert str(ours.find_all(["b", "i"])) == str(theirs.find_all(["b", "i"]))
    assert [str(one) for one in ours.p.next_elements] == [str(o) for o in theirs.p.next_elements]


# ---------------------------------------------------------------- where it is not built here


def test_another_version_of_beautifulsoup_builds_its_own(monkeypatch) -> None:
    """An element that has more to it than is known here is left to BeautifulSoup."""
    made = Tag.__init__

    def later(self: Tag, *args: object, **named: object) -> None:
        made(self, *args, **named)
        self.colour = "green"

    monkeypatch.setattr(Tag, "__init__", later)
    soup._alike.cache_clear()
    try:
        assert soup_of("<p>x").p.colour == "green"
    finally:
        soup._alike.cache_clear()


def test_the_installed_version_is_built_here() -> None:
    """Else `page.soup` would silently cost three times as much."""
    assert type(soup_of("<p>x").builder) is soup.LeanTreeBuilder


def test_a_comparison_sees_what_differs() -> None:
    """The tests above are worth as much as `drawn`."""
    changes = {
        "hidden": True,
        "prefix": "x",
        "next_element": None,
        "attrs": {},
        "contents": [],
        "interesting_string_types": set(),
        "more": 1,
    }
    for name, value in changes.items():
        other = plain(SPECIMEN)
        setattr(other.p, name, value)
        assert drawn(other) != drawn(plain(SPECIMEN)), name
