"""The fast pass over large texts: window by window it finds what it finds at once."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.parse import fast_pass

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


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(_PIECES), max_size=60).map("".join), st.integers(64, 300))
def test_a_window_changes_nothing(text: str, window: int) -> None:
    at_once = [match for match in fast_pass._TAG.findall(text) if any(match)]
    by_window = [match for match in fast_pass._one_by_one(text, bool, window) if any(match)]
    # A tag that fills a window is left to the tokenizer.
    assert by_window == at_once or by_window[-1:] == [fast_pass._ODD]


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
