"""What a reader does not see is no text of a page: left out, counted, and kept on request."""

import asyncio
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from following_story import crawled, rows

from crawler import Request, SiteSpider
from crawler.cli.ending import story
from crawler.inspect.search import index
from crawler.inspect.status import overview
from crawler.parse import text
from crawler.parse.css import sheet_of
from crawler.parse.hidden import seen
from crawler.parse.invisible import visible
from crawler.parse.markdown import markdown_of
from crawler.parse.text import read, text_of
from crawler.practice import PracticeSite
from crawler.store.schema import APPLICATION_ID, MIGRATIONS
from crawler.web.page import ScrapedPage
from crawler.web.response import Response

# Each with the text that Chromium 156 gives as `innerText` (empty lines and runs of blanks apart).
BROWSERS_SAY = [
    ("display none", '<p>seen</p><p style="display:none">not</p>', "seen"),
    ("display none within", '<div style="display: none">a<div>b</div>c</div>seen', "seen"),
    ("display none in capitals", '<P>seen<SPAN STYLE="DISPLAY:NONE">not</SPAN></P>', "seen"),
    (
        "display none important",
        '<p style="display:none!important;display:block">not</p>seen',
        "seen",
    ),
    ("the last declaration", '<p style="display:none;display:block">seen</p>', "seen"),
    ("an escape in css", '<p style="d\\69splay:none">not</p>seen', "seen"),
    ("a comment in css", '<p style="display/**/:none">not</p>seen', "seen"),
    ("a reference in an attribute", '<p style="display&#58;none">not</p>seen', "seen"),
    ("unquoted", "<p style=display:none>not</p>seen", "seen"),
    ("single quotes", "<p style='display:none'>not</p>seen", "seen"),
    ("a > in an attribute before", '<p title="a > b" style="display:none">not</p>seen', "seen"),
    ("inline between letters", '<p>se<b style="display:none">not</b>en</p>', "seen"),
    ("visibility hidden", '<p style="visibility:hidden">not</p>seen', "seen"),
    (
        "visible within hidden",
        '<div style="visibility:hidden">not<p style="visibility:visible">seen</p>not</div>',
        "seen",
    ),
    (
        "visible within none",
        '<div style="display:none">not<p style="visibility:visible;display:block">not</p></div>seen',  # noqa: E501
        "seen",
    ),
    ("collapse", '<p style="visibility:collapse">not</p>seen', "seen"),
    ("hidden", "<p hidden>not</p>seen", "seen"),
    ("hidden with a value", '<p hidden="false">not</p>seen', "seen"),
    ("hidden until found", '<div hidden="until-found">not</div>seen', "seen"),
    ("hidden in capitals", "<p HIDDEN>not</p>seen", "seen"),
    ("a class named hidden", '<p class="hidden">seen</p>', "seen"),
    ("data-hidden", '<p data-hidden="true">seen</p>', "seen"),
    ("content-visibility", '<div style="content-visibility:hidden">not</div>seen', "seen"),
    ("template", "<template><p>not</p></template>seen", "seen"),
    ("noscript", "<noscript><p>not</p></noscript>seen", "seen"),
    ("dialog", "<dialog><p>not</p></dialog>seen", "seen"),
    ("dialog that is open", "<dialog open><p>seen</p></dialog>", "seen"),
    ("popover", "<div popover>not</div>seen", "seen"),
    ("input hidden", '<input type="hidden" value="not">seen', "seen"),
    ("comment", "<!-- not --><p>seen</p><!-- <p>not</p> -->", "seen"),
    ("iframe", "<iframe>not</iframe>seen", "seen"),
    ("video", "<video><p>not</p></video>seen", "seen"),
    ("canvas", "<canvas>not</canvas>seen", "seen"),
    ("datalist", "<datalist><option>not</option></datalist>seen", "seen"),
    ("script and style", "<script>not</script><style>not{}</style>seen", "seen"),
    (
        "a class of the page",
        '<style>.x{display:none}</style><p class="a x">not</p><p class="xy">seen</p>',
        "seen",
    ),
    ("an id of the page", '<style>#y { visibility : hidden }</style><p id="y">not</p>seen', "seen"),
    ("a tag of the page", "<style>aside{display:none}</style><aside>not</aside>seen", "seen"),
    (
        "a compound",
        '<style>p.x{display:none}</style><p class="x">not</p><div class="x">seen</div>',
        "seen",
    ),
    (
        "a list of selectors",
        '<style>.q, .x , .z{color:red;display:none}</style><p class="x">not</p>seen',
        "seen",
    ),
    (
        "a rule that shows again",
        '<style>.x{display:none}.x.on{display:block}</style><p class="x on">seen<p class="x">not',
        "seen",
    ),
    (
        "a later rule",
        '<style>.x{display:none}.x{display:block}</style><p class="x">seen</p>',
        "seen",
    ),
    (
        "an earlier rule of more weight",
        '<style>#i{display:block}.x{display:none}</style><p id="i" class="x">seen</p>',
        "seen",
    ),
    (
        "inline over a rule",
        '<style>.x{display:none}</style><p class="x" style="display:block">seen</p>',
        "seen",
    ),
    (
        "important over inline",
        '<style>.x{display:none!important}</style><p class="x" style="display:block">not</p>seen',
        "seen",
    ),
    ("for print", '<style>@media print{.x{display:none}}</style><p class="x">seen</p>', "seen"),
    (
        "a wide screen",
        '<style>.x{display:none}@media (min-width:1px){.x{display:block}}</style><p class="x">seen</p>',  # noqa: E501
        "seen",
    ),
    (
        "a descendant shows",
        '<style>.x{display:none}div .x{display:block}</style><div><p class="x">seen</p></div>',
        "seen",
    ),
    ("on hover", '<style>.x:hover{display:none}</style><p class="x">seen</p>', "seen"),
    ("a pseudo-element", '<style>.x::before{display:none}</style><p class="x">seen</p>', "seen"),
    (
        "a rule in a comment",
        '<!-- <style>.x{display:none}</style> --><p class="x">seen</p>',
        "seen",
    ),
    (
        "a comment in a rule",
        '<style>.x{/* } */display:none}</style><p class="x">not</p>seen',
        "seen",
    ),
    ("a list item that the next ends", "<ul><li hidden>not<li>seen</ul>", "seen"),
    ("a list item that its list ends", "<ul><li>seen<li hidden>not</ul>too", "seen\ntoo"),
    ("a paragraph that a block ends", "<p hidden>not<div>seen</div>", "seen"),
    ("a cell that the next ends", "<table><tr><td hidden>not<td>seen</table>", "seen"),
    ("a row", "<table><tr hidden><td>not</td></tr><tr><td>seen</td></tr></table>", "seen"),
    ("a term", "<dl><dt hidden>not<dd>seen</dl>", "seen"),
    ("hidden that its parent ends", "<section><div hidden>not</section><p>seen</p>", "seen"),
    ("hidden to the end", "<p>seen</p><div hidden>not<p>not", "seen"),
    ("hidden in hidden", "<div hidden>not<div hidden>not</div>not</div>seen", "seen"),
    ("same names within", "<div hidden><div>not</div>not</div><div>seen</div>", "seen"),
    ("script within", '<div hidden><script>"</div>"</script>not</div>seen', "seen"),
    ("svg that ends itself", "<svg><path hidden /></svg><p>seen</p>", "seen"),
    ("no height, cut off by nothing", '<div style="height:0">seen</div>', "seen"),
    ("white on black", '<p style="color:white;background:black">seen</p>', "seen"),
    (
        "for screen readers",
        '<style>.sr-only{position:absolute;width:1px;height:1px;overflow:hidden;clip:rect(0,0,0,0)}</style><p class="sr-only">read out</p><p>seen</p>',  # noqa: E501
        "read out\nseen",
    ),
    (
        "for screen readers inline",
        '<p class="visually-hidden" style="position:absolute;left:-9999px">read out</p><p>seen</p>',
        "read out\nseen",
    ),
    ("not for screen readers", '<p class="sr-only" style="display:none">not</p>seen', "seen"),
    ("aria-hidden false", '<p>seen<span aria-hidden="false"> too</span></p>', "seen too"),
    ("a custom element", "<p>se<x-y>en</x-y></p>", "seen"),
    ("custom elements and capitals", '<p>se<My-Tag a="b">e</My-Tag>n</p>', "seen"),
    (
        "a > in attributes",
        '<div x-data="{ go: () => { open = true } }"><p title="a > b">seen</p></div>',
        "seen",
    ),
    ("stray quotes", "<p title=it's>seen</p><p>too</p>", "seen\ntoo"),
    ("no-break space", "<p>a&nbsp;b</p><p>&nbsp;</p>", "a\xa0b"),
    ("ideographic space", "<p>\u3042\u3000\u3044</p>", "\u3042\u3000\u3044"),
    ("NUL", "<p>se\0en</p>", "seen"),
    ("no value of display", '<p style="display:none;display:yes">not</p>seen', "seen"),
    ("a value of display", '<p style="display:none;display:inline-block">seen</p>', "seen"),
    (
        "a custom property",
        "<style>:root{--d:none}i{display:var(--d)}b{display:var(--e,none)}"
        "u{--f: none;display:var( --f )}</style><i>not</i><b>not</b><u>not</u>seen",
        "seen",
    ),
    (
        "a custom property that is set anew",
        '<style>:root{--d:none}i{display:var(--d)}</style><p style="--d:inline"><i>seen</i>',
        "seen",
    ),
    (
        "a custom property of other elements",
        "<style>p{--d:none}i{display:var(--d)}</style><i>seen</i>",
        "seen",
    ),
    (
        "a custom property that depends",
        "<style>@media print{:root{--d:none}}i{display:var(--d)}</style><i>seen</i>",
        "seen",
    ),
    ("not print", "<style>@media not print{i{display:none}}</style><i>not</i>seen", "seen"),
    ("a block in a line ends a paragraph", '<p>a<p style="display:inline">b', "a\nb"),
    ("a hidden block ends a paragraph", "<p>a<div hidden>b</div>c", "a\nc"),
    ("what is hidden in a line ends none", "<p>a<button hidden>b</button>c<i hidden>d</i>e", "ace"),
    ("a hidden block in a block ends no line", "<div>a<div hidden>b</div>c</div>", "ac"),
    ("the paragraph had ended", "<div><p>a</div>b<div hidden>c</div>d", "a\nbd"),
]
OTHER_THAN_BROWSERS = [
    (
        "a custom property that a linked sheet may set",
        "<link rel=stylesheet href=/s><style>i{display:var(--d,none)}</style><i>seen</i>",
        "seen",
        "",
    ),
    (
        "details",
        "<details><summary>seen</summary><p>on request</p></details>",
        "seen\non request",
        "seen",
    ),
    ("opacity", '<p style="opacity:0">not</p><p style="opacity:0.9">seen</p>', "seen", "not\nseen"),
    (
        "font size",
        '<p style="font-size:0">not<b style="font-size:12px">seen</b></p>',
        "seen",
        "notseen",
    ),
    (
        "font size relative to none",
        '<p style="font-size:0px">not<b style="font-size:2em">not</b></p>seen',
        "seen",
        "notnot\nseen",
    ),
    ("no height", '<div style="height:0;overflow:hidden">not</div>seen', "seen", "not\nseen"),
    (
        "far to the left",
        '<p style="position:absolute;left:-9999px">not</p>seen',
        "seen",
        "not\nseen",
    ),
    ("indented away", '<p style="text-indent:-9999px">not</p>seen', "seen", "not\nseen"),
    ("clipped", '<p style="position:absolute;clip:rect(0,0,0,0)">not</p>seen', "seen", "not\nseen"),
    ("clip path", '<p style="clip-path:inset(50%)">not</p>seen', "seen", "not\nseen"),
    ("moved away", '<p style="transform:translateX(-9999px)">not</p>seen', "seen", "not\nseen"),
    ("scaled away", '<p style="transform:scale(0)">not</p>seen', "seen", "not\nseen"),
    ("white on white", '<p style="color:#fff;background:#FFFFFF">not</p>seen', "seen", "not\nseen"),
    (
        "aria-hidden",
        '<p>seen<span aria-hidden="true">decoration</span></p>',
        "seen",
        "seendecoration",
    ),
    ("zero width space", "<p>se\u200ben</p>", "seen", "se\u200ben"),
    ("soft hyphen", "<p>se&shy;en</p>", "seen", "se\xaden"),
    (
        "tag characters",
        "<p>seen\U000e0041\U000e0042\U000e007f</p>",
        "seen",
        "seen\U000e0041\U000e0042\U000e007f",
    ),
    (
        "tag characters as references",
        "<p>seen&#xE0041;&#xE0042;</p>",
        "seen",
        "seen\U000e0041\U000e0042",
    ),
    (
        "variation selectors",
        "<p>s\ufe00\ufe01\U000e0101een</p>",
        "seen",
        "s\ufe00\ufe01\U000e0101een",
    ),
]


@pytest.mark.parametrize(
    ("html", "wanted"), [r[1:] for r in BROWSERS_SAY], ids=[r[0] for r in BROWSERS_SAY]
)
def test_the_text_of_a_page_is_what_a_browser_shows(html: str, wanted: str) -> None:
    assert text_of(f"<!DOCTYPE html><body>{html}</body>") == wanted


@pytest.mark.parametrize(
    ("html", "wanted", "browser"),
    [r[1:] for r in OTHER_THAN_BROWSERS],
    ids=[r[0] for r in OTHER_THAN_BROWSERS],
)
def test_what_is_drawn_where_nobody_sees_it_is_left_out_too(
    html: str, wanted: str, browser: str
) -> None:
    assert text_of(f"<!DOCTYPE html><body>{html}</body>") == wanted != browser


WALES = "\U0001f3f4\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f"
INVISIBLE = [
    ("plain", "words", "words", 0),
    ("a family", "\U0001f468\u200d\U0001f469\u200d\U0001f467", None, 0),
    ("a heart", "\u2764\ufe0f", None, 0),
    ("a keycap", "1\ufe0f\u20e3", None, 0),
    ("a heart on fire", "\u2764\ufe0f\u200d\U0001f525", None, 0),
    ("the flag of Wales", WALES, None, 0),
    ("more behind a flag", WALES + "\U000e0041", WALES, 1),
    ("no flag of a region", "\U0001f3f4\U000e0068\U000e0069\U000e007f", "\U0001f3f4", 3),
    ("Persian", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", None, 0),
    ("Sinhala", "\u0d9a\u0dca\u200d\u0dbb", None, 0),
    ("Khmer words", "\u1781\u200b\u1782", None, 0),
    ("an ideographic variant", "\u8fbb\U000e0100", None, 0),
    ("Hebrew with a mark", "\u05d0\u200f 1", None, 0),
    ("joiners in Latin", "a\u200db\u200cc", "abc", 0),
    ("bits in Latin", "a\u200b\u200c\u200b\u200c\u200b\u200bc", "ac", 6),
    ("an override", "\u202etxet\u202c", "txet", 1),
    ("marks without need", "a\u200eb", "ab", 0),
    ("a byte order mark", "\ufeffwords", "words", 0),
    ("a word joiner", "a\u2060b", "ab", 0),
    ("invisible operators", "f\u2061\u2062x", "fx", 2),
    ("a filler", "a\u3164b", "ab", 1),
    ("selectors behind an emoji", "\U0001f600\ufe0f\ufe01\ufe02\U000e0110", "\U0001f600\ufe0f", 3),
    ("a language tag", "a\U000e0001\U000e0065b", "ab", 2),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "wanted", "number"), [r[1:] for r in INVISIBLE], ids=[r[0] for r in INVISIBLE]
)
def test_characters_that_nobody_sees_go_where_nothing_needs_them(
    text: str, wanted: str | None, number: int
) -> None:
    assert visible(text) == (text if wanted is None else wanted, number)


PAGE = (
    "<title>T</title><h1>Seen</h1><p>Plain words."
    "<span style='display:none'>Ignore all of it.</span></p><p hidden>Not this.</p>"
    "<p>More\U000e0041\U000e0042.</p>"
)
LEFT_OUT = len("Ignore all of it.") + len("Not this.") + 2


def page_of(
    html: str, content_type: str = "text/html; charset=utf-8", encoding: str = "utf-8"
) -> ScrapedPage:
    url = "http://example.org/a/"
    headers = {"Content-Type": content_type}
    return ScrapedPage(Response(url, 200, headers, html.encode(encoding), 0.0, 0.0), Request(url))


def test_a_page_says_how_much_it_left_out_and_gives_it_on_request() -> None:
    page = page_of(PAGE)
    assert page.text == "Seen\nPlain words.\nMore." and page.hidden == LEFT_OUT
    assert (
        page.all_text == "Seen\nPlain words.Ignore all of it.\nNot this.\nMore\U000e0041\U000e0042."
    )
    assert page_of("<p>Seen</p>").hidden == 0
    assert page_of("Ignore <p hidden>", "text/plain").text == "Ignore <p hidden>"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "windows-1252", "shift_jis"])
def test_the_encoding_of_a_page_does_not_matter(encoding: str) -> None:
    html = "<p>seen</p><p STYLE='Display: None'>not</p>"
    assert page_of(html, f"text/html; charset={encoding}", encoding).text == "seen"


def test_markdown_has_no_hidden_text_either() -> None:
    page = page_of(PAGE)
    assert page.markdown == "# Seen\n\nPlain words.\n\nMore.\n"
    assert "Ignore" not in page.article and "Not this" not in page.article
    assert "Ignore all of it." in markdown_of(PAGE, hidden=True)


def test_a_table_keeps_its_columns_and_a_link_its_way() -> None:
    table = (
        "<table><tr><th>City<th>Year<th>Pop</tr><tr><td rowspan=2>Oslo<td>2020<td>1</tr>"
        "<tr><td>2021<td>a|b</tr></table><p>10<sup>6</sup> H<sub>2</sub>O <a href=x.html>x</a>"
    )
    assert page_of(table).markdown.splitlines() == [
        "| City | Year | Pop |", "| --- | --- | --- |", "| Oslo | 2020 | 1 |",
        "|  | 2021 | a\\|b |", "",
        "10<sup>6</sup> H<sub>2</sub>O [x](http://example.org/a/x.html)",
    ]  # fmt: skip


@pytest.mark.parametrize("choice", ["drop", "keep"])
def test_the_store_has_and_tells_what_was_left_out(tmp_path: Path, choice: str) -> None:
    async def run() -> Any:
        async with PracticeSite(robots=False) as site:
            site.add_page("/start", PAGE + "<a href='/other'>on</a>")
            site.add_page("/other", "<p>Nothing to hide.</p>")
            spider = SiteSpider(site.at("/start"))
            spider.settings = {"store": {"text": True, "hidden_text": choice}}
            return await crawled(spider, tmp_path / "h.db")

    summary = asyncio.run(run())
    hidden = rows(tmp_path / "h.db", "SELECT hidden FROM texts ORDER BY page_id")
    found = rows(tmp_path / "h.db", "SELECT count(*) FROM search WHERE search MATCH 'ignore'")
    counted = overview(tmp_path / "h.db").hidden
    if choice == "keep":
        assert (hidden, found, counted, summary.hidden_pages) == ([0, 0], [1], {}, 0)
    else:
        assert (hidden, found) == ([LEFT_OUT, 0], [0])
        assert counted == {"characters": LEFT_OUT, "pages": 1}
        assert f"{LEFT_OUT} characters on 1 page" in story(summary)


def test_a_store_of_an_older_version_is_brought_up_to_date_for_its_index(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    db = sqlite3.connect(path)
    for file in MIGRATIONS[:3]:
        db.executescript(file.read_text(encoding="utf-8"))
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute("PRAGMA user_version = 3")
    db.close()
    assert index(path) == 0
    assert rows(path, "SELECT hidden FROM texts") == []
    assert rows(path, "PRAGMA user_version") == [len(MIGRATIONS)]


def test_an_index_made_afterwards_leaves_out_the_same(tmp_path: Path) -> None:
    async def run() -> None:
        async with PracticeSite(robots=False) as site:
            site.add_page("/start", PAGE)
            await crawled(SiteSpider(site.at("/start")), tmp_path / "h.db")

    asyncio.run(run())
    assert index(tmp_path / "h.db") == 1
    assert rows(tmp_path / "h.db", "SELECT text, hidden FROM texts") == [
        ("Seen\nPlain words.\nMore.", LEFT_OUT)
    ]


HOSTILE = {
    "open elements": "<div hidden>" * 20_000,
    "what a start tag may end": "<p hidden>" + "<span>" * 20_000 + "<div>" * 20_000,
    "end tags": "<p hidden>" + "</div>" * 50_000,
    "quotes": "<p style='" * 20_000,
    "styles": "<style>.x{display:none}" * 5_000,
    "rules": f"<style>{'.x{display:none}' * 20_000}</style><p class=x>",
    "selectors": f"<style>{'.x,' * 50_000}.y{{display:none}}</style><p class=y>",
    "braces": f"<style>{'@media{' * 50_000}</style><p class=y hidden>",
    "words": "hidden popover style= " * 50_000,
    "styles of boxes": "style=display " * 50_000,
    "invisible": "<p>" + "a\u200b" * 100_000,
    "custom properties": f"<style>:root{{{'--d:none;' * 20_000}}}{'i{display:var(--d)}' * 20_000}",
    "classes": f"<style>.x{{display:none}}</style><p class='{'x ' * 50_000}'>" * 3,
}


@pytest.mark.parametrize("html", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_page_is_read_in_a_time_that_its_size_bounds(html: str) -> None:
    began = time.process_time()
    read(html)
    assert time.process_time() - began < 3


def test_the_rules_of_a_page_are_read_once_for_all_pages_that_have_them() -> None:
    assert sheet_of(".once{display:none}") is sheet_of(".once{display:none}")


def test_what_is_cut_out_leaves_markup_that_is_whole() -> None:
    html = "<div><p>a</p><div hidden><p>b</div><p>c</p></div>"
    assert seen(html) == ("<div><p>a</p><p>c</p></div>", 1)


@pytest.mark.parametrize(
    "page",
    [
        "<p>a<noscript>b <i>c</i></noscript>d",
        "<IFRAME src=x>a</iframe ><p>b",
        "<p>a<iframe>b",
        "<!-- <iframe> --><p>a<script>'<iframe>'</script>b<noscript>c</noscript>",
        "<p title='>'>a<noscript>b</noscript>",
        '<p title="> <iframe>">a</iframe>b',
        "<b <iframe>a</iframe>b",
        "<noscript>a</noscript><audio>b</audio>c",
        "<noframes>a<noscript>b</noframes>c</noscript>d",
        "<svg><title><noscript></title></svg>a</noscript>b",
        "\x01<noscript>a</noscript>b",
    ],
)
def test_elements_that_are_hidden_by_name_alone_are_cut_as_a_walk_over_all_tags_cuts_them(
    page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = page + "<p>word" * 5000
    found = read(page), read(large)
    monkeypatch.setattr(text, "seen_by_name", lambda html: None)
    assert (read(page), read(large)) == found
