"""No server leads any kind of request to a private address: 512 attempts, and nobody comes."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from fault_server import FaultServer, Wire, page
from fault_story import QUICK, merged
from stub_names import names, only_loopback

from crawler import Crawler, Download, ScrapedPage, Spider, Stream
from crawler.cli.probe import look
from crawler.clients import (
    ApiClient,
    LinkHeader,
    NextLink,
    Retries,
    ScraperApi,
    WebSocket,
    download,
    fetch_all,
    upload,
)
from crawler.config.layers import Config
from crawler.engine.robots_gate import robots_of
from crawler.errors import CrawlerError
from crawler.http.address_guard import AddressGuard
from crawler.http.fetcher import Fetcher
from crawler.inspect.query import Reader

# Every name under .example is the stub's; the rest are literals as a server may write them.
STUB = {
    "inner": ["127.0.0.9"],
    "mapped": ["::ffff:127.0.0.9"],
    "ten": ["10.1.2.3"],
    "metadata": ["169.254.169.254"],
    "several": ["192.168.1.1", "127.0.0.9"],
    "shared": ["100.64.0.1"],
    "nat64": ["64:ff9b::7f00:9"],
    "local": ["fec0::1"],
}
HOSTS = [
    *(f"{name}.example" for name in STUB),
    *("inner.example.", "INNER.example", "localhost", "localhost.", "127.0.0.9.", "①②⑦.0.0.9"),
    *("127.0.0.9", "127.9", "127.0.9", "2130706441", "0x7f000009", "0177.0.0.011", "0x7f.0.0.9"),
    *("0", "0.0.0.0", "169.254.169.254", "192.0.0.192", "198.18.0.1", "[::1]", "[::]"),
    *("[::ffff:127.0.0.9]", "[::127.0.0.9]", "[64:ff9b::7f00:9]", "[2002:7f00:9::1]"),
]
CALLS = ("fetch_all", "get", "post", "next", "header", "download", "upload", "socket", "service")
ASKED = (*CALLS, "fetch", "robots")
CRAWLED = ("link", "moved", "refresh", "file", "stream")


class Inner:
    """Everything that listens on this machine at one port, and the addresses asked for."""

    def __init__(self, port: int, connected: list[str]) -> None:
        self.port, self.connected, self.hits = port, connected, 0

    def targets(self, kind: str) -> list[str]:
        return [f"http://{host}:{self.port}/{kind}/{i}" for i, host in enumerate(HOSTS)]


@contextlib.asynccontextmanager
async def inner_network() -> AsyncIterator[Inner]:
    def come(reader: Any, writer: asyncio.StreamWriter) -> None:
        inner.hits += 1
        writer.close()

    server = await asyncio.start_server(come, "0.0.0.0", 0)
    with names(**STUB), only_loopback() as connected:
        inner = Inner(server.sockets[0].getsockname()[1], connected)
        yield inner
    server.close()


def leading(site: FaultServer, inner: Inner) -> None:
    """Let the site answer /KIND/NUMBER by what leads to that target, in the way of that kind."""

    async def answer(wire: Wire) -> None:
        _, kind, number, *_ = f"{wire.hit.target}///".split("/")
        target = inner.targets(kind)[int(number.partition("?")[0])]
        said = json.dumps({"items": [1], "next": target}).encode()
        if kind == "next":
            await wire.send(page(said, b"Content-Type: application/json\r\n"))
        elif kind == "header":
            link = f'Link: <{target}>; rel="next"\r\n'.encode()
            await wire.send(page(b"[1]", link + b"Content-Type: application/json\r\n"))
        elif kind == "refresh":
            await wire.send(page(f'<meta http-equiv=refresh content="0;url={target}">'.encode()))
        else:
            location = f"Location: {target}\r\n".encode()
            await wire.send(page(b"", location, b"307 Temporary Redirect"))

    site.at("*", answer)


def caller(kind: str, site: FaultServer, path: Path) -> Callable[[int], Awaitable[Any]]:
    """Return what makes one request of a kind to the site, which leads it on."""
    none = Retries(0)

    async def api(number: int) -> None:
        async with ApiClient(site.url("/"), api_key="key", retries=none) as client:
            if kind in ("next", "header"):
                paging = NextLink() if kind == "next" else LinkHeader()
                at = "items" if kind == "next" else None
                async for _ in client.items(f"{kind}/{number}", paging, at=at):
                    pass
            else:
                await client.request(kind.upper(), f"{kind}/{number}", json={"a": 1})

    async def socket(number: int) -> None:
        async with WebSocket(site.url(f"/socket/{number}"), backoff=None):
            pass

    async def service(number: int) -> None:
        async with ScraperApi("key", base_url=site.url(f"/service/{number}"), retries=none) as api:
            await api.get("http://elsewhere.example/")

    async def robots(number: int) -> None:
        guard = AddressGuard(["127.0.0.1"])
        fetch = Config().fetch
        async with Fetcher(fetch, agent="t", guard=guard, connections=1) as fetcher:
            await robots_of(site.url(f"/robots/{number}").rstrip("/") + "?", fetcher)

    async def one(number: int) -> None:
        url = site.url(f"/{kind}/{number}")
        if kind == "fetch_all":
            [found] = await fetch_all([url], retries=0)
            assert found.error is not None
            raise found.error
        if kind == "fetch":
            found = await look(url, Config())
            raise CrawlerError(found.outcome)
        if kind == "download":
            await download(url, path / "file", retries=0)
        (path / "sent").write_text("secret")
        await upload(url, path / "sent", retries=0)

    ways = {"socket": socket, "service": service, "robots": robots}
    ways |= dict.fromkeys(("get", "post", "next", "header"), api)
    return ways.get(kind, one)


@pytest.mark.parametrize("kind", ASKED)
def test_no_client_is_led_to_a_private_address(kind: str, tmp_path: Path) -> None:
    async def story() -> None:
        async with inner_network() as inner, FaultServer() as site:
            leading(site, inner)
            call = caller(kind, site, tmp_path)
            for number in range(len(HOSTS)):
                with pytest.raises(CrawlerError):
                    await call(number)
            assert sum(hit.target.startswith(f"/{kind}/") for hit in site.hits) >= len(HOSTS)
            assert inner.hits == 0
            assert set(inner.connected) == {"127.0.0.1"}

    asyncio.run(story())


class Led(Spider):
    """Takes every way that a site offers to a target."""

    name = "led"
    inner: Inner
    site: FaultServer

    def parse(self, page: ScrapedPage) -> Any:
        if page.url.endswith("/start"):
            for number, target in enumerate(self.inner.targets("link")):
                for url in (
                    target,
                    *(self.site.url(f"/{k}/{number}") for k in ("moved", "refresh")),
                ):
                    yield page.follow(url)
            for target in self.inner.targets("file"):
                yield Download(target)
            for target in self.inner.targets("stream"):
                yield Stream(target, callback=self.parse)


def test_no_crawl_is_led_to_a_private_address(tmp_path: Path) -> None:
    async def story() -> Counter[tuple[str, str]]:
        async with inner_network() as inner, FaultServer() as site:
            leading(site, inner)
            seed = site.at("/start", page())
            Led.inner, Led.site, Led.start_urls = inner, site, [seed]
            settings = merged(QUICK, {"engine": {"scope": "any"}, "fetch": {"retries": 0}})
            ended: Counter[tuple[str, str]] = Counter()
            async with Crawler(Led, store=tmp_path / "a.db", settings=settings) as crawler:
                await crawler.run()
            with Reader(tmp_path / "a.db") as reader:
                for url, outcome in reader.query("SELECT url, outcome FROM pages").rows:
                    if f":{inner.port}/" in url:
                        ended[url.split("/")[3], outcome] += 1
            assert inner.hits == 0
            assert set(inner.connected) == {"127.0.0.1"}
            return ended

    ended = asyncio.run(story())
    refused = {kind: ended[kind, "address_refused"] for kind in CRAWLED}
    assert refused == dict.fromkeys(CRAWLED, len(HOSTS)), ended


def test_these_are_512_attempts() -> None:
    assert len(HOSTS) * (len(ASKED) + len(CRAWLED)) == 512
