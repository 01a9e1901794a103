"""The example spiders, over recordings of the practice site: offline, in milliseconds."""

import time
from pathlib import Path

import pytest

from crawler.testing import Recording, crawl
from spiders.api_items import ApiItems
from spiders.books import Books
from spiders.login import Login
from spiders.quotes import Quotes

RECORDINGS = Path(__file__).parents[1] / "recordings"
SPIDERS = {"quotes": Quotes, "books": Books, "login": Login, "api_items": ApiItems}


@pytest.mark.parametrize("name", SPIDERS)
def test_an_example_spider_gives_what_it_gave(assert_items, name: str) -> None:
    crawled = assert_items(SPIDERS[name], RECORDINGS / f"{name}.jsonl.zst")
    assert crawled.items and not crawled.errors


def test_a_recording_is_small_and_has_no_secret(monkeypatch) -> None:
    for name in SPIDERS:
        file = RECORDINGS / f"{name}.jsonl.zst"
        assert file.stat().st_size < 10_000
        bodies = b"".join(answer.body for answer in Recording.load(file))
        assert b"lighthouse" not in bodies
        headers = [header.lower() for each in Recording.load(file) for header in each.headers]
        assert not {"set-cookie", "cookie", "authorization"} & set(headers)


def test_a_recorded_crawl_is_quick_once_it_is_warm() -> None:
    recording = Recording.load(RECORDINGS / "quotes.jsonl.zst")
    crawl(Quotes, recording)
    spent = []
    for _ in range(3):
        began = time.process_time()
        assert len(crawl(Quotes, recording).items) == 100
        spent.append(time.process_time() - began)
    assert min(spent) < 0.05
