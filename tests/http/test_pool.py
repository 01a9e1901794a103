"""What the pool does, as values: of a client, of a crawl, and in the status of one that runs."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

from fault_server import FaultServer, Wire, page, says

from crawler.cli.status import story as told
from crawler.clients import ApiClient
from crawler.clients.transport import Transport
from crawler.config.fetch import FetchSettings
from crawler.config.layers import Config
from crawler.engine.crawler import Crawler
from crawler.http.pool import Connections, Pool
from crawler.inspect.status import overview
from crawler.spider import Spider
from crawler.web.page import ScrapedPage
from crawler.web.request import Request


def test_a_client_tells_what_is_open_idle_and_waiting() -> None:
    async def story() -> None:
        go = asyncio.Event()

        async def slow(wire: Wire) -> None:
            await go.wait()
            await wire.send(page(b"{}"))
            wire.keep = True

        config = Config(fetch=FetchSettings(pool_per_host=2))
        async with FaultServer() as server, Transport(config) as caller:
            assert caller.pool.open == caller.pool.idle == 0
            host = f"http://127.0.0.1:{server.port}"
            url = server.at("/slow", slow)
            asked = [asyncio.create_task(caller.fetch("GET", url)) for _ in range(3)]
            while len(server.hits) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0)
            assert caller.pool.hosts == {host: Connections(open=2, idle=0, waiting=1)}
            assert caller.pool.memory > 1_000_000
            go.set()
            await asyncio.gather(*asked)
            assert caller.pool.hosts == {host: Connections(open=0, idle=2, waiting=0)}
            named = server.url("/slow").replace("127.0.0.1", "localhost")
            await caller.fetch("GET", named)
            assert "127.0.0.1" in caller.pool.addresses["localhost"]
            assert caller.pool.addresses == caller.pool.addresses  # looking changes nothing
        assert caller.pool == Pool()
        async with ApiClient(host) as api:
            assert api.pool.idle == 0

    asyncio.run(story())


def test_a_crawl_tells_it_and_status_does_while_it_runs(tmp_path: Path) -> None:
    seen: list[tuple[int, str]] = []

    async def story() -> None:
        async with FaultServer() as server:

            class Slow(Spider):
                name = "slow"
                start_urls = (server.at("/a", says(page(b"<a href=/b>"), keep=True)),)
                settings = {  # noqa: RUF012
                    "politeness": {"delay": 0, "robots": False},
                    "store": {"flush_visits": 1},
                }

                def parse(self, page: ScrapedPage) -> Iterator[Request]:
                    yield from page.follow_all("a")

            async def second(wire: Wire) -> None:
                while not overview(tmp_path / "a.db").pages:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                seen.append((crawler.pool.open, told(overview(tmp_path / "a.db"))))
                await wire.send(page(b"done"))

            server.at("/b", second)
            async with Crawler(Slow, store=tmp_path / "a.db") as crawler:
                await crawler.run()
                assert crawler.pool == Pool()

    asyncio.run(story())
    [(number, text)] = seen
    assert number == 1 and "pool     " in text and " MB" in text
    assert overview(tmp_path / "a.db").pool == {}


def test_the_summary_is_json_and_names_the_busiest_hosts() -> None:
    hosts = {f"http://{n}.example:80": Connections(open=n, waiting=n) for n in range(9)}
    said = json.loads(json.dumps(Pool(hosts, {"a": ("::1",)}, 5).summary(2)))
    assert said["hosts"] == {"http://8.example:80": 16, "http://7.example:80": 14}
    assert (said["open"], said["waiting"], said["names"], said["memory"]) == (36, 36, 1, 5)
