"""Endless spaces end by themselves, and large ones do not."""

import asyncio
import time
from pathlib import Path

import pytest
from aiohttp import web
from following_story import counters, crawled, rows

from crawler import SiteSpider
from crawler.config.traps import TrapsSettings
from crawler.links.simhash import NearDuplicates, simhash
from crawler.links.traps import Traps, pattern_of, shape_refusal
from crawler.practice import PracticeSite
from crawler.web.request import FIRST, RENEWAL, Todo

DEFAULTS = TrapsSettings()

SHAPES = [
    ("/", None),
    ("/a/b/c/d/e/f/g/h", None),
    ("/docs/3/library/os.path.html?highlight=join&lang=en", None),
    ("/a/b/a/b/a/b/", None),
    ("/a/b/a/b/a/b/a/", "repeated_segments"),
    ("/1/1/1/1/1/1/1/", None),
    ("/2026/01/01/01/", None),
    ("/" + "x/" * 3, None),
    ("/x/y/x/z/x/q/x/w", "repeated_segments"),
    ("/" + "/".join(str(n) for n in range(64)), None),
    ("/" + "/".join(str(n) for n in range(65)), "too_many_segments"),
    ("/?" + "&".join(f"p{n}=1" for n in range(64)), None),
    ("/?" + "&".join(f"p{n}=1" for n in range(65)), "too_many_parameters"),
    ("/?c=1&c=2&c=3&c=4&c=5", None),
    ("/?c=1&c=1&c=1", None),
    ("/?c=1&d=2&c=1&c=1&c=1", "repeated_parameters"),
    ("/" + "a" * 2062, None),
    ("/" + "a" * 2070, "url_too_long"),
    ("//////", None),
]


@pytest.mark.parametrize(("target", "wanted"), SHAPES)
def test_the_shape_of_a_url_tells_a_trap(target: str, wanted: str | None) -> None:
    assert shape_refusal("http://example.org" + target, DEFAULTS) == wanted


PATTERNS = [
    ("/calendar/2026/1/", "/calendar/1999/12/"),
    ("/page?id=1&sort=a", "/page?sort=zz&id=99"),
    ("/item/3f9c2b11aa55", "/item/00aa11bb22cc"),
    ("/img-12.html", "/img-7.html"),
]


@pytest.mark.parametrize(("one", "other"), PATTERNS)
def test_urls_that_differ_in_numbers_ids_and_values_are_one_pattern(one: str, other: str) -> None:
    assert pattern_of("http://example.org" + one) == pattern_of("http://example.org" + other)


@pytest.mark.parametrize("other", ["/page?sort=a", "/pages?id=1", "/page/1", "/page"])
def test_other_urls_are_another_pattern(other: str) -> None:
    assert pattern_of("http://example.org" + other) != pattern_of("http://example.org/page?id=1")


def shown(number: int) -> str:
    return f"http://example.org/p/{number}"


def test_pages_that_each_say_something_else_are_never_endless() -> None:
    traps = Traps(DEFAULTS)
    for number in range(3000):
        if traps.suspects(shown(number)):
            traps.compare(shown(number), f"<p>Item {number}, price {number * 7}.99</p>")
    assert traps.offer(shown(9999)) is None


def test_pages_that_repeat_themselves_close_their_pattern() -> None:
    traps = Traps(DEFAULTS)
    for number in range(300):
        assert traps.bar(1, shown(number)) is None or number > 250
        if traps.suspects(shown(number)):
            traps.compare(shown(number), f"<p>Day {number}, after {number - 1}: nothing.</p>")
    assert traps.offer(shown(9999)) == traps.bar(1, shown(9999)) == "endless"
    assert traps.offer("http://example.org/q/1") is None


def test_hosts_of_one_domain_queries_of_a_path_and_pages_of_a_host_can_be_capped() -> None:
    traps = Traps(TrapsSettings(max_hosts_per_domain=2, max_queries=2, max_pages_per_host=2))
    urls = [f"http://h{number}.example.org/" for number in (1, 2, 1, 3)]
    hosts = [traps.offer(url, over_hosts=True) for url in urls]
    assert hosts == [None, None, None, "too_many_hosts"]
    assert traps.offer("http://example.com/", over_hosts=True) is None
    queries = [traps.offer(f"http://example.org/?q={number}") for number in (1, 2, 3)]
    assert queries == [None, None, "too_many_queries"]
    traps.restore(7, 2)
    assert traps.bar(7, "http://example.org/") == "host_full"
    assert traps.bar(8, "http://example.org/") is None


def a_request(seq: int, again: int = FIRST) -> Todo:
    return Todo(1, 0, seq, seq, shown(seq), 0, 0, 0.0, None, None, None, again)


def test_what_is_only_asked_is_not_counted() -> None:
    traps = Traps(TrapsSettings(max_hosts_per_domain=1, max_pages_per_host=1))
    for number in range(5):
        assert traps.refusal_of(f"http://h{number}.example.org/") is None
        assert traps.bar(1, shown(number)) is None
    assert traps.offer("http://one.example.org/", over_hosts=True) is None


def test_a_host_is_full_of_pages_and_of_requests_that_may_become_pages() -> None:
    traps = Traps(TrapsSettings(max_pages_per_host=2))
    first, second = a_request(1), a_request(2)
    traps.begin(first)
    traps.begin(second)
    assert traps.bar(1, shown(3)) == "host_full"
    traps.end(first, stored=False)
    assert traps.bar(1, shown(3)) is None
    traps.end(second, stored=True)
    traps.end(second, stored=True)  # it has ended already
    traps.end(a_request(4), stored=True)  # and this one never began
    assert traps.bar(1, shown(3)) is None
    traps.begin(a_request(5, again=RENEWAL))  # its page is stored already
    assert traps.bar(1, shown(3)) is None
    traps.begin(a_request(6))
    assert traps.bar(1, shown(3)) == "host_full"


def test_what_is_remembered_is_bounded() -> None:
    traps = Traps(DEFAULTS)
    for number in range(60_000):
        traps.suspects(
            f"http://example.org/{'x' * (number % 300)}/{chr(97 + number % 26)}{number}/"
        )
        traps.suspects(f"http://h{number}a.example.org/a?b{chr(97 + number % 26)}=1")
    assert len(traps._patterns) <= 50_000


def test_texts_that_differ_in_few_words_are_near_and_others_are_not() -> None:
    words = [f"word{number * number % 997}" for number in range(600)]
    text = " ".join(words)
    words[300] = "another"
    near = NearDuplicates(3)
    near.add(simhash(text), "original")
    assert near.find(simhash(" ".join(words))) == "original"
    assert near.find(simhash(" ".join(reversed(words)))) is None


def test_the_oldest_texts_are_forgotten() -> None:
    near = NearDuplicates(3, room=10)
    for number in range(100):
        near.add(simhash(f"text {number}"), str(number))
    assert near.find(simhash("text 0")) is None and near.find(simhash("text 99")) == "99"


def test_the_endless_spaces_of_the_practice_site_end_by_themselves(tmp_path: Path) -> None:
    async def story() -> None:
        async with PracticeSite() as site:
            spider = SiteSpider(site.at("/trap/"))
            limits = {"endless_after": 40, "endless_repeats": 20}
            summary = await crawled(
                spider, tmp_path / "t.db", traps=limits, engine={"scope": "prefix"}
            )
            assert (summary.state, summary.reason) == ("finished", "finished")
            assert summary.outcomes["trapped"] > 0
            assert summary.pages < 1500

    began = time.monotonic()
    asyncio.run(story())
    assert time.monotonic() - began < 50
    reasons = counters(tmp_path / "t.db")
    assert reasons["endless"] > 100 and reasons["repeated_segments"] > 10
    assert rows(tmp_path / "t.db", "SELECT count(*) FROM todo") == [0]
    for way in ("calendar", "session", "maze", "filter", "count"):
        sql = "SELECT count(*) FROM pages WHERE outcome = 'ok' AND url LIKE ?"
        [number] = rows(tmp_path / "t.db", sql, f"%/trap/{way}/%")
        assert 3 <= number < 700, way


@pytest.mark.parametrize(
    ("choice", "near", "outcomes", "marked"),
    [
        ("follow", 0, {"ok": 5}, 0),
        ("mark", 0, {"ok": 5}, 1),
        ("skip", 0, {"ok": 4, "duplicate": 1}, 1),
        ("mark", 6, {"ok": 5}, 2),
        ("skip", 6, {"ok": 3, "duplicate": 2}, 2),
    ],
)
def test_duplicates_are_followed_marked_or_skipped(
    tmp_path: Path, choice: str, near: int, outcomes: dict[str, int], marked: int
) -> None:
    text = " ".join(f"word{number * number % 997}" for number in range(400))

    async def story() -> None:
        async with PracticeSite(robots=False) as site:
            site.add_links("/start", ["/one", "/two", "/three", "/four"])
            site.add_page("/one", f"<p>{text}</p>")
            site.add_page("/two", f"<p>{text}</p>")
            site.add_page("/three", f"<p>{text} more</p><a href='/four'></a>")
            site.add_page("/four", "<p>else</p>")
            limits = {"duplicates": choice, "near": near}
            spider = SiteSpider(site.at("/start"))
            summary = await crawled(spider, tmp_path / "d.db", traps=limits)
            assert summary.outcomes == outcomes

    asyncio.run(story())
    sql = "SELECT url FROM pages WHERE duplicate_of IS NOT NULL"
    assert len(rows(tmp_path / "d.db", sql)) == marked


def test_a_host_gives_no_more_pages_than_its_budget_over_all_runs(tmp_path: Path) -> None:
    async def story(stop: int) -> dict[str, int]:
        async with PracticeSite(robots=False, port=0) as site:
            site.add_links("/start", [f"/{name}" for name in "abcdef"])
            for name in "abcdef":
                site.add_page(f"/{name}", name)
            traps = {"max_pages_per_host": stop}
            summary = await crawled(SiteSpider(site.at("/start")), tmp_path / "h.db", traps=traps)
            return summary.outcomes

    outcomes = asyncio.run(story(3))
    assert outcomes == {"ok": 3, "trapped": 4}


def test_soft_404s_under_numbers_end(tmp_path: Path) -> None:
    asked = []

    async def anything(request: web.Request) -> web.Response:
        asked.append(request.path)
        number = len(asked)
        links = "".join(f"<a href='/x{number * 3 + step}'>more</a>" for step in range(3))
        return web.Response(text=f"<p>Not found, sorry.</p>{links}", content_type="text/html")

    async def story() -> None:
        app = web.Application()
        app.router.add_get("/{tail:.*}", anything)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        try:
            url = f"http://127.0.0.1:{port}/"
            summary = await crawled(SiteSpider(url), tmp_path / "s.db")
        finally:
            await runner.cleanup()
        assert summary.reason == "finished"

    asyncio.run(story())
    assert len(asked) < 400
