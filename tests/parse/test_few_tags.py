"""A look at few of a page's tags finds what a look at every one does, and what its tree says."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.parse import displayed, hidden, hidden_walk, plain_styles, text
from crawler.parse.glance import glance
from crawler.parse.hints import hinted
from crawler.parse.plain_markup import plain_markup
from crawler.parse.sweeps import IS_BLOCK, lines_of
from crawler.parse.tokenizer import spans
from crawler.parse.unread import drawn_text

_COMMON = [
    *("<p>", "</p>", "<div>", "</div>", "<span>", "</span>", "<li>", "</li>", "<ul>", "</ul>"),
    *("text ", "<i>", "</i>", "<h1>", "</h1>", "<table>", "<tr>", "<td>", "</table>", "<br>"),
    *("<!-- <p hidden style='display:block'> -->", '<a title="a>b" hidden>', "</a>"),
    *('<script>"<p hidden>"</script>', "<script><!-- x --></script>", "</x-y>", "<", "</", "</>"),
    "<x-y hidden>",
]
_HIDING = [
    *("<div hidden>", '<span style="display:none">', "<b class=x>", "</b>", "<li hidden>"),
    *("<svg aria-hidden=true><path d='x'/></svg>", "<P HIDDEN>", '<DIV STYLE="DISPLAY:NONE">'),
    *('<svg><g style="display:none"><text>t</text></g></svg>', "<svg hidden/>", "<p popover>"),
    *("<iframe>a<p></iframe>", "<noscript><p>n</noscript>", "<template><p>t", "</template>"),
    *("<style>.x{display:none} p{visibility:hidden}</style>", "<dialog>", "<dialog open>"),
    *("<style>#q{position:absolute} .z{left:-9999px}</style>", "<b id=q class=z>", "</dialog>"),
    *("<object data=x>", "</object>", "<textarea hidden><p></textarea>", "<tr hidden>"),
    *('<h1 style="visibility:hidden">', '<em style="visibility:visible">', "</em>", "<img hidden>"),
    *("<input type=hidden>", "<i style='fill:none'>", "<button hidden>", "</button>"),
    *("<p style=d\\69splay:none>", f"<p style='{'a' * 600}'>", "<math><mi hidden>x</mi></math>"),
]
_SHOWING = [
    *('<div style="display:inline">', '<span style="display:block">', '<b style="float:left">'),
    *('<li style="display:inline">', '<ul style="display:flex">', '<p style="display:inline">'),
    *('<svg><g style="display:block"><text>t</text></g></svg>', '<img style="display:block">'),
    *('<table style="display:inline-table">', '<div style="position:absolute">', "</b>", "</tr>"),
    *('<div style="color:red">', '<h1 style="display:inline">', '<DIV STYLE="DISPLAY:INLINE">'),
    *('<textarea style="display:block">x</textarea>', '<br style="float:left">', "</td>"),
]


def _pages(pieces: list[str]) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from([*_COMMON, *pieces]), max_size=25).map("".join)


@settings(max_examples=600, deadline=None)
@given(_pages(_HIDING))
def test_what_is_hidden_is_found_near_the_tags_that_hide(page: str) -> None:
    sheet = hidden.sheet_in(page)
    near = hidden_walk._near(page, sheet)
    assert near is None or near == list(hidden_walk._anywhere(page, sheet))


@settings(max_examples=600, deadline=None)
@given(_pages(_SHOWING))
def test_lines_are_found_near_the_tags_that_make_them(page: str) -> None:
    lines = displayed._Lines(IS_BLOCK)
    near = displayed._near(page, IS_BLOCK)
    assert near is None or near == [made for tag in spans(page) for made in lines.take(tag)]


def test_common_pages_are_told_by_few_of_their_tags() -> None:
    page = f"<p>a<i style='left:1px'>b</i>{'<p>c<b>d</b>' * 50}<div style='display:none'>e</div>"
    assert hidden_walk._near(page, hidden.sheet_in(page)) == [(len(page) - 33, len(page), "</p>")]
    assert len(hinted(page, frozenset({"dialog"}), frozenset({"none"})) or ()) == 1


@pytest.mark.parametrize(
    "unit", ["<i style=", "<i style='", "<b hidden ", "<p hidden>", "style=", "<svg>", "<script>"]
)
def test_few_tags_are_found_in_linear_time(unit: str) -> None:
    rules = "".join(f".c{n}{{display:none}}" for n in range(1500))
    small = f"<style>{rules}</style>{unit * (32_000 // len(unit))}"
    began = time.process_time()
    plain_styles.seen_by_tags(small, glance(small), quirks=False)
    assert time.process_time() - began < 2.0  # at most 0.2 s, measured
    for page in (unit * (300_000 // len(unit)), f"<a {unit * (300_000 // len(unit))}>"):
        began = time.process_time()
        hidden_walk._near(page, hidden.sheet_in(page))
        displayed._near(page, IS_BLOCK)
        assert time.process_time() - began < 2.0  # at most 0.5 s, measured


_PARTS = [
    *("<g>", "</g>", "<path d='a'/>", "<rect></rect>", "<text>a</text>", "<text>b<tspan>c</tspan>"),
    *("</text>", "<title>t</title>", "<desc>d</desc>", "<style>s</style>", " w ", "<defs>"),
    *(
        "<text>d &amp; e</text>",
        "<a>",
        "<p>",
        "<circle r=1 />",
        "<text/>",
        "<g/>",
        "<use href=#a/>",
    ),
    *("</defs>", "<line />"),
]


@settings(max_examples=600, deadline=None)
@given(st.lists(st.sampled_from(_PARTS), max_size=9).map("".join))
def test_the_text_of_a_picture_of_shapes_is_what_the_tokenizer_finds(inside: str) -> None:
    picture = f"<svg a=b>{inside}</svg>"
    found = drawn_text(picture)
    assert found is None or lines_of(found) == lines_of(plain_markup(picture))


@pytest.mark.parametrize(
    ("script", "wanted"),
    [
        ("<script><!--//--><![CDATA[//><!--\nif (a < b) c()\n//--><!]]></script>", "seen"),
        ("<script>\n<!--\nf()\n// -->\n</script>", "seen"),
        ("<script><!-- '<script>' </script> --></script>", "seen"),  # it ends at the second end
        ("<script><!-- '<script>' --></script>not", "notseen"),
    ],
)
def test_a_comment_in_a_script_hides_an_end_of_it_behind_another_script(
    script: str, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert text.text_of(f"{script}seen{'<p>' * 12_000}") == wanted
    if script.count("<script") == 1:
        monkeypatch.setattr(text, "plain_markup", None)  # which looks at every tag
        assert text.text_of(f"{script}seen{'<p>' * 12_000}") == wanted


_TEXTS = ["t", "u v", " ", "w\n", "&lt;", "<br>", "<img alt=a>"]
_BLOCKS = ["div", "section", "ul", "li", "blockquote", "nav", "form", "dl", "dd", "figure"]
_ATTRIBUTES = [
    *("", "", "", " hidden", ' style="display:none"', " class=x", ' class="y x"', " id=q"),
    *(" class=z", " aria-hidden=true", ' style="left:-9999px"', " class=X", " class=v"),
    *(' hidden style="display:block"', ' style="display:none!important"', " hidden=until-found"),
]
_SHEETS = [
    *("", ".x{display:none}", ".x{display:none}.y{display:block}", ".z{display:block}"),
    *("#q{float:left}", "p,li{display:block}", "div .x{display:none}", ".v{visibility:hidden}"),
    *("@media print{.x{display:none}}", "@media screen{.x{display:none}}", "span{display:block}"),
    *(".x:hover{display:none}", ".z{position:absolute;left:-9999px}", ".X{display:none}"),
    *("p.x{display:none}", ".x{dis/**/play:none}", "<!-- .x{display:none} -->", ".é,.x{opacity:0}"),
]


def _element(names: list[str], inside: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    parts = (st.sampled_from(names), st.sampled_from(_ATTRIBUTES), st.lists(inside, max_size=3))
    return st.tuples(*parts).map(lambda one: f"<{one[0]}{one[1]}>{''.join(one[2])}</{one[0]}>")


_LINE = st.recursive(
    st.sampled_from(_TEXTS), lambda inside: _element(["span", "b", "i", "label"], inside)
)
_PAGE = st.recursive(
    _LINE | _element(["a", "p", "h2", "pre"], _LINE), lambda inside: _element(_BLOCKS, inside)
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(_SHEETS), max_size=2).map("".join), st.lists(_PAGE, max_size=4))
def test_where_the_tags_tell_what_styles_hide_the_tree_says_the_same(
    sheet: str, body: list[str]
) -> None:
    page = f"<!doctype html><style>{sheet}</style>{''.join(body)}"
    look = glance(page)
    if text._told_by_tags(page, look, hides=hidden.may_hide(page, look)) is not None:
        read, by_tree = text.read(page), text._inner_text(page)
        assert by_tree is not None
        assert read.text == by_tree.text


@pytest.mark.parametrize(
    ("page", "wanted"),
    [
        ("<style>table.r{float:right}.n{display:none}</style><p>a<p class=n>b</p><p>c", "a\nc"),
        ('<div id=s style="display: none">a<form><input></form></div>b', "b"),
        ("<style>.é{display:none}</style><p class=é>a</p><p>b", "b"),
        ("<svg aria-hidden=true><path d='M0'/></svg><i hidden>x</i>a", "a"),
    ],
)
def test_pages_of_plain_styles_need_no_tree(
    page: str, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "_inner_text", None)
    assert text.text_of(f"<!doctype html>{page}") == wanted


@pytest.mark.parametrize(
    "page",
    [
        "<style>p.x{display:inline}</style><p class=x>a</p>",  # a line that a style makes
        "<style>div .x{display:none}</style><b class=x>a</b>",  # it depends on what is around
        "<style>p{display:block}</style><p hidden>a</p>",  # which shows it
        "<p><b hidden><div>a</div></b></p>",  # a block ends what it stands in
        "<a>x<b hidden><a>y</a></b></a>",  # and so does a link a link
        "<table><tr hidden><td>a</table>",
        "<ul><li hidden>a<li>b</ul>",
        "<style>noscript{display:block}</style><noscript>a</noscript>",
    ],
)
def test_what_depends_on_what_stands_around_takes_the_tree(page: str) -> None:
    page = f"<!doctype html>{page}"
    assert plain_styles.seen_by_tags(page, glance(page), quirks=False) is None
