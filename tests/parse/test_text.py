"""A large page is swept window by window, and reads as if it were swept at once."""

import pytest

from crawler.parse import charset, text
from crawler.parse.text import same_text, text_of
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
    monkeypatch.setattr(text, "_WINDOW", window)
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
