"""One sweep over a page whose tags are all plain finds the text that several do."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.parse import one_sweep
from crawler.parse.nesting import is_in_order, is_in_order_as_written
from crawler.parse.one_sweep import text_in_one_sweep
from crawler.parse.sweeps import lines_of
from crawler.parse.text import _unread, read

_NAMES = (
    "p div span a b li ul td tr table h1 br img select option script style title textarea svg"
    " iframe noscript dialog rp x-y P DIV SCRIPT Svg foreignObject math template hr pre xmp text"
).split()
_ATTRIBUTES = [
    *("", " ", " a", " a=b", ' a="b"', " a='b'", ' a="b>c"', " a='b>c'", ' a="b<c"', ' a=b"c'),
    *(' a"b', ' =">', " a='", "='", " /", "/", " a=b/", ' a = "b"', ' a="b"c="d"', "\n", "\f"),
    *('\t a="x"\n', " a=&lt;", ' a="b=" c=">"', ' a=x" b="y', "\r", " a=b=", ' ="', " <"),
]
_PIECES = [
    *(" ", "  ", "\n", " \n ", "\t", "\r", "\f", "x", "a b", "é", "\xa0", "&nbsp;", "&lt;"),
    *("&#32;", "&#10;", "&amp;", "&", "&amp;lt;", "&#x20;", "&Tab;", "<", ">", '"', "'", "="),
    *("<!-- c -->", "<!---->", "<!-->", "<!--->", "<!-- > -->", "<!--", "-->", "--!>"),
    *("<!doctype html>", "<!x>", "<?x y?>", "<![CDATA[ x ]]>", "<>", "</>", "</ x>", "<1>", "<<"),
    *("a\n\xa0\nb", "\u3000", '<svg><path d="M"/></svg>', "<svg> <g><title>x</title></g>\n</svg>"),
    *("<svg> </svg>", "<svg><text>x</text></svg>", "<svg>x</svg>", "<svg/>"),
    *("<svg><!-- <p> --></svg>", '<script>"<p>"</script>', "<title/>"),
    *("<script><!-- <script> --></script>", "<script>a</scriptx></script >", "<style>p{}</style>"),
    *("<title>a<p>b</title>", "<textarea> x </textarea>", "<iframe></iframe>", '</script x="">'),
    *("<svg><a></a></svg>", "<svg><desc>x<p></desc></svg>", "<SVG></SVG>", "—"),
    *("<iframe>x</iframe>", "<script/>", "<script src=x/></script>", "&#0;", "\x1f", "&notin;"),
    *("&not&#39;in;"),
]
_TAG = st.builds(
    "<{}{}{}{}>".format,
    st.sampled_from(["", "/"]),
    st.sampled_from(_NAMES),
    st.sampled_from(_ATTRIBUTES),
    st.sampled_from(["", *_ATTRIBUTES]),
)
_PAGE = st.lists(_TAG | st.sampled_from(_PIECES), max_size=12).map("".join)


@settings(max_examples=1500, deadline=None)
@given(_PAGE)
def test_one_sweep_finds_what_several_do(page: str) -> None:
    found = text_in_one_sweep(page)
    assert found is None or found == lines_of(_unread(page))
    if found is not None:
        assert is_in_order_as_written(page) == is_in_order(_unread(page))


@settings(max_examples=300, deadline=None)
@given(_PAGE, st.integers(4, 60))
def test_it_finds_the_same_window_by_window(page: str, window: int) -> None:
    whole = text_in_one_sweep(page)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(one_sweep, "_WINDOW", window)
        assert text_in_one_sweep(page) == whole


@pytest.mark.parametrize(
    ("page", "text"),
    [
        (
            "<!DOCTYPE html><title>t</title><p>a <b> b</b>\n c<br>d<script>'<p>'</script>",
            "a b c\nd",
        ),
        ("<p>a<!-- <p> -->b <svg class=i><path d='M0'/></svg> c</p>\n<p>&nbsp;</p>", "ab c"),
        ("<ul>\n <li>a &lt; b\n <li>c&#10;d</ul>", "a < b\nc d"),
        ("a<noscript></noscript>b<iframe src=x></iframe>", "ab"),
    ],
)
def test_plain_pages_take_one_sweep(page: str, text: str) -> None:
    assert text_in_one_sweep(page) == text == read(page).text


@pytest.mark.parametrize(
    "page",
    ["<a title='b>c'>", "<svg>a</svg>", '<b title=a"b>', "<dialog>a</dialog>", "<p", "<script>"],
)
def test_what_is_not_plain_takes_several(page: str) -> None:
    assert text_in_one_sweep(page) is None


@pytest.mark.parametrize(
    "unit",
    [
        *("<", " ", "\n", "<p>", "<p ", "<p a=", '<p a="', "<!--", "<!-- -->", "<!-->", "&#32;"),
        *("<script>", "<script><!--", "<svg>", "<svg><g>", "<svg></svg>", "<title>", " <", "x "),
        *("<a href='", "</", "<iframe>", "<iframe></iframe>", "&", "&lt", "<textarea></text"),
    ],
)
def test_it_is_linear(unit: str) -> None:
    page = unit * (1_000_000 // len(unit))
    began = time.process_time()
    text_in_one_sweep(page)
    text_in_one_sweep(f"<p>{page}</p>")
    assert time.process_time() - began < 2.0  # at most 0.2 s, measured
