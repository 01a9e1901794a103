"""Nothing foreign becomes markup; numbers and times read as one writes them."""

import pytest

from crawler.markup import Html, el, join, text, words


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("<script>", "&lt;script&gt;"),
        ('a"b', "a&quot;b"),
        ("\x1b[31m", "\\u001b[31m"),
        ("a\u202eb", "a\\u202eb"),
        (None, ""),
        (3, "3"),
        (Html("<b>x</b>"), "<b>x</b>"),
        ("\ud800", "\\ud800"),
    ],
)
def test_text_is_escaped_and_made_visible(value, shown):
    assert text(value) == shown


def test_attributes_are_escaped_and_left_out_where_they_are_none():
    assert el("a", "x", href='"><b>', title=None, hidden=True, class_="c") == (
        '<a href="&quot;&gt;&lt;b&gt;" hidden class="c">x</a>'
    )
    assert el("input", name="q") == '<input name="q">'
    assert join(["<", Html("<i>")], ", ") == "&lt;, <i>"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.082, "82 ms"),
        (3.42, "3.4 s"),
        (53, "53 s"),
        (59.7, "1 min"),
        (303, "5 min 3 s"),
        (7800, "2 h 10 min"),
        (849600, "9 d 20 h"),
        (86400, "1 d"),
        (3599.9, "1 h"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds, shown):
    assert words.duration(seconds) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (147_033, "147 kB"),
        (1_400_000, "1.4 MB"),
        (3e12, "3.0 TB"),
    ],
)
def test_sizes(value, shown):
    assert words.size(value) == shown


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [(36, 100, "36 %"), (58, 1000, "5.8 %"), (0, 5, "0 %"), (1, 0, "0 %"), (1, 5000, "0.02 %")],
)
def test_shares(part, whole, shown):
    assert words.share(part, whole) == shown
