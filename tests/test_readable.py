"""A large page is swept window by window, and reads as if it were swept at once."""

import pytest
from test_scan_soup import DOCS, HARD

from crawler import charset, readable
from crawler.practice.oddities import BROKEN
from crawler.readable import text_of

STEP = 60  # every 60th of the real pages


@pytest.mark.parametrize("window", [1, 7, 100])
def test_text_in_windows_is_the_text(monkeypatch: pytest.MonkeyPatch, window: int) -> None:
    pages = [*HARD.values(), BROKEN]
    for folder in DOCS:
        files = [file for file in folder.resolve().rglob("*.htm*") if file.is_file()]
        chosen = sorted(files)[::STEP]
        pages += [charset.decode(file.read_bytes(), "text/html")[0] for file in chosen]
    whole = [text_of(page) for page in pages]
    monkeypatch.setattr(readable, "_WINDOW", window)
    assert [text_of(page) for page in pages] == whole
