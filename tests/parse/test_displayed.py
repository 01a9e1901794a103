"""Styles make lines of a text, and unmake them, as far as a page says them itself."""

import pytest

from crawler.parse.text import read, text_of

# Each with what Chromium 156 gives as `innerText`.
BROWSERS_SAY = [
    ('<span style="display:block">a</span><span style="display: block">b</span>c', "a\nb\nc"),
    ('<li style="display:inline">a</li><li style="display:inline">b</li>', "ab"),
    ('<div style="display:flex"><b>a</b><i>b</i></div>c', "a\nb\nc"),
    ("<style>.g{display:grid}</style><p class=g><b>a</b><i>b</i></p>c", "a\nb\nc"),
    ('<b style="display:inline-block">a</b><b style="display:contents">b</b>', "ab"),
    ("<style>.x b{display:block}</style><b>a</b><b>b</b>", "ab"),
]


@pytest.mark.parametrize(("html", "want"), BROWSERS_SAY)
def test_a_style_makes_and_unmakes_lines(html: str, want: str) -> None:
    assert text_of(html) == want


def test_what_a_style_hides_stays_hidden_within_boxes() -> None:
    found = read('<div style="display:flex"><b>a</b><b style="display:none">no</b></div>c')
    assert (found.text, found.hidden) == ("a\nc", 2)
