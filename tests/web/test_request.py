"""Requests, sessions, cookies, TLS, middlewares and the cache, over real sockets."""

import asyncio
import hashlib
import json
import sqlite3
import ssl
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trustme

from crawler import Crawler, Request, ScrapedPage, Spider
from crawler.config.auth import AuthSettings, CredentialSettings
from crawler.config.fetch import FetchSettings
from crawler.config.layers import Config, load
from crawler.config.tls import TlsSettings
from crawler.errors import ConfigError, FetchError
from crawler.http.address_guard import AddressGuard
from crawler.http.fetcher import Fetcher
from crawler.practice import PracticeSite
from crawler.web.redirects import onward

QUICK: dict[str, dict[str, Any]] = {"politeness": {"delay": 0.0}, "fetch": {"retry_delay": 0.0}}
URL = "http://a.example/x"


def fetcher(fetch: FetchSettings | None = None, **sections: Any) -> Fetcher:
    fetch = fetch or FetchSettings(total_timeout=5.0)
    config = Config(fetch=fetch, **sections)
    return Fetcher(
        fetch,
        agent=config.agent,
        guard=AddressGuard(allow_private=True),
        connections=4,
        config=config,
    )


# ---------------------------------------------------------------- what makes two requests one

DIFFERENT = [
    Request(URL),
    Request(URL, "POST"),
    Request(URL, "PUT"),
    Request(URL, "POST", data={"a": "1"}),
    Request(URL, "POST", data={"a": "2"}),
    Request(URL, "POST", json={"a": "1"}),
    Request(URL, "POST", data=b"\xff"),
    Request(URL, "POST", data=Path("a.bin")),
    Request(URL, "POST", data={"a": "1"}, files={}),
    Request(URL, "POST", files={"f": "a.bin"}),
    Request(URL, session="second"),
    Request(URL, params={"a": "1"}),
]


def test_method_body_session_and_parameters_make_another_request() -> None:
    assert len({request.identity for request in DIFFERENT}) == len(DIFFERENT)


def test_order_of_writing_and_headers_make_no_other_request() -> None:
    same = [
        Request(URL + "?a=1"),
        Request(URL, params={"a": "1"}),
        Request(URL, params=[("a", 1)]),
        Request(URL + "?a=1", "get", headers={"X": "1"}),
    ]
    assert len({request.identity for request in same}) == 1


REDIRECTED = [
    *((301, "POST", "GET"), (302, "POST", "GET"), (303, "POST", "GET"), (303, "PUT", "GET")),
    *((307, "POST", "POST"), (308, "POST", "POST"), (301, "PUT", "PUT"), (302, "PATCH", "PATCH")),
    *((302, "HEAD", "HEAD"), (303, "HEAD", "HEAD"), (302, "GET", "GET"), (303, "DELETE", "GET")),
]


@pytest.mark.parametrize(("status", "method", "wanted"), REDIRECTED)
def test_a_redirect_keeps_method_and_body_or_neither(status: int, method: str, wanted: str) -> None:
    headers = {"Content-Type": "text/plain", "X-Kept": "1"}
    body = None if method in ("GET", "HEAD") else "hello"
    request = Request(URL, method, data=body, headers=headers, hops=2)
    following = onward(request, status, "http://a.example/y")
    assert following.method == wanted
    assert following.data == (body if wanted == method else None)
    assert ("Content-Type" in following.headers) == (wanted == method)
    assert (following.hops, following.first_url) == (3, URL)


def test_a_key_opens_only_what_is_below_its_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    from crawler.http.credentials import Credentials

    monkeypatch.setenv("K", "v")
    key = CredentialSettings(kind="bearer", env="K")
    keys = Credentials(AuthSettings(at={"https://a.example/api": key, "b.example": key}))
    opened = {
        "https://a.example/api": True,
        "https://a.example/api/x?y": True,
        "https://a.example/api?y": True,
        "https://a.example/apis": False,
        "https://a.example/": False,
        "http://a.example/api": False,
        "https://a.example.evil/api": False,
        "https://b.example/x": True,
        "https://b.example:444/x": False,
    }
    assert {url: keys.of(url) is not None for url in opened} == opened


# ---------------------------------------------------------------- sent


def test_a_streamed_body_and_a_file_arrive_whole(tmp_path: Path) -> None:
    file = tmp_path / "big.bin"
    file.write_bytes(bytes(300_000))

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield bytes(10_000)

    async def story() -> None:
        async with PracticeSite() as site, fetcher() as way:
            url = site.at("/upload")
            by_path = await way.fetch(Request(url, "POST", data=file))
            streamed = await way.fetch(Request(url, "POST"), body=pieces())
            wanted = hashlib.sha256(bytes(300_000)).hexdigest()
            assert wanted in by_path.body.decode() and wanted in streamed.body.decode()

    asyncio.run(story())


def test_a_request_has_time_outs_of_its_own() -> None:
    async def story() -> None:
        async with PracticeSite() as site, fetcher() as way:
            site.delay("/", 0.5)
            for own in (0.1, {"read": 0.1}, {"total": 0.1}):
                with pytest.raises(FetchError) as caught:
                    await way.fetch(Request(site.url, timeout=own))
                assert caught.value.outcome == "timeout"
            assert (await way.fetch(Request(site.url))).status == 200

    asyncio.run(story())


def test_settings_of_the_session_reach_the_site() -> None:
    async def story() -> None:
        fetch = FetchSettings(headers={"Accept-Language": "de"}, keep_alive=0, pool_per_host=1)
        async with PracticeSite() as site, fetcher(fetch) as way:
            await asyncio.gather(*(way.fetch(Request(site.url)) for _ in range(3)))
            assert {hit.headers["Accept-Language"] for hit in site.hits} == {"de"}
            assert site.max_in_flight() == 1
            assert site.hits[0].headers["User-Agent"].startswith("crawlkeep/")

    asyncio.run(story())
    assert load(spider={"politeness": {"contact": "me@a.example"}}).agent.endswith(
        "(+me@a.example)"
    )


async def stamp(request: Any, handler: Any) -> Any:
    """A client middleware of aiohttp: it signs requests and answers one itself again."""
    request.headers["X-Stamp"] = "yes"
    return await handler(request)


def test_a_middleware_is_named_in_the_configuration() -> None:
    async def story() -> None:
        fetch = FetchSettings(middlewares=[f"{__name__}:stamp"])
        async with PracticeSite() as site, fetcher(fetch) as way:
            await way.fetch(Request(site.url))
            assert site.hits[0].headers["X-Stamp"] == "yes"

    asyncio.run(story())


@pytest.mark.parametrize("name", ["nothing", "no.such:thing", "json:no_such"])
def test_a_middleware_that_does_not_load_is_named(name: str) -> None:
    async def story() -> None:
        async with fetcher(FetchSettings(middlewares=[name])):
            pass

    with pytest.raises(ConfigError, match=name):
        asyncio.run(story())


def test_start_urls_may_be_relative_to_a_base(tmp_path: Path) -> None:
    class Relative(Spider):
        name = "relative"
        start_urls = ("/shop/", "about")

    async def story() -> None:
        async with PracticeSite() as site:
            settings = {**QUICK, "fetch": {"base_url": site.url}}
            spider = Relative()
            async with Crawler(spider, store=tmp_path / "a.db", settings=settings) as crawler:
                await crawler.run()
            assert site.count("/shop/") == site.count("/about") == 1

    asyncio.run(story())


# ---------------------------------------------------------------- cookies and logins


def test_the_login_spider_reads_the_letters_and_a_resumed_crawl_is_still_logged_in(
    tmp_path: Path,
) -> None:
    from importlib.util import module_from_spec, spec_from_file_location

    path = Path(__file__).parents[2] / "spiders" / "login.py"
    assert len(path.read_text().splitlines()) <= 30
    spec = spec_from_file_location("login", path)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)

    async def story() -> None:
        async with PracticeSite() as site:
            store = tmp_path / "login.db"

            async def run(pages: int) -> None:
                spider = module.Login()
                spider.start_urls = [site.at("/login")]
                settings = {**QUICK, "engine": {"max_pages": pages, "workers": 1}}
                async with Crawler(spider, store=store, settings=settings) as crawler:
                    await crawler.run()

            await run(2)
            assert site.count("/members/letters/1/") == 0
            await run(20)
            with closing(sqlite3.connect(store)) as db:
                assert db.execute("SELECT count(*) FROM letter").fetchone() == (3,)
            assert site.count("/login", "POST") == 1

    asyncio.run(story())


def test_cookies_come_back_as_they_were() -> None:
    from yarl import URL as Url

    from crawler.http.cookies import CookieJars

    async def story() -> None:
        jars = CookieJars()
        there = Url("https://www.shop.example/a/b")
        jars[None].update_cookies_from_headers(
            [
                "kept=1; Max-Age=1000; Path=/a",
                "wide=2; Domain=shop.example; Secure; HttpOnly; SameSite=Lax",
                "gone=3; Max-Age=0",
                'quoted="a b"; Path=/',
                "session=5",
            ],
            there,
        )
        jars["second"].set("by-hand", "6", url="http://[::1]/")
        rows = jars.changes()
        assert jars.changes() == []
        again = CookieJars()
        again.restore(rows)
        assert again.changes() == []
        for url in (Url("https://pay.shop.example/a"), Url("http://www.shop.example/a/"), there):
            sent = jars[None].filter_cookies(url)
            assert sent and again[None].filter_cookies(url) == sent
        assert 'quoted="a b"' in sent
        assert again["second"].filter_cookies(Url("http://[::1]/")) == ["by-hand=6"]
        assert sorted(again) == ["", "second"]
        again[None].clear(lambda cookie: cookie.key == "kept")
        assert [(row.name, row.cookie) for row in again.changes()] == [("kept", None)]

    asyncio.run(story())


# ---------------------------------------------------------------- TLS


def test_client_certificates_pins_and_versions_are_what_the_settings_say(tmp_path: Path) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    mine = ca.issue_cert("me@a.example")
    mine.private_key_and_cert_chain_pem.write_to_path(tmp_path / "me.pem")
    cert = ca.issue_cert("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    cert.configure_cert(context)
    ca.configure_trust(context)
    pem = cert.cert_chain_pems[0].bytes().decode()
    pin = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    ca_file, cert_file = str(tmp_path / "ca.pem"), str(tmp_path / "me.pem")

    async def status(settings: TlsSettings, *, asks: bool = False) -> str:
        context.verify_mode = ssl.CERT_REQUIRED if asks else ssl.CERT_NONE
        async with PracticeSite(tls=context) as site, fetcher(tls=settings) as way:
            try:
                return str((await way.fetch(Request(site.url))).status)
            except FetchError as error:
                return str(error.outcome)

    async def story() -> None:
        assert await status(TlsSettings()) == "tls_error"
        assert await status(TlsSettings(ca_file=ca_file)) == "200"
        assert await status(TlsSettings(ca_file=ca_file, minimum="1.3")) == "200"
        assert await status(TlsSettings(ca_file=ca_file), asks=True) != "200"
        assert await status(TlsSettings(ca_file=ca_file, cert_file=cert_file), asks=True) == "200"
        assert await status(TlsSettings(pins={"127.0.0.1": pin})) == "200"
        assert await status(TlsSettings(pins={"127.0.0.1": "sha256:" + "00" * 32})) == "tls_error"

    asyncio.run(story())


@pytest.mark.parametrize(
    "settings", [TlsSettings(pins={"a": "abc"}), TlsSettings(ca_file="no/such.pem")]
)
def test_tls_settings_that_cannot_work_are_named(settings: TlsSettings) -> None:
    async def story() -> None:
        async with fetcher(tls=settings):
            pass

    with pytest.raises(ConfigError, match="tls"):
        asyncio.run(story())


# ---------------------------------------------------------------- cache


class Shop(Spider):
    """Reads a shelf, follows to the next pages, and looks at one that is not there."""

    name = "shop"

    def parse(self, page: ScrapedPage) -> Any:
        yield from page.follow_all("li.next a")
        yield page.follow("/not-there")


def test_a_replay_hits_the_site_once_and_says_what_is_missing(tmp_path: Path) -> None:
    async def story() -> None:
        async with PracticeSite() as site:

            async def run(name: str, mode: str) -> dict[str, int]:
                spider = Shop()
                spider.start_urls = [site.url]
                cache = {"mode": mode, "store": str(tmp_path / "first.db")}
                settings = {**QUICK, "cache": cache}
                async with Crawler(spider, store=tmp_path / name, settings=settings) as crawler:
                    return (await crawler.run()).outcomes

            first = await run("first.db", "off")
            hits = len(site.hits)
            assert await run("again.db", "replay") == first
            assert await run("more.db", "record") == first
            assert len(site.hits) == hits
            Shop.start_urls = ()
            spider = Shop()
            spider.start_urls = [site.at("/shop/")]
            cache = {"mode": "replay", "store": str(tmp_path / "first.db")}
            settings = {**QUICK, "cache": cache}
            async with Crawler(spider, store=tmp_path / "b.db", settings=settings) as crawler:
                assert (await crawler.run()).outcomes == {"not_cached": 1}
            assert len(site.hits) == hits

    asyncio.run(story())


def test_a_cache_without_a_crawl_is_named(tmp_path: Path) -> None:
    async def story() -> None:
        cache = {"mode": "replay", "store": str(tmp_path / "none.db")}
        spider = Shop()
        spider.start_urls = ["http://127.0.0.1:9/"]
        async with Crawler(spider, store=tmp_path / "a.db", settings={"cache": cache}) as crawler:
            await crawler.run()

    with pytest.raises(ConfigError, match=r"none\.db"):
        asyncio.run(story())


def test_what_was_not_modified_is_an_outcome_of_its_own(tmp_path: Path) -> None:
    class Again(Spider):
        name = "again"

        def start(self) -> Any:
            yield Request(self.url, headers={"If-None-Match": '"1"'})  # type: ignore[attr-defined]

    async def story() -> None:
        async with PracticeSite() as site:
            spider = Again(url=site.add_page("/tagged", b"", status=304, headers={"ETag": '"1"'}))
            spider.start_urls = [site.url]
            async with Crawler(spider, store=tmp_path / "a.db", settings=QUICK) as crawler:
                summary = await crawler.run()
            assert (summary.outcomes, summary.errors) == ({"not_modified": 1}, 0)
            assert json.dumps(summary.refused) == "{}"

    asyncio.run(story())


def test_a_priority_that_no_database_takes_is_refused() -> None:
    with pytest.raises(ValueError, match="priority"):
        Request("https://example.com/", priority=1 << 70)
