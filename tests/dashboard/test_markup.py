"""Nothing foreign becomes markup; numbers and times read as one writes them."""

import re

import pytest

from crawler.markup import Html, el, join, text, words
from crawler.markup.maps import Piece, flow, icicle
from crawler.markup.parts import breakable


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


def test_a_long_url_breaks_at_its_marks_and_no_word_does():
    url = "http://a.example/" + "folder-of-many/" * 4 + "page?word=interesting&<b>"
    broken = breakable(url)
    assert "<wbr>" in broken and "<b>" not in broken
    assert re.sub("<wbr>", "", broken) == str(text(url))
    assert all(part[-1] in "/?&=;" for part in broken.split("<wbr>")[:-1])
    assert breakable("an ordinary sentence with/without marks") == (
        "an ordinary sentence with/without marks"
    )


def test_a_map_is_as_wide_as_what_it_shows_and_leads_where_it_says():
    below = (Piece("/a", "a", (("k1", 30.0),)), Piece("/b", "b", (("k3", 10.0),)))
    drawn = icicle((Piece("h", "h", (("k1", 30.0), ("k3", 10.0)), below, "/x?y=1&z=2"),), 40.0)
    found = re.findall(r'<svg[^>]* x="[\d.]+%" y="\d+" width="([\d.]+)%', drawn)
    widths = list(map(float, found))
    assert [round(width) for width in widths] == [100, 75, 25]
    assert 'href="/x?y=1&amp;z=2"' in drawn and 'tabindex="-1"' in drawn
    assert "style=" not in drawn


def test_a_flow_draws_each_pair_once_and_cuts_long_names():
    numbers = {("a/", "b/"): 3.0, ("a/", "a/"): 1.0, ("c" * 60, "b/"): 2.0}
    drawn = flow(numbers)
    assert drawn.count("<path") == 3 and drawn.count("band own") == 1
    assert "c" * 60 not in drawn and "…" in drawn
