"""fetch_all and fetch_each: many URLs at once."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import pytest
from calm import busy
from client_story import Naps, on_site

from crawler.clients import Retries, fetch_all, fetch_each
from crawler.errors import UsageError
from crawler.practice import PracticeSite


@on_site()
async def test_gives_results_in_the_order_of_the_input(site: PracticeSite) -> None:
    site.delay("/shop/", 0.05)
    paths = ["/shop/", "/robots.txt", "/redirect/3", "/status/404"]
    results = await fetch_all([site.at(path) for path in paths], retries=0)
    assert [result.url for result in results] == [site.at(path) for path in paths]
    assert [result.response.status for result in results if result.response] == [200, 200, 200, 404]
    assert [result.ok for result in results] == [True, True, True, False]


@on_site()
async def test_an_error_is_a_value(site: PracticeSite) -> None:
    site.add_page("/files", b"", headers={"Location": "file:///etc/passwd"}, status=302)
    results = await fetch_all(
        [
            "http://127.0.0.1:9/",
            "mailto:nobody",
            site.at("/files"),
            site.at("/redirect/loop"),
            site.url,
        ],
        retries=Retries(1, sleep=Naps()),
    )
    assert [result.outcome for result in results] == [
        *("connect_error", "bad_url", "bad_redirect", "too_many_redirects", None)
    ]
    assert [result.response is None for result in results] == [True, True, True, True, False]


@on_site()
async def test_tries_again(site: PracticeSite) -> None:
    [result] = await fetch_all([site.at("/flaky/x?fail=2")], retries=Retries(2, sleep=Naps()))
    assert result.ok and site.count("/flaky/x") == 3


@on_site()
async def test_keeps_to_its_concurrency(site: PracticeSite) -> None:
    site.delay("/status/200", 0.01)
    await fetch_all([site.at(f"/status/200?{n}") for n in range(20)], concurrency=4)
    assert site.max_in_flight() == 4


@on_site(latency=0.2)
async def test_fifty_urls_of_200_ms_take_300_ms(site: PracticeSite) -> None:
    urls = [site.at(f"/status/200?{n}") for n in range(50)]
    took = []
    for _ in range(3):
        started = time.perf_counter()
        results = await fetch_all(urls, concurrency=50)
        took.append(time.perf_counter() - started)
        assert all(result.ok for result in results)
    assert site.max_in_flight() == 50
    assert min(took) < 0.30 or busy()


@on_site()
async def test_yields_what_comes_first_first(site: PracticeSite) -> None:
    release = site.hold("/shop/")
    urls = [site.at("/shop/"), site.at("/robots.txt")]
    order = []
    async for result in fetch_each(urls):
        order.append(result.place)
        release.set()
    assert order == [1, 0]


@on_site()
async def test_reads_an_endless_input_only_as_far_as_it_is_asked_for(site: PracticeSite) -> None:
    asked = 0

    def endless() -> Iterator[str]:
        nonlocal asked
        while True:
            asked += 1
            yield site.at(f"/status/200?{asked}")

    each = fetch_each(endless(), concurrency=3)
    async with aclosing(each):
        async for result in each:
            assert result.ok
            break
    assert asked <= 10
    assert len(asyncio.all_tasks()) < 10


@on_site()
async def test_no_url_is_no_result(site: PracticeSite) -> None:
    assert await fetch_all([]) == []


@pytest.mark.parametrize(("urls", "concurrency"), [("http://a.example/", 20), ([], 0)])
def test_what_would_fetch_nothing_is_refused(urls: Any, concurrency: int) -> None:
    with pytest.raises(UsageError, match="give"):
        asyncio.run(fetch_all(urls, concurrency=concurrency))
