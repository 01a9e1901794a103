"""Politeness over real HTTP: robots.txt once, limits for hosts together, quiet hours, overrides."""

import asyncio
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from calm import busy
from following_story import crawled

from crawler import Crawler, Request, SiteSpider, Spider
from crawler.engine.robots_gate import overrides_of
from crawler.errors import ConfigError
from crawler.http.resolver import address_of
from crawler.practice import PracticeSite


def test_robots_txt_is_fetched_once_however_many_workers_ask(tmp_path: Path) -> None:
    class Many(Spider):
        name = "many"
        base = ""

        def start(self) -> Any:
            return (Request(f"{self.base}page-{n}") for n in range(200))

    async def story() -> tuple[int, int, int]:
        async with PracticeSite() as site:
            site.delay("/robots.txt", 0.3)
            spider = Many()
            spider.base, spider.start_urls = site.url, [site.url]
            await crawled(spider, tmp_path / "m.db", engine={"workers": 64})
            first = next(hit for hit in site.hits if hit.path != "/robots.txt")
            [robots] = [hit for hit in site.hits if hit.path == "/robots.txt"]
            assert first.started >= robots.ended
            return site.count("/robots.txt"), len(site.hits), site.max_in_flight()

    asked, hits, in_flight = asyncio.run(story())
    assert (asked, hits) == (1, 201) and in_flight <= 16


class Together(Spider):
    """Ask several hosts for several pages each."""

    name = "together"
    hosts: tuple[str, ...] = ()

    def start(self) -> Any:
        return (Request(f"{host}/{n}") for n in range(4) for host in self.hosts)


async def asked(names: list[str], store: Path, **politeness: Any) -> tuple[int, list[float]]:
    """Crawl one server under several names, each with a port of its own.

    Give the most in flight, and the gaps between starts.
    """
    starts: list[float] = []
    open_now = most = 0
    loop = asyncio.get_running_loop()

    async def page(request: web.Request) -> web.Response:
        nonlocal open_now, most
        starts.append(loop.time())
        open_now += 1
        most = max(most, open_now)
        await asyncio.sleep(0.03)
        open_now -= 1
        return web.Response(text="x")

    app = web.Application()
    app.router.add_get("/{tail:.*}", page)
    runner = web.AppRunner(app)
    await runner.setup()
    for _ in names:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
    ports = [address[1] for address in runner.addresses]
    try:
        spider = Together()
        spider.hosts = tuple(
            f"http://{name}:{port}" for name, port in zip(names, ports, strict=True)
        )
        spider.start_urls = [host + "/0" for host in spider.hosts]
        polite = {"robots": False, "delay": 0.02, "per_host": 2, "adaptive": False} | politeness
        settings = {"engine": {"scope": "any"}, "fetch": {"allow_private": True}}
        await crawled(spider, store, politeness=polite, **settings)
    finally:
        await runner.cleanup()
    assert len(starts) == 4 * len(names)
    return most, [later - sooner for sooner, later in pairwise(starts)]


@pytest.mark.parametrize(
    ("limit_by", "together"), [("host", False), ("domain", False), ("address", True)]
)
def test_hosts_at_one_address_are_limited_together_where_that_is_set(
    tmp_path: Path, limit_by: str, together: bool
) -> None:
    names = ["127.0.0.1", "localhost"]
    most, gaps = asyncio.run(asked(names, tmp_path / "a.db", limit_by=limit_by))
    assert most <= 2 or not together
    assert (min(gaps) > 0.012) is together or busy()


def test_hosts_of_one_domain_are_limited_together_where_that_is_set(tmp_path: Path) -> None:
    names = ["localhost", "localhost"]
    most, gaps = asyncio.run(asked(names, tmp_path / "d.db", limit_by="domain"))
    assert most <= 2 and (min(gaps) > 0.012 or busy())
    most, gaps = asyncio.run(asked(names, tmp_path / "h.db", limit_by="host"))
    assert min(gaps) < 0.012


def test_an_address_is_its_own_and_a_name_without_one_is_its_name() -> None:
    async def story() -> list[str]:
        hosts = ("http://[::1]:8000", "http://localhost:1", "http://no.such.host.invalid")
        return [await address_of(host) for host in hosts]

    one, two, three = asyncio.run(story())
    assert one == "::1" and two in ("127.0.0.1", "::1") and three == "no.such.host.invalid"


def test_nothing_is_started_in_quiet_hours_and_the_crawl_can_be_stopped(tmp_path: Path) -> None:
    now = datetime.now()
    span = f"{now - timedelta(minutes=2):%H:%M}-{now + timedelta(minutes=30):%H:%M}"

    async def story() -> tuple[int, int]:
        async with PracticeSite() as site:
            settings = {"politeness": {"quiet_hours": [span]}}
            spider = SiteSpider(site.url)
            async with Crawler(spider, store=tmp_path / "q.db", settings=settings) as crawler:
                crawler.on_commit(lambda visits, committed: crawler.stop())
                await crawler.run()
                return len(site.hits), crawler.frontier.pending

    assert asyncio.run(story()) == (0, 1)


def test_a_file_stands_in_for_the_robots_txt_of_a_host(tmp_path: Path) -> None:
    async def story(override: str) -> tuple[int, int]:
        async with PracticeSite(robots="User-agent: *\nDisallow: /\n") as site:
            site.add_links("/start", ["/closed", "/open"])
            site.add_page("/closed", "x")
            site.add_page("/open", "x")
            politeness = {"robots_override": {site.url: override}}
            store = tmp_path / f"{len(override)}.db"
            await crawled(SiteSpider(site.at("/start")), store, politeness=politeness)
            assert site.count("/robots.txt") == 0
            return site.count("/open"), site.count("/closed")

    (tmp_path / "own.txt").write_text("User-agent: *\nDisallow: /closed\n")
    assert asyncio.run(story("")) == (1, 1)
    assert asyncio.run(story(str(tmp_path / "own.txt"))) == (1, 0)


def test_an_override_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"robots_override: .*no.txt: No such file"):
        overrides_of({"https://example.org": str(tmp_path / "no.txt")})
    with pytest.raises(ConfigError, match="'http://' is no host"):
        overrides_of({"http://": ""})


def test_an_error_however_fast_does_not_speed_a_host_up(tmp_path: Path) -> None:
    async def story() -> float:
        async with PracticeSite(robots=False) as site:
            site.add_links("/start", [f"/missing-{n}" for n in range(6)])
            site.delay("/start", 0.2)
            settings = {"politeness": {"delay": 0.01, "per_host": 1, "robots": False}}
            spider = SiteSpider(site.at("/start"))
            async with Crawler(spider, store=tmp_path / "e.db", settings=settings) as crawler:
                await crawler.run()
                return min(site.spacing()[1:])

    assert asyncio.run(story()) > 0.15


def test_the_delay_counts_from_when_a_request_went_out_however_late_that_was(
    tmp_path: Path,
) -> None:
    class Late(SiteSpider):
        """A page takes longer until it is sent than the delay is."""

        async def before_fetch(self, request: Request) -> None:
            if request.url.endswith("/start"):
                await asyncio.sleep(0.12)

    async def story() -> float:
        async with PracticeSite(robots=False) as site:
            site.add_links("/start", ["/next"])
            site.add_page("/next", "x")
            politeness = {"delay": 0.1, "per_host": 1, "robots": False}
            await crawled(Late(site.at("/start")), tmp_path / "late.db", politeness=politeness)
            [gap] = site.spacing()
            return float(gap)

    assert asyncio.run(story()) > 0.09
