"""Search ranks what it finds, also where a word stands nearly everywhere."""

import sqlite3
from pathlib import Path

import pytest

from crawler.inspect.query import Reader
from crawler.inspect.search import search
from crawler.store import views
from crawler.store.schema import MIGRATIONS


@pytest.fixture(scope="module", params=[20, 100_000])
def store(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """Forty pages of two hosts with a common word; some say it more often, one in its title.

    A site of many pages is searched in another way: it is said to have them.
    """
    path = tmp_path_factory.mktemp("search") / "a.db"
    db = sqlite3.connect(path)
    for file in MIGRATIONS:
        db.executescript(file.read_text(encoding="utf-8"))
    db.executescript(views.script((), []))
    hosts = ["http://a.example", "https://b.a.example:8443"]
    rows = [(number + 1, host, request.param) for number, host in enumerate(hosts)]
    db.executemany("INSERT INTO hosts (host_id, name, pages) VALUES (?, ?, ?)", rows)
    for number in range(1, 41):
        url = f"{hosts[number % 2]}/{'docs' if number % 4 else 'news/docs'}/{number}"
        title = "common" if number == 33 else f"page {number}"
        text = "common " * (3 if number in (7, 30) else 1) + "filler " * 5
        db.execute(
            "INSERT INTO pages (page_id, url, outcome, depth, fetched_at, attempts, run_id,"
            " host_id, url_hash) VALUES (?, ?, 'ok', 0, '', 1, 1, ?, ?)",
            (number, url, number % 2 + 1, number),
        )
        db.execute("INSERT INTO texts VALUES (?, ?, ?, ?, 0)", (number, url, title, text))
    db.execute("INSERT INTO search (search) VALUES ('rebuild')")
    db.commit()
    db.close()
    return path


def found(store: Path, words: str, **options: int | str) -> list[int]:
    with Reader(store) as reader:
        rows = list(search(reader, words, **options).rows)  # type: ignore[arg-type]
    return [int(url.rpartition("/")[2]) for url, _, _ in rows]


def test_a_word_in_the_title_weighs_more_than_one_in_the_text(store: Path) -> None:
    assert found(store, "common", limit=3) == [33, 7, 30]


def test_of_too_many_hits_titles_come_first_and_then_what_the_crawl_found_first(
    store: Path,
) -> None:
    assert found(store, "common", limit=3, most=10) == [33, 7, 1]
    assert found(store, "common OR nowhere", limit=3, most=10) == [33, 7, 1]


def test_a_search_gives_the_same_pages_every_time(store: Path) -> None:
    for most in (10, 1000):
        assert found(store, "filler", most=most) == found(store, "filler", most=most)


@pytest.mark.parametrize(
    ("site", "number"),
    [
        ("a.example", 40),
        ("http://A.example/", 40),
        ("b.a.example", 20),
        ("b.a.example:8443", 20),
        ("a.example/docs", 30),
        ("b.a.example/news", 0),
        ("a.example/news/docs", 10),
        ("example", 40),
        ("a.exampl", 0),
        ("*", 0),
    ],
)
def test_a_site_is_a_host_with_those_below_it(store: Path, site: str, number: int) -> None:
    assert len(found(store, "filler", site=site, limit=99)) == number
    assert len(found(store, "filler", site=site, limit=99, most=12)) == min(number, 12)
