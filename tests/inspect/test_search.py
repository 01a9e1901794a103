"""Search ranks what it finds, also where a word stands nearly everywhere."""

import sqlite3

import pytest
from postgres_server import server

from crawler.inspect import postgres_search
from crawler.inspect.query import Reader
from crawler.inspect.search import search
from crawler.inspect.words import Phrase
from crawler.store.address import DatabaseAddress, StoreAddress, address_of
from crawler.store.copying import copy
from crawler.store.schema import migrate_now


@pytest.fixture(scope="module", params=[(20, False), (100_000, False), (20, True)], ids=str)
def store(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> StoreAddress:
    """Forty pages of two hosts with a common word; some say it more often, one in its title.

    A site of many pages is searched in another way: it is said to have them. The last is a copy
    in PostgreSQL.
    """
    pages, copied = request.param
    path = tmp_path_factory.mktemp("search") / "a.db"
    db = sqlite3.connect(path)
    migrate_now(db, path)
    hosts = ["http://a.example", "https://b.a.example:8443"]
    rows = [(number + 1, host, pages) for number, host in enumerate(hosts)]
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
    if not copied:
        return path
    there = address_of(server().dsn())
    copy(path, there, lambda *_: None)
    return there


def found(store: StoreAddress, words: str, **options: int | str) -> list[int]:
    with Reader(store) as reader:
        rows = list(search(reader, words, **options).rows)  # type: ignore[arg-type]
    return [int(url.rpartition("/")[2]) for url, _, _ in rows]


def test_a_word_in_the_title_weighs_more_than_one_in_the_text(store: StoreAddress) -> None:
    assert found(store, "common", limit=3) == [33, 7, 30]


def test_of_too_many_hits_titles_come_first_and_then_what_the_crawl_found_first(
    store: StoreAddress,
) -> None:
    assert found(store, "common", limit=3, most=10) == [33, 7, 1]
    assert found(store, "common OR nowhere", limit=3, most=10) == [33, 7, 1]


def test_a_search_gives_the_same_pages_every_time(store: StoreAddress) -> None:
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
def test_a_site_is_a_host_with_those_below_it(store: StoreAddress, site: str, number: int) -> None:
    assert len(found(store, "filler", site=site, limit=99)) == number
    assert len(found(store, "filler", site=site, limit=99, most=12)) == min(number, 12)


def test_a_text_that_is_stored_anew_is_found_by_its_new_words(store: StoreAddress) -> None:
    if not isinstance(store, DatabaseAddress):
        pytest.skip("a file is indexed in the commit of the text")
    assert found(store, "filler", limit=99) and not found(store, "afresh")
    server().psql(
        f'SET search_path TO "{store.crawl}", pg_catalog; DELETE FROM texts WHERE page_id = 9;'
        "INSERT INTO texts SELECT page_id, url, 'new', 'afresh', 0 FROM pages WHERE page_id = 9"
    )
    assert found(store, "afresh") == [9]
    assert 9 not in found(store, "filler", limit=99)


def test_of_many_pages_a_sample_tells_how_common_a_word_is(
    store: StoreAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not isinstance(store, DatabaseAddress):
        pytest.skip("FTS5 counts")
    words = [Phrase((word,)) for word in ("filler", "common", "afresh", "nowhere")]

    def told() -> tuple[list[int], list[int], bool]:
        with Reader(store) as reader:
            stock = postgres_search._Stock(reader)
            numbers = [stock.pages, *map(stock.having, words)]
            return numbers, found(store, "common page", limit=99), bool(stock._sample)

    assert found(store, "filler")  # which indexes what waits
    *counted, sampled = told()
    assert not sampled
    server().psql(f'ANALYZE "{store.crawl}".search_words')
    monkeypatch.setattr(postgres_search, "_MANY", 10)
    monkeypatch.setattr(postgres_search, "_SAMPLE", 40)
    assert told() == (*counted, True)
