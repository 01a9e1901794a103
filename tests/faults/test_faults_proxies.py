"""Faults of proxies, told as stories: one of two fails, and nothing of it is the site's."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from fault_server import FaultServer, Wire, page, says
from fault_story import Ended, crawl, plays

from tests.faults.test_faults_tls import Authority
from tests.http.test_proxies import proxy

ERROR = b"<title>Proxy error</title><a href=http://site.example/of-the-proxy>why</a>"
SITE = says(page(b"<title>Site</title>"), keep=True)
BAD: dict[str, Any] = {
    "407": page(ERROR, b"Proxy-Authenticate: Basic realm=x\r\n", b"407 Proxy Auth Required"),
    "502": page(ERROR, status=b"502 Bad Gateway"),
    "504": page(ERROR, status=b"504 Gateway Timeout"),
}
TIMES = {"total_timeout": 0.5, "retries": 3}


async def crawled(store: Path, urls: list[str], *ways: str, **settings: Any) -> Ended:
    """Crawl these URLs through proxies by turns; the healthy host beside is asked directly."""
    proxies = {"urls": list(ways), "hosts": {"127.0.0.1": "direct"}}
    return await crawl(urls, store, follow=True, proxy=proxies, fetch=TIMES, **settings)


def titles(store: Path) -> set[str]:
    with closing(sqlite3.connect(store)) as db:
        found = {title for (title,) in db.execute("SELECT title FROM pages")}
        links = [url for (url,) in db.execute("SELECT url FROM pages WHERE url LIKE '%of-the%'")]
    assert links == []  # nothing that a proxy says is followed
    return found - {"Fine", None}


def of(server: FaultServer) -> str:
    return server.url().rstrip("/")


@plays("fault-105")
async def test_what_one_of_two_proxies_says_itself_costs_a_try_and_is_never_a_page(
    tmp_path: Path,
) -> None:
    for name, answer in BAD.items():
        store = tmp_path / f"{name}.db"
        async with FaultServer() as good, FaultServer() as bad:
            good.at("*", SITE)
            bad.at("*", says(answer, keep=True))
            urls = [f"http://site.example/{number}" for number in range(40)]
            ended = await crawled(store, urls, of(good), of(bad))
            assert {ended.outcome(url) for url in urls} == {"ok"}
            assert 1 <= len(bad.hits) <= 2  # then it rests, which the two in flight did not know
            assert titles(store) == {"Site"}


@plays("fault-105")
async def test_a_proxy_that_dies_in_the_middle_of_a_crawl_costs_no_page(tmp_path: Path) -> None:
    async with FaultServer() as good:
        good.at("*", SITE)
        dying = FaultServer()
        await dying.__aenter__()

        async def dies(wire: Wire) -> None:
            await wire.send(page(b"<title>Site</title>", b"Connection: close\r\n"))
            if len(dying.hits) == 5:
                dying._server.close()

        dying.at("*", dies)
        urls = [f"http://site.example/{number}" for number in range(60)]
        ended = await crawled(tmp_path / "a.db", urls, of(dying), of(good))
        await dying.__aexit__()
        assert {ended.outcome(url) for url in urls} == {"ok"}
        assert len(dying.hits) <= 6 and ended.summary.retries <= 2


@plays("fault-105")
async def test_where_every_proxy_fails_it_is_the_proxies_that_are_named(tmp_path: Path) -> None:
    for name, answer in BAD.items():
        async with FaultServer() as one, FaultServer() as two:
            for server in (one, two):
                server.at("*", says(answer, keep=True))
            urls = [f"{scheme}://site.example/" for scheme in ("http", "https")]
            ended = await crawled(tmp_path / f"{name}.db", urls, of(one), of(two))
            assert {ended.outcome(url) for url in urls} == {"proxy_error"}
            assert {ended.tries(url) for url in urls} == {4}
            assert titles(tmp_path / f"{name}.db") == set()


@plays("fault-105")
async def test_a_tunnel_that_never_opens_is_left_for_one_that_does(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with proxy() as real:
        async with FaultServer() as hangs, FaultServer(authority.server()) as site:
            hangs.at("*", lambda wire: wire.hang())
            site.at("*", SITE)
            urls = [f"https://127.0.0.1:{site.port}/{number}" for number in range(10)]
            ways = {"urls": [of(hangs), real.url()], "rest": 60.0}
            ended = await crawl(urls, tmp_path / "a.db", proxy=ways, fetch=TIMES, tls=authority.tls)
            assert {ended.outcome(url) for url in urls} == {"ok"}
            assert 1 <= len([hit for hit in hangs.hits if hit.method == "CONNECT"]) <= 2
