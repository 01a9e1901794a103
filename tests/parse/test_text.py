"""A large page is swept window by window, and reads as if it were swept at once."""

import pytest

from crawler.parse import charset, text
from crawler.parse.text import text_of
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
