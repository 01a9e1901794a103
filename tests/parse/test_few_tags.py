"""A look at few of a page's tags finds what a look at every one does: what is hidden, and lines."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.parse import displayed, hidden, hidden_walk, text
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
    sheet = hidden._sheet(page)
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
    assert hidden_walk._near(page, hidden._sheet(page)) == [(len(page) - 33, len(page), "</p>")]
    assert len(hinted(page, frozenset({"dialog"}), frozenset({"none"})) or ()) == 1


@pytest.mark.parametrize(
    "unit", ["<i style=", "<i style='", "<b hidden ", "<p hidden>", "style=", "<svg>", "<script>"]
)
def test_few_tags_are_found_in_linear_time(unit: str) -> None:
    for page in (unit * (300_000 // len(unit)), f"<a {unit * (300_000 // len(unit))}>"):
        began = time.process_time()
        hidden_walk._near(page, hidden._sheet(page))
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
