"""What is known of traps and of near duplicates holds over a restart, and `why` tells it."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

from following_story import crawled, rows

from crawler import SiteSpider
from crawler.config.traps import TrapsSettings
from crawler.inspect.query import Reader
from crawler.inspect.why import why
from crawler.links.rule import Rule
from crawler.links.traps import Traps
from crawler.practice import PracticeSite
from crawler.store import requeue

TEXT = " ".join(f"word{number * number % 997}" for number in range(400))


def twice(
    pages: dict[str, str], store: Path, first: int, between: Any = None, **traps: Any
) -> list[tuple[str, str]]:
    """Crawl a site, stop after `first` pages, and go on; give paths and outcomes in order."""

    async def story() -> str:
        async with PracticeSite(robots=False) as site:
            for path, text in pages.items():
                site.add_page(path, text)
            spider = SiteSpider(site.at("/start"))
            for stop in (first, None):
                await crawled(
                    spider,
                    store,
                    traps=traps,
                    engine={"max_pages": stop},
                    politeness={"per_host": 1},
                )
                if between is not None and stop is not None:
                    between(site.url.rstrip("/"))
            return site.url.rstrip("/")

    url = asyncio.run(story())
    found = rows(store, "SELECT url, outcome FROM pages ORDER BY page_id")
    return [(path.removeprefix(url), outcome) for path, outcome in found]


def test_a_text_that_an_earlier_run_stored_is_known_as_near(tmp_path: Path) -> None:
    links = '<a href="/one"></a><a href="/two"></a><a href="/three"></a>'
    pages = {
        "/start": links,
        "/one": f"<p>{TEXT}</p>",
        "/two": f"<p>{TEXT} more</p>",
        "/three": "<p>something else altogether</p>",
    }
    store = tmp_path / "n.db"
    found = twice(pages, store, 2, duplicates="skip", near=6)
    assert found == [
        ("/start", "ok"), ("/one", "ok"), ("/two", "duplicate"), ("/three", "ok")
    ]  # fmt: skip
    hashes = rows(store, "SELECT url FROM simhashes JOIN pages USING (page_id)")
    assert len(hashes) == 3


def test_the_text_of_a_page_that_is_gone_makes_no_other_a_duplicate(tmp_path: Path) -> None:
    """A page that changed a little stays one that others may be like."""
    store, other = tmp_path / "n.db", " ".join(reversed(TEXT.split()))

    def links(*names: str) -> str:
        return "".join(f'<a href="/{name}"></a>' for name in names)

    async def story() -> list[tuple[str, str]]:
        async with PracticeSite(robots=False) as site:
            steps: list[dict[str, str]] = [
                {
                    **{"/start": links("one", "kept"), "/one": f"<p>{TEXT}</p>"},
                    **{"/kept": f"<p>{other}</p>"},
                },
                {"/one": "", "/kept": f"<p>{other} more</p>"},
                {
                    **{"/start": links("two", "copy"), "/two": f"<p>{TEXT} more</p>"},
                    **{"/copy": f"<p>{other} more and more</p>"},
                },
            ]
            for step in steps:
                for path, html in step.items():
                    site.add_page(path, html, status=200 if html else 410)
                if store.exists():
                    requeue.recrawl(store, "9999", all_=True)
                spider = SiteSpider(site.at("/start"))
                await crawled(spider, store, traps={"duplicates": "skip", "near": 6})
            at = len(site.url.rstrip("/"))
            found = rows(store, "SELECT url, outcome FROM pages")
            return [(url[at:], outcome) for url, outcome in found]

    assert dict(asyncio.run(story())) == {
        **{"/start": "ok", "/one": "not_found", "/kept": "ok"},
        **{"/two": "ok", "/copy": "duplicate"},
    }


def test_no_simhash_is_kept_where_none_is_looked_for(tmp_path: Path) -> None:
    twice({"/start": f"<p>{TEXT}</p>"}, tmp_path / "n.db", 1, duplicates="mark")
    assert rows(tmp_path / "n.db", "SELECT count(*) FROM simhashes") == [0]


def test_a_space_that_was_found_endless_stays_closed(tmp_path: Path) -> None:
    store = tmp_path / "e.db"
    pages = {
        "/start": '<a href="/day/1"></a><a href="/day/2"></a><a href="/other"></a>',
        "/day/1": "x",
        "/day/2": "x",
        "/other": "y",
    }

    def close(site: str) -> None:
        db = sqlite3.connect(store)
        with db:
            db.execute("INSERT INTO endless VALUES (?, ?)", (f"{site}/day/0", f"{site}/day/9"))
        db.close()

    found = twice(pages, store, 1, close)
    assert found == [
        ("/start", "ok"), ("/day/1", "trapped"), ("/day/2", "trapped"), ("/other", "ok")
    ]  # fmt: skip
    site = rows(store, "SELECT name FROM hosts")[0]
    with Reader(store) as reader:
        told = why(reader, f"{site}/day/77", (Rule(),))
    assert ("traps", f"refused: endless, like all of {site}/day/0") in told


def test_what_is_endless_is_stored_with_the_page_that_showed_it(tmp_path: Path) -> None:
    links = "".join(f'<a href="/day/{number}"></a>' for number in range(20))
    pages = {"/start": links} | {f"/day/{number}": "nothing today" for number in range(20)}
    store = tmp_path / "p.db"
    found = twice(pages, store, 5, endless_after=5, endless_repeats=3)
    [(pattern, page)] = rows(store, "SELECT pattern, page_url FROM endless")
    assert pattern.endswith("/day/0") and "/day/" in page
    assert sum(outcome == "trapped" for _, outcome in found) >= 5


def test_a_pattern_is_told_once_when_it_is_closed() -> None:
    traps = Traps(TrapsSettings(endless_after=1, endless_repeats=2))
    found = []
    for number in range(1, 7):
        url = f"http://example.org/day/{number}"
        if traps.suspects(url):
            found.append(traps.compare(url, "nothing"))
    assert found == [None, None, "http://example.org/day/0", None, None]
    assert traps.bar(1, "http://example.org/day/99") == "endless"
