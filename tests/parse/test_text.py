"""A large page is swept window by window, and reads as if it were swept at once."""

import random
import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crawler import parse
from crawler.parse import charset, hints, inner_text, references, sweeps, unread, windows
from crawler.parse.fast_pass import scan
from crawler.parse.machine_code import MachineCode
from crawler.parse.text import read, same_text, text_of
from crawler.parse.tokenizer import tags
from crawler.parse.words import unmarked
from crawler.practice.oddities import BROKEN
from tests.parse.test_fast_pass_and_soup import DOCS, HARD

STEP = 60  # every 60th of the real pages


@pytest.mark.parametrize("window", [1, 7, 100])
def test_text_in_windows_is_the_text(monkeypatch: pytest.MonkeyPatch, window: int) -> None:
    pages = [*HARD.values(), BROKEN]
    for folder in DOCS:
        files = [file for file in folder.resolve().rglob("*.htm*") if file.is_file()]
        chosen = sorted(files)[::STEP]
        pages += [charset.decode(file.read_bytes(), "text/html")[0] for file in chosen]
    whole = [text_of(page) for page in pages]
    monkeypatch.setattr(sweeps, "_WINDOW", window)
    monkeypatch.setattr(windows, "WINDOW", window)
    assert [text_of(page) for page in pages] == whole


_PAGE = "<title>T</title><script>1</script><p>One <b>two</b></p><!-- x --><div>three</div>"


@pytest.mark.parametrize(
    "other",
    [
        _PAGE,
        _PAGE.replace("1</script", "2</script"),
        _PAGE.replace("<!-- x -->", "<!-- <p>y</p> -->"),
        _PAGE.replace("<b>two</b>", "<I>two</I>"),
        _PAGE.replace("<b>two</b>", "two\n"),
        _PAGE.replace("two", "2"),
        _PAGE.replace("<div>", "<div hidden>"),
        _PAGE.replace("<div>", "<div style='display:none'>"),
        _PAGE.replace("<p>", "<template>four</template><p>"),
        _PAGE.replace("<p>", "<noscript>four</noscript><p>"),
        _PAGE.replace("three", "th\u200bree"),
        _PAGE.replace("three", "three</div><table>four<tr><td>five</table>"),
        _PAGE.replace("<div>", "</p></p><br></div></div><div>"),
        _PAGE.replace("<p>", "<svg><text>drawn</text></svg><p>"),
        _PAGE.replace("One <b>", "One<b>"),
    ],
)
def test_two_pages_have_the_same_text_if_their_texts_are_the_same(other: str) -> None:
    for one, two in ((_PAGE, other), (other, _PAGE), (other, other)):
        assert same_text(one, two) is (text_of(one) == text_of(two))


_PIECES = (
    "<p> </p> <b> </b> a &amp; &lt;p> amp; <td> </td> <br> <!-- --> <x-y> <div> </div> <table> <tr>"
    " </table> < > \" ' =\" =' <select> <option> </select> <title> </title> <svg> </svg> <math>"
    " <noscript> </noscript> <iframe> </iframe> <rp> <progress> <li> </span> </\xa0 <?x <plaintext>"
    " <![CDATA[ ]]> --!> <!--> <frameset> <P> <xmp> </xmp> << \u200b \u202e \u05d0 \0"
).split(" ")
_PIECES += [" ", "\n", "<div hidden>", "<div style='display:none'>", '<a title="', "<p title='"]
_PIECES += ["<style>.x{display:none}</style>", "<p class=x>", "<span style='display:block'>"]
_PIECES += ["<script>1</script>", "<script>"]


def test_whatever_two_pages_differ_in_the_comparison_agrees_with_their_texts() -> None:
    chosen = random.Random(1)
    pages = [page for page in HARD.values() if len(page) < 3000]

    def edited(page: str) -> str:
        for _ in range(chosen.choice((1, 1, 2))):
            start = chosen.randrange(len(page) + 1)
            end = start + chosen.choice((0, 0, 1, 9))
            page = page[:start] + "".join(chosen.choices(_PIECES, k=2)) + page[end:]
        return page

    for _ in range(1200):
        made = "".join(chosen.choices(_PIECES, k=chosen.randrange(1, 30)))
        page = edited(chosen.choice((made, chosen.choice(pages))))
        other = edited(page)
        assert same_text(page, other) is (text_of(page) == text_of(other)), (page, other)


@pytest.mark.parametrize(
    ("page", "other"),
    [  # what stands before the part that differs decides how it is read
        ("<div><p><b>x</b></div>", "<div><p<table><plaintext>\n><b>x</b></div>"),
        ("<p>a</d b <p>c</p><p>1", "<p>a</d b <p>c</p><p>2"),
        ('<p>a<b title="> <p>c</p><p>1</p>', '<p>a<b title="> <p>c</p><p>2</p>'),
        ("<table><p>a</p><td>b<p>1</table>", "<table><p>a</p><td>b<p>2</table>"),
        ("<script><p>a</p><p>1</p></script>", "<script><p>a</p><p>2</p></script>"),
        ("<style>p{display:none}</style>b<p>1</p>", "<style>p{display:none}</style>b<p>2</p>"),
        ("<div hidden><p>a</p><p>1</p></div>", "<div hidden><p>a</p><p>2</p></div>"),
        ("<td>b</td><p>a</p><table><td>", "<td>b</td><p>a</p><ta</b> ble><td>"),
        (
            "<STYLE>.x{display:none}</STYLE><p>a</p><p>1",
            "<STYLE>.x{display:none}</STYLE><p>a</p><p class=x>1",
        ),
        ("<p>a</p><!-- 1 --><p>b", "<p>a</p><!-- 1 --><p>c"),
        ("<p class=x>a</p><p>b", "<p class=x>a</p><style>.x{display:none}</style><p>b"),
        ("<p>a</p><p>1</p><p>b</p>", "<p>a</p><p>2</p><p>b</p>"),
        ("<p>a</p><p>1</p><p>b</p>", "<p>a</p><p> <i>1</i></p><p>b</p>"),
    ],
)
def test_a_part_is_compared_as_it_is_read_where_it_stands(page: str, other: str) -> None:
    assert same_text(page, other) is (text_of(page) == text_of(other))


_CUT = [
    "<p",
    "<b",
    "</p",
    "</",
    "<td x=",
    "<script ",
    "<svg",
    "\x01",
    "\x02",
    "\ud800",
    "&amp",
    "&#x",
]
_CUT += ["\x0b", "\x1c", "\t", "\xa0", "<script><!--", "<a href='x'>", "&#38;lt;", "&#1;", "&&amp;"]


@pytest.mark.parametrize(
    "page",
    [
        "<noscript>a&amp;b</noscript>",
        "<iframe>a&amp;b</iframe>x",
        "<iframe/<>a&amp;b</iframe>x",
        "<title-bar hidden>a&amp;b</title-bar>x",
        "<style-x hidden>a&amp;b</style-x><script-y>x",
        "<template>a&amp;b</template>",
        "<p hidden>a&amp;b</p>",
        "<p style='display:none'>a&amp;b",
    ],
)
def test_a_reference_that_is_hidden_is_one_character_however_it_is_hidden(page: str) -> None:
    assert read(page).hidden == 3


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("a<rp>(<b>x</b>)</rp>c", "ac"),
        ("<rp><p>0", ""),
        ("a<rp>(", "a"),
        ("<ruby>a<rp>(</rp><rt>b</rt><rp>)</rp></ruby>c", "abc"),
        ("<ruby>a<rp>(<rt>b<rp>)</ruby>c", "abc"),
        ("a<progress>1<b>2</b></progress>c", "ac"),
        ("<p>a<meter>1<p>2", "a\n2"),
    ],
)
def test_what_stands_for_ruby_or_a_gauge_is_not_shown(page: str, text: str) -> None:
    assert text_of(page) == text_of(f"{page}<style>.x{{display:none}}</style>") == text


@pytest.mark.parametrize("reference", ["&#10;", "&#010", "&#xa;", "&#X00A;", "&NewLine;", "&#13;"])
def test_a_line_feed_that_is_referred_to_ends_no_line(reference: str) -> None:
    for page in ("<p>a{}b", "<p>a {} {}b<style>p{{color:red}}</style>", '<a b=c"d>a{}b', "a{}b<"):
        assert text_of(page.format(*(reference,) * 2)).rstrip("<") == "a b"


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ('<p ="a>b">c', 'b">c'),
        ('<b =">">x', '">x'),
        ("<p x= ='>'>y", "'>y"),
        ('<p x="a>b">c', "c"),
        ("<p>a</", "a</"),
        ("<style>p{color:red}</style><p>a</", "a</"),
    ],
)
def test_a_tag_ends_where_the_tokenizer_says(page: str, text: str) -> None:
    assert text_of(page) == text
    assert "".join(tag.before for tag in tags(page)) == text


# Always the same pages: of tags whose names hold a bracket (`<p<b>`) both tell another text.
@settings(max_examples=1500, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from([*_PIECES, *_CUT]) | st.text(max_size=9), max_size=40))
@example(["<td><style>.x{display:none}</style>a<td>a"])
def test_machine_code_reads_a_text_as_python_does(pieces: list[str]) -> None:
    page = "".join(pieces)
    # A tree counts what stands for a gauge and the like as hidden, a sweep does not; and a zero.
    counts = re.search("<(?:rp|progress|meter)|\0", page, re.IGNORECASE) is None

    def found() -> tuple[str, int, str, str]:
        text, hidden, _ = read(page)
        return text, hidden if counts else 0, text_of(page, hidden=True), unmarked(page)

    by_machine_code = found()
    with pytest.MonkeyPatch.context() as patch:
        for method in ("expanded", "replaced"):
            patch.setattr(MachineCode, method, lambda *_: None)
        assert found() == by_machine_code


@pytest.mark.parametrize(
    ("digits", "wanted"),
    [
        ("9" * 5000, "\ufffd"),
        ("0" * 5000 + "65", "A"),
        ("0" * 5000, "\ufffd"),
        ("0" * 5000 + "128", "€"),
        ("x" + "f" * 5000, "\ufffd"),
        ("x" + "0" * 5000 + "41", "A"),
    ],
)
def test_a_reference_of_thousands_of_digits_is_a_character_or_none(
    digits: str, wanted: str
) -> None:
    reference = f"&#{digits};"
    page = f"<title>a{reference}</title><a href='/{reference}'>b</a><p>c{reference}"
    found = scan(page)
    assert (found.title, found.hrefs) == (f"a{wanted}", [f"/{wanted}"])
    assert text_of(page).split() == ["b", f"c{wanted}"]
    small = f"<style>p {{ color: red }}</style>{page}"
    assert text_of(small).split() == ["b", f"c{wanted}"]
    tag = f"<a href=x>d{reference}</a><img src=y alt='{reference}'>"
    told = [link.text for link in parse.links(tag, "http://a.example/")]
    assert told == [f"d{wanted}", wanted]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([*_PIECES, *_CUT]), max_size=40).map("".join))
def test_what_is_unread_or_may_hide_is_found_in_windows_as_at_once(page: str) -> None:
    asked = frozenset({"iframe", "template"}), frozenset({"hidden"})
    parts, places = unread.parts_of(page), hints.hinted(page, *asked)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "WINDOW", 9)
        assert unread.parts_of(page) == parts
        assert hints.hinted(page, *asked) in (places, None)


@given(st.lists(st.sampled_from(["&", "&amp", "amp;", "&#x41", "#38;", ";", "a", " ", "&#1;"])))
def test_references_are_decoded_in_windows_as_at_once(pieces: list[str]) -> None:
    text = "".join(pieces)
    whole = references.unescape(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(references, "_WINDOW", 3)
        assert references.unescape(text) == whole


@given(st.text(f" a{inner_text._BEGIN}{inner_text._END}", max_size=30))
def test_blanks_go_just_inside_of_a_box_in_a_line(text: str) -> None:
    # Plain, but quadratic where blanks stand before no end of a box.
    begin, end = inner_text._BEGIN, inner_text._END
    wanted = re.sub(f"{begin}[ {begin}]*|[ {end}]*{end}", "", text)
    assert inner_text._BLANKS.sub("", text) == wanted


@pytest.mark.parametrize("blanks", [" " * 30_000, "\x03 " * 15_000, "\x02 " * 15_000])
def test_blanks_are_dropped_in_linear_time(blanks: str) -> None:
    began = time.process_time()
    inner_text._BLANKS.sub("", blanks)
    assert time.process_time() - began < 0.2  # 2 ms, measured; quadratic it takes seconds
