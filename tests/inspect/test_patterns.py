"""What a queue is made of is told by its kinds of URLs, with the option that ends it."""

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from data_story import SmallWeb, crawl, on_web, page

from crawler import SiteSpider
from crawler.inspect.patterns import growing, patterns, warnings
from crawler.inspect.query import Reader


def table_site(web: SmallWeb, rows: int) -> None:
    """A site like Datasette's: each row links to sorts and filters of its own."""
    sorts = [f"/db/t?_sort=c{n}&_filter={n}" for n in range(rows)]
    facets = [f"/db/t?_facet=c{n}&_facet_size={n}&_next={n}" for n in range(rows // 4)]
    web.add("/", page("Tables", "/db/t"))
    web.add("/db/t", page("t", *sorts, *facets))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The store of a crawl that stopped with most of its queue undone."""

    async def tell(web: SmallWeb) -> None:
        table_site(web, 800)
        spider = SiteSpider(f"{web.url}/")
        await crawl(tmp_path / "s.db", spider, engine={"max_pages": 2})

    on_web(tell)
    return tmp_path / "s.db"


def queue(store: Path) -> list[str]:
    with sqlite3.connect(store) as db:
        return [url for (url,) in db.execute("SELECT url FROM todo")]


def test_patterns_have_their_pages_their_new_content_and_their_queue(store: Path) -> None:
    with Reader(store) as reader:
        found = list(patterns(reader, 2).rows)
        [told] = warnings(found[:1])
    pattern, *numbers, state = found[0]
    assert pattern.endswith("/db/t?_filter&_sort")
    assert (numbers, state) == ([0, 0, 800], "open")
    assert told.startswith(f"{pattern}: 800 queued, 0 fetched; --exclude")


def test_the_option_that_is_told_ends_the_kind_that_grows(store: Path) -> None:
    with Reader(store) as reader:
        kind = growing(reader)
    assert kind is not None and "80 % of the queue" in kind.said
    option = re.search(r"--exclude '(.+)' leaves them out.*; stop, and go on", kind.said)
    assert option is not None
    urls = queue(store)
    left = [url for url in urls if not re.search(option[1], url)]
    assert len(urls) == 1000 and len(left) == 200


@pytest.mark.parametrize(
    ("urls", "like"),
    [
        ([f"http://h/p/{n}" for n in range(300)], "http://h/p/0"),
        ([f"http://h/p?{'abcdefgh'[n % 8]}{n}=1" for n in range(300)], "/p?*"),
        ([f"http://h/{'xyz'[n % 3] * (n + 1)}?id={n}" for n in range(300)], "http://h/*?id"),
        ([f"http://h/{'x' * (n + 1)}" for n in range(300)], None),
        ([f"http://h/p/{n}" for n in range(100)], None),
        # A table like Datasette's: its rows are its content, and its sorts and filters have no end.
        (
            [f"http://h/t/{n}" for n in range(600)] + [f"http://h/t?_sort={n}" for n in range(300)],
            "http://h/t?_sort",
        ),
        (
            [f"http://h/t/{n}" for n in range(600)]
            + [f"http://h/{'x' * (n + 1)}?{'abcdef'[n % 6]}={n}" for n in range(300)],
            "http://h/*?*",
        ),
        (
            [f"http://h/t/{n}" for n in range(2000)] + [f"http://h/t?a={n}" for n in range(300)],
            "http://h/t/0",
        ),
    ],
)
def test_a_kind_is_as_narrow_as_the_queue_allows(
    store: Path, urls: list[str], like: str | None
) -> None:
    with sqlite3.connect(store) as db:
        columns = [row[1] for row in db.execute("PRAGMA table_info(todo)")]
        one = db.execute("SELECT * FROM todo LIMIT 1").fetchone()
        db.execute("DELETE FROM todo")
        for number, url in enumerate(urls):
            row = dict(zip(columns, one, strict=True)) | {
                "url": url,
                "url_hash": number,
                "seq": number,
            }
            marks = ", ".join("?" * len(row))
            db.execute(f"INSERT INTO todo VALUES ({marks})", list(row.values()))
    with Reader(store) as reader:
        kind = growing(reader)
    assert kind.name.endswith(like) if kind is not None and like else kind is like


@pytest.mark.parametrize(
    ("found_on", "listed"),
    [
        (lambda n: f"/list?page={n // 24}", True),  # the things that a shop sells
        (lambda n: f"/t/{n - 1}", False),  # the next month of a calendar
        (lambda n: f"/u/{n}", False),  # by way of another page, and so on
        (lambda n: f"/t/{n // 24}", False),
    ],
)
def test_what_other_pages_list_is_not_called_endless(
    store: Path, found_on: Callable[[int], str], listed: bool
) -> None:
    with sqlite3.connect(store) as db:
        [one] = db.execute("SELECT * FROM todo LIMIT 1").fetchall()
        columns = [row[1] for row in db.execute("PRAGMA table_info(todo)")]
        [host] = db.execute("SELECT host_id FROM pages LIMIT 1").fetchone()
        db.execute("DELETE FROM todo")
        parents: dict[str, int] = {}
        for n in range(300):
            page_id = parents.setdefault(found_on(n), 1000 + n)
            new = {"url": f"http://h/t/{n}", "url_hash": n, "seq": n, "parent_id": page_id}
            row = dict(zip(columns, one, strict=True)) | new
            db.execute(f"INSERT INTO todo VALUES ({', '.join('?' * len(row))})", [*row.values()])
        db.executemany(
            "INSERT INTO pages"
            " (page_id, run_id, host_id, url_hash, url, depth, outcome, fetched_at, attempts)"
            " VALUES (?, 1, ?, ?, ?, 1, 'ok', '2026-01-01T00:00:00Z', 1)",
            [(page_id, host, page_id, f"http://h{path}") for path, page_id in parents.items()],
        )
    with Reader(store) as reader:
        kind = growing(reader)
    assert kind is not None and kind.name == "http://h/t/0"
    assert ("leaves them out" in kind.said) is not listed
    assert "--exclude '/t/[0-9]+'" in kind.said
