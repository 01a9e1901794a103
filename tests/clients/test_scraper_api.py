"""ScraperApi against a stand-in of the service over real HTTP."""

import asyncio
import traceback
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web
from client_story import Naps, Served, on_site

from crawler.clients import Retries, ScraperApi
from crawler.errors import ConfigError, FetchError
from crawler.practice import PracticeSite

KEY = "k3y-" + "0" * 8


@dataclass
class Service:
    """What the service does: checks the key, counts requests at once, fetches the page."""

    most: int = 5
    asked: list[dict[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    now: int = 0
    peak: int = 0
    fail: list[int] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(dict(request.query))
        self.headers.append(dict(request.headers))
        if request.query.get("api_key") != KEY:
            return web.Response(status=403, text=f"bad key {request.query.get('api_key')}")
        if self.fail:
            return web.Response(status=self.fail.pop(0))
        self.now += 1
        self.peak = max(self.peak, self.now)
        try:
            if self.now > self.most:
                return web.Response(status=429)
            await asyncio.sleep(0.01)
            async with (
                aiohttp.ClientSession() as session,
                session.get(request.query["url"]) as page,
            ):
                body = await page.read()
                return web.Response(status=page.status, body=body, content_type=page.content_type)
        finally:
            self.now -= 1


@on_site()
async def test_fetches_a_page_through_the_service(site: PracticeSite) -> None:
    service = Service()
    async with Served({"/": service.answer}) as url, ScraperApi(KEY, base_url=url) as api:
        found = await api.get(site.at("/shop/?page=2&x=%26"))
        assert (found.status, found.url) == (200, site.at("/shop/?page=2&x=%26"))
        assert b"article" in found.body and found.is_html
        assert service.asked == [{"api_key": KEY, "url": site.at("/shop/?page=2&x=%26")}]
        assert (await api.get(site.at("/status/404"))).status == 404


@on_site()
async def test_asks_for_a_browser_a_country_and_a_device(site: PracticeSite) -> None:
    service = Service()
    async with (
        Served({"/": service.answer}) as url,
        ScraperApi(KEY, base_url=url, render=True, country_code="de") as api,
    ):
        await api.get(site.url, device_type="mobile", premium=True, render=False)
        await api.get(site.url)
    first, second = service.asked
    assert (first["country_code"], first["device_type"], first["premium"]) == (
        "de",
        "mobile",
        "true",
    )
    assert "render" not in first
    assert (second["render"], "premium" in second) == ("true", False)


@on_site()
async def test_keeps_to_its_own_concurrency(site: PracticeSite) -> None:
    service = Service(most=3)
    urls = [site.at(f"/status/200?{n}") for n in range(12)]
    async with (
        Served({"/": service.answer}) as base,
        ScraperApi(KEY, base_url=base, concurrency=3) as api,
    ):
        answers = await asyncio.gather(*map(api.get, urls))
    assert [answer.status for answer in answers] == [200] * 12
    assert service.peak == 3


@on_site()
async def test_backs_off_when_it_asks_too_much_at_once(site: PracticeSite) -> None:
    service, naps = Service(fail=[429, 500, 429]), Naps()
    retries = Retries(3, first=1.0, sleep=naps)
    async with (
        Served({"/": service.answer}) as url,
        ScraperApi(KEY, base_url=url, retries=retries) as api,
    ):
        assert (await api.get(site.url)).status == 200
    assert len(naps) == 3 and naps[0] <= 1 < naps[2] <= 4


def test_takes_its_key_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCRAPER_API_KEY", raising=False)
    with pytest.raises(ConfigError, match="set SCRAPER_API_KEY in the environment"):
        ScraperApi()
    monkeypatch.setenv("SCRAPER_API_KEY", KEY)
    assert KEY not in repr(ScraperApi())


def test_its_key_shows_in_no_error() -> None:
    async def story() -> str:
        service, texts = Service(), ""
        async with Served({"/": service.answer}) as url:
            wrong = "wr0ng" + "key"
            async with ScraperApi(wrong, base_url=url) as api:
                with pytest.raises(ConfigError, match="refuses") as caught:
                    await api.get("http://example.com/")
                texts += "".join(traceback.format_exception(caught.value))
                assert wrong not in texts
        async with ScraperApi(KEY, base_url="http://127.0.0.1:9/", retries=Retries(0)) as api:
            with pytest.raises(FetchError) as failed:
                await api.get("http://example.com/")
            texts += "".join(traceback.format_exception(failed.value))
        return texts

    assert KEY not in asyncio.run(story())


def test_waits_as_long_as_the_service_asks_for() -> None:
    api = ScraperApi(KEY)
    fetch = api._caller.config.fetch
    assert fetch.total_timeout == fetch.read_timeout == 70.0


def test_an_unknown_option_is_named() -> None:
    async def story() -> None:
        async with ScraperApi(KEY, base_url="http://127.0.0.1:9/") as api:
            with pytest.raises(ConfigError, match="rendering options are render"):
                await api.get("http://example.com/", rendr=True)

    asyncio.run(story())
