"""The fast pass: as machine code, and over large texts window by window, it finds the same."""

import itertools
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.parse import fast_pass, windows
from crawler.parse.fast_expression import TAG
from crawler.parse.machine_code import MachineCode

_PIECES = [
    *('<a href="/x">', "<a href=/y>", "<A class='c' HREF='/z'>", "</a>", "<p>", "text", "<", "< b"),
    *("<!-- <a href=/no> -->", "<script>'<a href=/no>'</script>", "<title>T & t</title>", "<!x>"),
    *(
        "<base href=/b/>",
        "<meta name=robots content=none>",
        "<div title='a>b'>",
        '<i x="<a>">',
        "</b x='<a>'>",
    ),
    *("<style></styl></style>", "<area href='/a&amp;b'>", "&lt;a href=/no&gt;", "x" * 30, "<?p?>"),
]
_ODD_PIECES = [
    *("<svg><g/></svg>", "<math>", "<SVG>", "</ſcript>", "<ſcript>", "é", "\0", "</title\n>"),
    *("<noscript><a href=/n></noscript>", "<template>", "<!---->", '<a href="/q\'">', "<a b=c"),
    *('<a class="x" href="/o">', "<iframe src=x>", "<!DOCTYPE html>", "</a", "<plaintext>", "\n"),
]


def told(matches: Iterable[fast_pass.Match]) -> list[tuple[str, ...]]:
    """Return the groups of those matches that say anything."""
    alike = ((match, *[""] * 5) if isinstance(match, str) else match for match in matches)
    return [tuple(match) for match in alike if any(match)]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(_PIECES), max_size=60).map("".join), st.integers(64, 300))
def test_a_window_changes_nothing(text: str, window: int) -> None:
    found = told(TAG.findall(text))
    by_window = told(windows.one_by_one(text, bool, window))
    # A tag that fills a window is left to the tokenizer.
    assert by_window == found or by_window[-1:] == [windows.ODD]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from([*_PIECES, *_ODD_PIECES]) | st.text(max_size=9), max_size=60))
def test_machine_code_finds_what_python_finds(pieces: list[str]) -> None:
    text = "".join(pieces)
    found = told(TAG.findall(text))
    assert told(fast_pass.at_once(text)) == found
    assert told(fast_pass.at_once(text, text.encode())) == found


_QUOTES = [
    *('<p x="', "<a href=", "<pa", "<p", '="', " t=", "t", "=", '"', "'", ">", " ", "/", "</p"),
    *("<a href=/k>", "<title>", "<svg>", "<svg", '<path d="', "</svg>", "<template>", "<script"),
    *("</template>", "/>"),
]


def test_wherever_quotes_stand_the_expression_finds_what_the_tokenizer_finds() -> None:
    chance = random.Random(1)
    for _ in range(25_000):
        text = "".join(chance.choices(_QUOTES, k=chance.randint(2, 10)))
        assert fast_pass.scan(text) == fast_pass.precise(text), text


@pytest.mark.parametrize(
    ("told", "robots"),
    [
        ('content="noindex, name=viewport" name="robots"', [("robots", "noindex, name=viewport")]),
        ("name = Robots content=none", [("robots", "none")]),
        ("name=viewports content=noindex", [("viewports", "noindex")]),
        ("NAME='Viewport' content=noindex", []),
        ("property=og:site_name content=noindex", []),
        ('content="x" name=viewport', [("viewport", "x")]),
    ],
)
def test_a_meta_says_to_robots_what_stands_under_its_own_name(
    told: str, robots: list[tuple[str, str]]
) -> None:
    assert fast_pass.scan(f"<meta {told}>").robots == robots


_PICTURES = [
    *("<svg>", "</svg>", "<<svg>", "<a xlink:href='/x'>", '<a href="/y&amp;z">', "</a>", "<g>"),
    *('<path d="m"/>', "<text>t</text>", "<foreignObject>", "</foreignObject>", "<p>", "<math>"),
    *("</math>", "<mi>x</mi>", "<title>T</title>", "<style>s</style>", "<br>", "<font color=a>"),
    *("<!-- <a href=/no> -->", "<![CDATA[ <a href=/no> ]]>", "<base href=/b>", "<area href=/r>"),
    *("<meta name=robots content=none>", "<noscript><a href=/n></noscript>", "<SVG>", "<svg/>"),
    *("<template><a href=/t></template>", "<script>'<svg>'</script>", '<i t="<svg>">', "text"),
]


@pytest.mark.parametrize("large", [1, fast_pass.LARGE])
def test_an_odd_picture_is_read_by_the_tokenizer_and_all_else_as_it_is(
    large: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fast_pass, "LARGE", large)
    chance = random.Random(large)
    for _ in range(4_000):
        text = "".join(chance.choices(_PICTURES, k=chance.randint(2, 16)))
        looks = itertools.count().__next__  # a window that does not move on has no end
        found = fast_pass.scan(text, lambda looks=looks: looks() > 100)
        assert found == fast_pass.precise(text), text


@pytest.mark.parametrize(
    "unit",
    [
        "<svg><a href=/x></a></svg>",
        "<svg>",
        "<<svg>",
        "<math><p>",
        "<!-- <svg> --><svg><a></a></svg>",
        "<svg><!-- Icon --><path/></svg>",
    ],
)
def test_odd_pictures_are_found_in_linear_time(unit: str) -> None:
    page = unit * (fast_pass.LARGE // len(unit) + 1)
    began = time.process_time()
    fast_pass.scan(page, lambda: time.process_time() - began > 5.0)  # at most 1.5 s, measured


def test_an_icon_with_a_comment_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "_foreign", None)
    monkeypatch.setattr(fast_pass, "precise", None)
    icon = '<svg viewBox="0 0 1 1"><!--! Icon, CC BY --><path d="M0"/></svg>'
    assert fast_pass.scan(f"{icon}<a href=/1>{icon}</a>").hrefs == ["/1"]


def test_a_shadow_root_is_part_of_its_page_in_whatever_case_it_is_written() -> None:
    for template in ("template shadowrootmode", "TEMPLATE ShadowRootMode"):
        page = f"<div><{template}=open><a href=/1></template></div><a href=/2>"
        assert fast_pass.scan(page).hrefs == ["/1", "/2"]


@pytest.mark.parametrize("odd", ["\x01", "\x02", "\x03", "\ud800"])
def test_what_machine_code_cannot_tell_python_tells(odd: str) -> None:
    assert fast_pass.scan(f"<title>{odd}</title><a href=/1><a href='/{odd}'>").hrefs[0] == "/1"


@pytest.mark.parametrize(
    "raw", [b"\xef\xbb\xbf<title>\xc3\xa9</title>", b"<title>\xff\xc3\xa9</title>"]
)
def test_a_body_that_is_not_exactly_its_text_is_not_read(raw: bytes) -> None:
    text = raw.decode("utf-8", "replace").removeprefix("\ufeff")
    assert fast_pass.scan(text, raw=raw) == fast_pass.scan(text)


_PAGE = "<title>T</title><a href=/1>a &amp; b</a><iframe><p>no</iframe><p title='>'>c"
_WITHOUT = f"""
import ctypes, sys
from crawler import parse
from crawler.parse import fast_pass, machine_code, text
if sys.argv[1] == "no memory to execute":  # as systemd's MemoryDenyWriteExecute (PR_SET_MDWE)
    if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0):
        sys.exit("not here")
elif sys.argv[1] == "no PCRE2":
    sys.modules["pcre2"] = None
page = {_PAGE!r}
told = machine_code.MachineCode("a").replaced("b", "a")
print(told, fast_pass.scan(page), text.read(page), parse.links(page, "http://a.example/"))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a setting of Linux")
def test_without_machine_code_a_page_is_read_as_with_it() -> None:
    def told(lacks: str) -> tuple[str, str]:
        command = [sys.executable, "-c", _WITHOUT, lacks]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.stderr == "not here\n":
            pytest.skip("a Linux before 6.3")
        able, _, found = done.stdout.partition(" ")
        return able, found

    able, found = told("nothing")
    assert able == "b" and "/1" in found
    assert told("no memory to execute") == told("no PCRE2") == ("None", found)


def test_machine_code_reads_an_expression_as_python_does() -> None:
    """An end is not that before a last line end, a letter of Unicode no case of one of ASCII."""
    for source, text in [
        (r"a\Z", "a\n"),
        (r"(?i:s)", "\u017f"),
        (r"(s)(?i:\1)", "s\u017f"),
        (r"(?i:k)", "\u212a"),
        (r"\w", "é"),
        (r"\s", "\u2028"),
        (r"[^a]", "é"),
        (r"\d # a comment", "٣3"),
    ]:
        by_python = re.sub(source, "<>", text, flags=re.VERBOSE | re.ASCII)
        assert MachineCode(source).replaced("<>", text) == by_python, source


def test_what_is_longer_than_a_window_is_passed_over_to_its_end() -> None:
    long = "-y <a href=/no> " * 20_000
    for start, end in [("<!--", "-->"), ("<script>", "</SCRIPT >"), ("<?", ""), ("<b x='>", "'>")]:
        text = f"<a href=/1>{start}{long}{end}<a href=/2>"
        found = fast_pass.scan(text).hrefs
        assert found[0] == "/1" and found[-1] == "/2", start
        if start in ("<!--", "<script>"):
            assert found == ["/1", "/2"]


def test_the_attributes_of_a_large_tag_are_looked_through_in_runs() -> None:
    large = "b=\"c\" d='>' e " * 100_000
    started = time.process_time()
    for text in (f"<a {large}href=/end>", f"<a {large}x='{large}' href=/end><a href=/no"):
        assert fast_pass.scan(text.replace("'", '"')).hrefs == ["/end"]
    assert time.process_time() - started < 0.9  # one after the other: 1.2


_LONG = ['{}=">"', "{} = '>'", "b={}", "b='>{}'", "b='{}' =", "{}=y>", "{}"]


@pytest.mark.parametrize("fill", ["x", "/", "=", " ", '"', "x='>' "])
def test_an_attribute_of_any_length_is_read_as_a_short_one(fill: str) -> None:
    for form in _LONG:
        short, long = (
            fast_pass.scan(f"<a {form.format(fill * number)} href=/1><a href=/end>").hrefs
            for number in (10, 300_000)
        )
        assert short == long, form


def test_a_large_text_without_an_end_is_read_to_its_end() -> None:
    for text in (
        "<" * 600_000,
        "<title>" + "<" * 600_000,
        "<a b=" + "\"'" * 300_000,
        "<!--" * 150_000,
    ):
        fast_pass.scan(text)
