"""A space that has nothing new to say ends within a bound; one that has never does."""

import asyncio
import itertools
import random
import signal
import sqlite3
import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from following_story import rows

from crawler.config.traps import TrapsSettings
from crawler.links.endless import ALL_TEXTS, TEXTS, Pattern
from crawler.links.traps import ROOM, Traps
from crawler.store import open_store

SITE = "http://example.org"
AFTER, REPEATS, STRIDE = 200, 50, 16  # the defaults, and every how manieth page is looked at
WORDS = [f"word{number * number % 997}" for number in range(400)]
Space = Callable[[int], tuple[str, str]]


def read(space: Space, most: int, traps: Traps | None = None) -> int:
    """Read a space page by page; return after how many it was closed, or `most`."""
    traps = traps or Traps(TrapsSettings())
    for number in range(most):
        url, text = space(number)
        if traps.bar(1, url) is not None:
            return number
        if traps.suspects(url):
            traps.compare(url, f"<html><body><p>{text}</p></body></html>")
    return most


def day(number: int) -> date:
    return date(1900, 1, 1) + timedelta(days=number)


def calendar_with(real: int) -> Space:
    """Days with something on, and then empty ones for ever."""

    def space(number: int) -> tuple[str, str]:
        text = f"Concert {WORDS[number % 400]} {number}" if number < real else "Nothing on."
        return f"{SITE}/day/{day(number):%Y/%m/%d}", text

    return space


def dated(number: int) -> tuple[str, str]:
    """Days that are empty, and say which day they are."""
    one = day(number)
    return f"{SITE}/day/{one:%Y/%m/%d}", f"{one:%d.%m.%Y}: no events. {one.day + 1}. follows"


def dated_in_one(number: int) -> tuple[str, str]:
    one = day(number)
    return f"{SITE}/day?d={one:%Y%m%d}", f"{one.year}, {one.month}, {one.day}: no events"


def named(number: int) -> tuple[str, str]:
    """The same in words: 84 texts that take turns."""
    one = day(number)
    return f"{SITE}/day/{one:%Y/%m/%d}", f"{one:%A} {one.day} {one:%B} {one.year}: no events"


def grid(number: int) -> tuple[str, str]:
    """Months as a grid of days under their weekdays: 168 texts within 28 years."""
    first = date(1900 + number // 12, number % 12 + 1, 1)
    return f"{SITE}/m/{first:%Y/%m}", f"{first:%B} {'-' * first.weekday()} 1 to {first:%d} 28 29 30"


def turns(texts: int, real: int = 0) -> Space:
    """So many texts that take turns, after real ones."""

    def space(number: int) -> tuple[str, str]:
        own = f"real {number * 3}" if number < real else f"empty {WORDS[number % texts]}"
        return f"{SITE}/n/{number}", own

    return space


def sessions(pages: int, *, shuffled: bool = False) -> Space:
    """The same pages under ever new session ids."""
    chance = random.Random(7)

    def space(number: int) -> tuple[str, str]:
        page = chance.randrange(pages) if shuffled else number % pages
        return f"{SITE}/p?sid={chance.randbytes(8).hex()}", f"Article {page} {WORDS[page % 400]}"

    return space


def facets() -> Space:
    """Every order and choice of filters; what is listed depends on the choice alone."""
    chance = random.Random(7)
    names = ["red", "blue", "green", "small", "large", "new"]

    def space(number: int) -> tuple[str, str]:
        chosen = chance.sample(names, chance.randrange(1, 6))
        listed = " ".join(sorted(chosen))
        return f"{SITE}/shop?f={'+'.join(chosen)}&page={number}", f"Products that are {listed}"

    return space


def titled(space: Space, words: int = 2) -> Space:
    """The same with titles: so many first words of each page's text."""

    def with_title(number: int) -> tuple[str, str]:
        url, text = space(number)
        return url, f"</p><title>{' '.join(text.split()[:words])}</title><p>{text} indeed"

    return with_title


# The space, and the page by which it must have ended: what docs/links.md promises.
ONE = 2 * STRIDE - 1 + REPEATS  # pages that a space goes on with a single text
ENDLESS = [
    ("empty from the start", calendar_with(0), AFTER + REPEATS + 1),
    ("empty after 100 real days", calendar_with(100), AFTER + REPEATS + 1),
    ("empty after 2,000 real days", calendar_with(2000), 2000 + ONE),
    ("empty after 6,000 real days", calendar_with(6000), 6000 + ONE),
    ("a date in numbers", dated, 2 * (AFTER + REPEATS)),
    ("a date in one number", dated_in_one, 2 * (AFTER + REPEATS)),
    ("a date in words", named, AFTER + 366 + REPEATS),
    ("grids of months", grid, AFTER + 336 + STRIDE * 84 + REPEATS),
    ("two texts in turn", turns(2), AFTER + REPEATS + 2),
    ("two texts in turn after real ones", turns(2, 3000), 3000 + ONE + STRIDE),
    ("seven texts in turn after real ones", turns(7, 3000), 3000 + ONE + 6 * STRIDE),
    ("one page under session ids", sessions(1), AFTER + REPEATS + 1),
    ("500 pages under session ids", sessions(500), AFTER + 2 * 500),
    ("5,000 pages under session ids", sessions(5000), AFTER + 2 * 5000),
    ("500 pages under session ids, shuffled", sessions(500, shuffled=True), 8 * 500),
    ("empty under a title after 2,000 days", titled(calendar_with(2000)), 2000 + ONE + 1),
    ("empty under the same title", titled(calendar_with(2000), 0), 2000 + ONE),
    ("seven titles in turn after real ones", titled(turns(7, 3000)), 3000 + ONE + 6 * STRIDE + 7),
    ("500 titles under session ids", titled(sessions(500), 3), AFTER + 2 * 500),
    ("500 titles shuffled", titled(sessions(500, shuffled=True), 3), 8 * 500),
    ("facets", facets(), AFTER + REPEATS + 600),
]


@pytest.mark.parametrize(("space", "by"), [row[1:] for row in ENDLESS], ids=[r[0] for r in ENDLESS])
def test_a_space_without_news_ends_within_its_bound(space: Space, by: int) -> None:
    ended = read(space, by + 1)
    assert AFTER + REPEATS <= ended <= by


def shop(number: int) -> tuple[str, str]:
    return f"{SITE}/product/{number}", f"Chair no. {number}, {number * 7}.99 in oak"


def manual(number: int) -> tuple[str, str]:
    return f"{SITE}/man/a{number:05}.html", f"{WORDS[number % 400]} and {WORDS[number % 399]}"


def reference(number: int) -> tuple[str, str]:
    """A page of API documentation: nine words of ten are on all of them."""
    return f"{SITE}/api/{number}.html", f"{' '.join(WORDS)} class Node{number * 3} extends Object"


def sold_out(number: int) -> tuple[str, str]:
    """Two products of three say the same."""
    return f"{SITE}/product/{number}", f"Chair {number * 2}" if number % 3 == 0 else "Sold out."


def shelves(number: int) -> tuple[str, str]:
    """Long runs of pages that are alike, but none as long as it takes."""
    return f"{SITE}/product/{number}", "Sold out." if number % 300 < 49 else f"Chair {number * 2}"


def untitled(number: int) -> tuple[str, str]:
    return (
        f"{SITE}/photo/{number}",
        f"</p><title>Photo {WORDS[number % 400]} {number * 3}</title>",
    )


REAL = [
    ("a shop", shop, 5000),
    ("a manual", manual, 4000),
    ("a reference", reference, 4000),
    ("a shop that is mostly sold out", sold_out, 5000),
    ("a shop whose shelves are empty at times", shelves, 5000),
    ("photos under titles", untitled, 2000),
    ("a shop under titles", titled(shop, 4), 5000),
    ("a shop under one title", titled(shop, 1), 5000),
]


@pytest.mark.parametrize(("space", "size"), [row[1:] for row in REAL], ids=[row[0] for row in REAL])
def test_a_large_space_with_news_is_read_to_its_end(space: Space, size: int) -> None:
    assert read(space, size) == size


def test_pages_that_are_visited_again_repeat_nobody() -> None:
    traps = Traps(TrapsSettings())
    for _ in range(5):
        assert read(shop, 1500, traps) == 1500
        assert read(lambda number: (f"{SITE}/state?of=1", "All well."), 600, traps) == 600


def looks(space: Space, size: int) -> float:
    """Return which part of the pages of a space is looked at."""
    traps, looked = Traps(TrapsSettings()), 0
    for number in range(size):
        url, text = space(number)
        if traps.suspects(url):
            looked += 1
            traps.compare(url, text)
    return looked / size


def test_of_a_large_space_with_news_few_pages_are_looked_at() -> None:
    assert looks(shop, 5000) < 0.09
    assert looks(lambda number: (f"{SITE}/a/{number}", f"{number * 2}"), 190) < 0.02


def test_the_texts_that_are_remembered_are_bounded_and_the_last_is_among_them() -> None:
    pattern = Pattern()
    for text in range(10_000):
        pattern.hear(None, text, text, sure=10**9)
    assert len(pattern.said) == TEXTS and not pattern.hear(None, 9_999, 1, sure=0)
    assert pattern.repeats == 1


def test_the_texts_of_all_patterns_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crawler.links.endless.ALL_TEXTS", 1000)
    traps = Traps(TrapsSettings(endless_after=1, endless_repeats=1000))
    for number, letter in itertools.product(range(200), "abcdefghij"):
        url = f"{SITE}/{letter}/{number}"
        if traps.suspects(url):
            traps.compare(url, f"{number * 3} of {letter}")
    assert 900 < sum(len(pattern.said) for pattern in traps._patterns.values()) <= 1000


def test_what_was_counted_holds_over_kills(tmp_path: Path) -> None:
    """A crawl that is killed twice on the way ends nearly as soon as one that is not."""
    store, asked, fatal = tmp_path / "k.db", itertools.count(1), {150, 230}
    victims: list[asyncio.subprocess.Process] = []

    async def nothing(request: web.Request) -> web.Response:
        if next(asked) in fatal:
            victims[-1].kill()
        number = int(request.match_info["number"])
        return web.Response(
            text=f"<p>Nothing on.</p><a href='/day/{number + 1}'>more</a>",
            content_type="text/html",
        )

    async def story() -> None:
        app = web.Application()
        app.router.add_get("/day/{number}", nothing)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/day/1"
        sets = ("politeness.delay=0", "politeness.robots=false", "store.flush_visits=1")
        options = [word for text in sets for word in ("--set", text)]
        command = ("-m", "crawler", "crawl", url, "--quiet", "--store", str(store), *options)
        try:
            for _ in range(len(fatal) + 1):
                victims.append(await asyncio.create_subprocess_exec(sys.executable, *command))
                await asyncio.wait_for(victims[-1].wait(), 60)
        finally:
            await runner.cleanup()

    asyncio.run(story())
    assert [victim.returncode for victim in victims] == [-signal.SIGKILL] * 2 + [0]
    assert rows(store, "SELECT count(*) FROM endless") == [1]
    assert rows(store, "SELECT count(*) FROM pattern_texts") == [0]
    # A kill costs the pages since a count was stored: 64 below the limit, one above it.
    assert AFTER + REPEATS <= next(asked) - 1 < AFTER + REPEATS + 2 * 70


def test_texts_come_back_from_the_store_in_the_order_of_their_age(tmp_path: Path) -> None:
    """A ring that went round: the oldest texts have been overwritten."""
    path = tmp_path / "r.db"

    async def story() -> None:
        store = open_store(str(path))
        await store.open()
        await store.close()
        db = sqlite3.connect(path)
        with db:
            db.execute("INSERT INTO patterns VALUES ('http://h/0', 7, 9000, ?, 3)", (TEXTS + 10,))
            db.executemany(
                "INSERT OR REPLACE INTO pattern_texts VALUES (7, ?, ?, ?)",
                [(n % TEXTS, n - 2**63, n) for n in range(TEXTS + 10)],
            )
        db.close()
        await store.open()
        [(note, texts)] = await store.patterns(ROOM, ALL_TEXTS)
        [(_, none)] = await store.patterns(ROOM, 0)
        await store.close()
        assert (note.pattern, note.pages, note.known, note.repeats) == (
            "http://h/0", 9000, TEXTS + 10, 3
        )  # fmt: skip
        assert list(texts.values()) == list(range(10, TEXTS + 10)) and none == {}
        assert list(texts) == [number + 2**63 for number in range(10, TEXTS + 10)]

    asyncio.run(story())
