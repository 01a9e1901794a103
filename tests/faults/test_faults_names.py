"""Faults of robots.txt, DNS, TLS, content and proxies, told as stories; `plays` names their ids."""

import asyncio
import gzip
import sqlite3
import ssl
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trustme
from fault_server import FaultServer, Wire, page, says
from fault_story import crawl, plays

from crawler.config.fetch import FetchSettings
from crawler.errors import FetchError
from crawler.http.address_guard import AddressGuard
from crawler.http.fetcher import Fetcher
from crawler.web.request import Request

# ---------------------------------------------------------------- robots.txt


@plays("fault-080", "fault-081", "fault-085")
async def test_robots_txt_decides_by_what_it_answers(tmp_path: Path) -> None:
    coded = gzip.compress(b"User-agent: *\nDisallow: /page")
    cases: dict[str, tuple[Any, str]] = {
        "503": (page(b"", status=b"503 Service Unavailable"), "robots_unreachable"),
        "429": (page(b"", status=b"429 Too Many Requests"), "robots_unreachable"),
        "reset": (lambda wire: _reset(wire), "robots_unreachable"),
        "404": (page(b"", status=b"404 Not Found"), "ok"),
        "403": (page(b"", status=b"403 Forbidden"), "ok"),
        "gzip": (page(coded, b"Content-Encoding: gzip\r\n"), "robots_denied"),
        "html": (page(b"<html>Not found</html>"), "ok"),
    }
    for name, (script, outcome) in cases.items():
        async with FaultServer() as server:
            server.at("/robots.txt", script)
            url = server.at("/page", page())
            fetch = {"retries": 0}
            settings = {"politeness": {"robots": True}, "fetch": fetch}
            ended = await crawl([url], tmp_path / f"{name}.db", **settings)
            assert ended.outcome(url) == outcome, name
            assert server.count("/page") == (outcome == "ok")


async def _reset(wire: Wire) -> None:
    wire.reset()


@plays("fault-083")
async def test_an_endless_robots_txt_counts_as_far_as_its_first_500_kib(tmp_path: Path) -> None:
    async def endless(wire: Wire) -> None:
        await wire.send(b"HTTP/1.1 200 OK\r\n\r\nUser-agent: *\nDisallow: /page\n")
        while not wire.server.stopping.is_set():
            await wire.send(b"#" * 65_536)

    bomb = gzip.compress(b"User-agent: *\nDisallow: /page\n" + b"#" * 20_000_000)
    for name, script in (("endless", endless), ("bomb", page(bomb, b"Content-Encoding: gzip\r\n"))):
        async with FaultServer() as server:
            server.at("/robots.txt", script)
            url = server.at("/page", page())
            ended = await crawl([url], tmp_path / f"{name}.db", politeness={"robots": True})
            assert ended.outcome(url) == "robots_denied", name


@plays("fault-088")
async def test_a_herd_of_urls_asks_for_robots_txt_once(tmp_path: Path) -> None:
    async def slow(wire: Wire) -> None:
        await asyncio.sleep(0.2)
        await wire.send(page(b"User-agent: *\nDisallow:"))

    async with FaultServer() as server:
        server.at("*", says(page(), keep=True))
        server.at("/robots.txt", slow)
        urls = [server.url(f"/{number}") for number in range(100)]
        politeness = {"robots": True, "per_host": 20}
        await crawl(urls, tmp_path / "a.db", politeness=politeness)
        assert server.count("/robots.txt") == 1
        assert server.hits[0].target == "/robots.txt"


# ---------------------------------------------------------------- DNS, TLS


@plays("fault-089")
async def test_a_name_that_does_not_exist_is_asked_for_once(tmp_path: Path) -> None:
    url = "http://no-such-host.invalid/"
    ended = await crawl([url], tmp_path / "a.db", fetch={"connect_timeout": 2.0, "retries": 3})
    assert ended.outcome(url) == "dns_error"
    assert ended.tries(url) in (1, 4)  # 4 where the machine's resolver gives no answer at all


@plays("fault-090")
async def test_a_second_address_is_used_where_the_first_is_dead(tmp_path: Path) -> None:
    """localhost is ::1 and 127.0.0.1; the server only listens on the second."""
    async with FaultServer() as server:
        server.at("/", page())
        started = time.monotonic()
        url = f"http://localhost:{server.port}/"
        ended = await crawl([url], tmp_path / "a.db")
        assert ended.outcome(url) == "ok"
        assert time.monotonic() - started < 15


def server_context(cert: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    cert.configure_cert(context)
    return context


def _bad_certificates(ca: trustme.CA) -> dict[str, trustme.LeafCert]:
    from datetime import UTC, datetime

    return {
        "expired": ca.issue_cert(
            "127.0.0.1",
            not_after=datetime(2020, 1, 2, tzinfo=UTC),
            not_before=datetime(2020, 1, 1, tzinfo=UTC),
        ),
        "wrong-host": ca.issue_cert("elsewhere.example"),
        "unknown-ca": trustme.CA().issue_cert("127.0.0.1"),
    }


@plays("fault-091")
async def test_a_certificate_that_proves_nothing_is_refused_once(tmp_path: Path) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    tls = {"ca_file": str(tmp_path / "ca.pem")}
    for robots in (False, True):
        for name, cert in _bad_certificates(ca).items():
            async with FaultServer(server_context(cert)) as server:
                url = server.at("/", page())
                settings = {"tls": tls, "politeness": {"robots": robots}}
                ended = await crawl([url], tmp_path / f"{name}{robots}.db", **settings)
                assert (ended.outcome(url), ended.tries(url)) == ("tls_error", 1), name
                assert server.hits == []
    async with FaultServer(server_context(cert)) as server:
        url = server.at("/", page())
        tls["unverified"] = ["127.0.0.1"]  # the way out, for one host
        ended = await crawl([url], tmp_path / "out.db", tls=tls)
        assert ended.outcome(url) == "ok"


@plays("fault-092")
async def test_tls_that_stalls_or_is_too_old_is_named(tmp_path: Path) -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    stalling = await asyncio.start_server(mute, "127.0.0.1", 0)
    url = f"https://127.0.0.1:{stalling.sockets[0].getsockname()[1]}/"
    ended = await crawl([url], tmp_path / "stall.db")
    stalling.close()
    assert ended.outcome(url) == "timeout"

    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = server_context(ca.issue_cert("127.0.0.1"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with FaultServer(context) as server:
        url = server.at("/", page())
        tls = {"ca_file": str(tmp_path / "ca.pem"), "minimum": "1.3"}
        ended = await crawl([url], tmp_path / "old.db", tls=tls)
        assert ended.outcome(url) in ("tls_error", "connect_error")  # alert, or end of connection
        assert server.hits == []


# ---------------------------------------------------------------- politeness and content


@plays("fault-073", "fault-074", "fault-077")
async def test_statuses_are_tried_again_or_not(tmp_path: Path) -> None:
    once = [404, 410, 451, 401, 407, 418, 400]
    async with FaultServer() as server:
        for status in (*once, 429, 503):
            server.at(
                f"/{status}", says(page(b"no", b"Retry-After: 0\r\n", b"%d No" % status), keep=True)
            )
        urls = [server.url(f"/{status}") for status in (*once, 429, 503)]
        await crawl(urls, tmp_path / "a.db")
        assert [server.count(f"/{status}") for status in once] == [1] * len(once)
        assert server.count("/429") == server.count("/503") == 2


@plays("fault-058", "fault-065", "fault-060", "fault-063")
async def test_odd_links_are_one_page_none_or_stripped(tmp_path: Path) -> None:
    fragments = b"".join(b"<a href='/a#%d'>" % n for n in range(1000))
    schemes = (b"mailto:a@b", b"tel:1", b"javascript:x", b"data:,x", b"blob:x", b"about:blank")
    odd = b"".join(b"<a href='%s'>" % link for link in schemes)
    ports = b"<a href='http://127.0.0.1:0/'><a href='http://127.0.0.1:65536/'>"
    async with FaultServer() as server:
        user = b"<a href='http://reader:hunter2@127.0.0.1:%d/user'>" % server.port
        url = server.at("/", says(page(fragments + b"<a href=/A>" + odd + ports + user), keep=True))
        for path in ("/a", "/A", "/user"):
            server.at(path, says(page(), keep=True))
        ended = await crawl([url], tmp_path / "a.db", follow=True)
        assert [server.count(path) for path in ("/a", "/A", "/user")] == [1, 1, 1]
        assert ended.summary.errors == 0
        assert not any("authorization" in hit.headers for hit in server.hits)
        with closing(sqlite3.connect(ended.store)) as db:
            told = "\n".join(
                row for (row,) in db.execute("SELECT url FROM pages UNION SELECT target FROM links")
            )
        assert "hunter2" not in told


@plays("fault-067", "fault-068")
async def test_bytes_that_are_no_text_are_stored_and_their_links_found(tmp_path: Path) -> None:
    body = b"\xff\xfe\x00<title>\xed\xa0\x80\x00 \xc0\xaf</title><a href=/x>\xf5</a>"
    async with FaultServer() as server:
        url = server.at(
            "/", says(page(body).replace(b"text/html", b"text/html; charset=utf-8"), keep=True)
        )
        plain = server.at(
            "/plain", says(page(b"\xf0\x28\x8c\x28<title>a\x00b</title><a href=/x>"), keep=True)
        )
        server.at("/x", says(page(), keep=True))
        ended = await crawl([url, plain], tmp_path / "a.db", follow=True)
        assert ended.outcome(url) == ended.outcome(plain) == "ok"
        assert ended.outcome(server.url("/x")) == "ok"
        with closing(sqlite3.connect(ended.store)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@plays("fault-031", "fault-033")
async def test_hopeless_markup_is_parsed_in_bounded_time(tmp_path: Path) -> None:
    deep = b"<div>" * 50_000 + b"<a href=/deep>x</a>"
    open_tag = b'<a href="' + b"A" * 2_000_000
    comment = b"<a href=/before>x</a><!-- " + b"-" * 2_000_000
    async with FaultServer() as server:
        seeds = [server.at(f"/{n}", page(body)) for n, body in enumerate((deep, open_tag, comment))]
        started = time.monotonic()
        settings = {"fetch": {"max_body": 5_000_000, "total_timeout": 10.0}}
        ended = await crawl(seeds, tmp_path / "a.db", follow=True, **settings)
        assert {ended.outcome(url) for url in seeds} == {"ok"}
        assert server.url("/deep") in ended.rows and server.url("/before") in ended.rows
        assert time.monotonic() - started < 15


# ---------------------------------------------------------------- proxies


@plays("fault-105")
async def test_what_a_proxy_says_itself_is_never_a_page(tmp_path: Path) -> None:
    sayings = {
        "407": page(b"<p>pay", status=b"407 Proxy Authentication Required"),
        "502": page(b"<title>Proxy error</title>", status=b"502 Bad Gateway"),
        "reset": lambda wire: _reset(wire),
    }
    for name, script in sayings.items():
        async with FaultServer() as proxy:
            proxy.at("*", script)
            settings = FetchSettings(proxy=proxy.url("/").rstrip("/"), retries=0)
            guard = AddressGuard(allow_private=True)
            async with Fetcher(settings, agent="t", guard=guard, connections=2) as fetcher:
                with pytest.raises(FetchError) as caught:
                    await fetcher.fetch(Request(f"http://site.example/{name}"))
                assert caught.value.outcome in ("proxy_error", "connect_error")


@plays("fault-105")
async def test_a_proxy_whose_tunnel_never_opens_is_given_up(tmp_path: Path) -> None:
    async with FaultServer() as proxy:
        proxy.at("*", lambda wire: wire.hang())
        settings = FetchSettings(proxy=proxy.url("/").rstrip("/"), total_timeout=0.3)
        async with Fetcher(
            settings, agent="t", guard=AddressGuard(allow_private=True), connections=2
        ) as fetcher:
            with pytest.raises(FetchError) as caught:
                await fetcher.fetch(Request("https://site.example/"))
        assert caught.value.outcome in ("proxy_error", "timeout")
