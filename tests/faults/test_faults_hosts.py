"""Faults of connections, redirects and cookies, told as stories; `plays` names their ids."""

import asyncio
import socket
import time
from pathlib import Path
from typing import Any

from fault_server import FaultServer, Wire, page, says
from fault_story import QUICK, Visitor, crawl, merged, plays

from crawler import Crawler
from crawler.http.cookies import CookieJars
from crawler.web.request import Request


def redirect(to: str | bytes, *, head: bytes = b"", status: bytes = b"302 Found") -> bytes:
    target = to if isinstance(to, bytes) else to.encode()
    return page(b"", b"Location: " + target + b"\r\n" + head, status)


# ---------------------------------------------------------------- connections


@plays("fault-001")
async def test_a_refused_connection_is_tried_a_bounded_number_of_times(tmp_path: Path) -> None:
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))  # bound and not listening: refuses
        url = f"http://127.0.0.1:{port.getsockname()[1]}/"
        ended = await crawl([url], tmp_path / "a.db")
        assert (ended.outcome(url), ended.tries(url)) == ("connect_error", 2)
        assert ended.summary.state == "finished" and ended.summary.errors == 1


@plays("fault-006")
async def test_a_black_hole_costs_the_connect_time_out_and_not_the_total(tmp_path: Path) -> None:
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen(0)
        fillers = []
        for _ in range(3):  # the backlog is full: the next SYN is dropped
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(hole.getsockname())
            fillers.append(filler)
        url = f"http://127.0.0.1:{hole.getsockname()[1]}/"
        started = time.monotonic()
        fetch = {"connect_timeout": 0.2, "total_timeout": 30.0, "retries": 0}
        ended = await crawl([url], tmp_path / "a.db", fetch=fetch)
        for filler in fillers:
            filler.close()
        assert ended.outcome(url) == "timeout"
        assert time.monotonic() - started < 15


@plays("fault-007")
async def test_a_silent_server_does_not_hold_up_the_end(tmp_path: Path) -> None:
    async with FaultServer() as server:
        url = server.at("/", lambda wire: wire.hang())
        fetch = {"read_timeout": 30.0, "total_timeout": 30.0}
        settings = merged(QUICK, {"fetch": fetch})
        async with Crawler(Visitor([url]), store=tmp_path / "a.db", settings=settings) as crawler:
            asyncio.get_running_loop().call_later(0.1, crawler.stop)
            started = time.monotonic()
            summary = await crawler.run()
        assert (summary.state, summary.queued) == ("interrupted", 1)  # it can be resumed
        assert time.monotonic() - started < 15


@plays("fault-003", "fault-012")
async def test_a_connection_that_died_while_idle_costs_no_page(tmp_path: Path) -> None:
    async def closes(wire: Wire) -> None:
        await wire.send(page(b"<p>once", b"Connection: keep-alive\r\n"))

    async def resets(wire: Wire) -> None:
        if sum(hit.connection == wire.hit.connection for hit in wire.server.hits) > 1:
            return wire.reset()
        await wire.send(page())
        wire.keep = True
        return None

    for script in (closes, resets):
        async with FaultServer() as server:
            server.at("*", script)
            urls = [server.url(f"/{number}") for number in range(30)]
            ended = await crawl(urls, tmp_path / f"{script.__name__}.db")
            assert {ended.outcome(url) for url in urls} == {"ok"}
            assert all(server.count(f"/{number}") <= 2 for number in range(30))


@plays("fault-014", "fault-022")
async def test_bytes_behind_an_answer_are_never_the_next_answer(tmp_path: Path) -> None:
    evil = page(b"<title>injected</title>")
    short = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello" + evil
    empty = b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello" + evil
    for name, answer in (("short", short), ("empty", empty)):
        async with FaultServer() as server:
            first = server.at("/first", says(answer, keep=True))
            nexts = [server.at(f"/{n}", says(page(b"<p>mine"), keep=True)) for n in range(5)]
            ended = await crawl([first, *nexts], tmp_path / f"{name}.db")
            if name == "short":
                assert ended.page(first).body == b"hello"
            else:  # the client reads what is behind a 204 as a broken answer, and closes
                assert ended.outcome(first) in ("ok", "protocol_error")
            assert {ended.page(url).body for url in nexts} == {b"<p>mine"}


# ---------------------------------------------------------------- redirects


@plays("fault-040", "fault-041")
async def test_redirects_without_end_stop_at_the_limit(tmp_path: Path) -> None:
    async def counter(wire: Wire) -> None:
        number = int(wire.hit.target.partition("=")[2] or 0)
        await wire.send(redirect(f"/r?n={number + 1}"))

    async with FaultServer() as server:
        itself = server.at("/self", redirect("/self"))
        there = server.at("/a", redirect("/b"))
        back = server.at("/b", redirect("/a"))
        server.at("*", counter)
        counted = server.url("/r?n=0")
        fetch = {"max_redirects": 4}
        ended = await crawl([itself, there, counted], tmp_path / "a.db", fetch=fetch)
        last = server.url("/r?n=4")
        assert ended.outcome(itself) == ended.outcome(back) == "too_many_redirects"
        assert ended.outcome(last) == "too_many_redirects"
        assert {ended.tries(url) for url in (itself, back, last)} == {1}
        assert server.count("/self") == server.count("/a") == server.count("/b") == 1


@plays("fault-042")
async def test_a_cookie_wall_lets_us_in_at_the_second_knock(tmp_path: Path) -> None:
    async def wall(wire: Wire) -> None:
        if "seen=1" in wire.hit.headers.get("cookie", ""):
            await wire.send(page(b"<title>In</title>"))
        else:
            await wire.send(redirect(wire.hit.target, head=b"Set-Cookie: seen=1; Path=/wall\r\n"))

    async with FaultServer() as server:
        url = server.at("/wall", wall)
        ended = await crawl([url], tmp_path / "a.db")
        assert ended.page(url).title == "In"
        assert server.count("/wall") == 2


@plays("fault-043", "fault-062")
async def test_no_redirect_leads_to_a_private_address(tmp_path: Path) -> None:
    async with FaultServer() as server, FaultServer() as inner:
        port = inner.port
        targets = [
            *(
                f"http://0x7f.0.0.2:{port}/",
                f"http://2130706434:{port}/",
                "http://169.254.169.254/",
            ),
            *(f"http://[::ffff:127.0.0.2]:{port}/", f"http://017700000002:{port}/"),
            *(f"http://[::1]:{port}/", "http://10.0.0.1/", "http://[fe80::1]/", "http://0.0.0.0/"),
        ]
        seeds = [server.at(f"/{n}", redirect(to)) for n, to in enumerate(targets)]
        ended = await crawl(seeds, tmp_path / "a.db", engine={"scope": "any"})
        assert {ended.outcome(url) for url in seeds} == {"redirect"}
        rest = [url for url in ended.rows if url not in seeds and not url.endswith("/fine")]
        assert len(rest) == len({ended.rows[url][0] for url in rest}) >= 7
        assert {ended.outcome(url) for url in rest} == {"address_refused"}
        assert {ended.tries(url) for url in rest} == {1}
        assert inner.hits == []


@plays("fault-044", "fault-043")
async def test_the_address_that_was_checked_is_the_one_connected_to(tmp_path: Path) -> None:
    """A name that resolves to loopback, here localhost, is refused where no seed names it."""
    async with FaultServer() as server, FaultServer() as inner:
        url = server.at("/", redirect(f"http://localhost:{inner.port}/"))
        ended = await crawl([url], tmp_path / "a.db", engine={"scope": "any"})
        assert ended.outcome(f"http://localhost:{inner.port}/") == "address_refused"
        assert inner.hits == []


@plays("fault-045", "fault-047")
async def test_locations_that_lead_nowhere_are_named(tmp_path: Path) -> None:
    bad = [
        *(b"file:///etc/passwd", b"data:text/html,x", b"javascript:alert(1)", b"ftp://a/"),
        *(b"gopher://a/", b"about:blank", b"http://[::1", b"", b"http://a:99999/"),
    ]
    async with FaultServer() as server:
        seeds = [server.at(f"/{n}", redirect(to)) for n, to in enumerate(bad)]
        seeds.append(server.at("/none", page(b"", status=b"302 Found")))
        ended = await crawl(seeds, tmp_path / "a.db")
        assert {ended.outcome(url) for url in seeds} == {"bad_redirect"}
        assert {ended.tries(url) for url in seeds} == {1}


@plays("fault-047", "fault-020")
async def test_odd_locations_are_resolved_as_in_a_browser(tmp_path: Path) -> None:
    async with FaultServer() as server:
        cases = {
            b"  /a b ": "/a%20b",
            b"/p\xe9ge": "/p%E9ge",
            "/p\u00e9ge2".encode(): "/p%C3%A9ge2",
            b"//127.0.0.1:%d/x" % server.port: "/x",
            b"../up": "/up",
            b"?q=1": "/5?q=1",
        }
        server.at("*", says(page()))
        seeds = [server.at(f"/{n}", redirect(to)) for n, to in enumerate(cases)]
        ended = await crawl(seeds, tmp_path / "a.db")
        for target in cases.values():
            assert ended.outcome(server.url(target)) == "ok"


@plays("fault-046")
async def test_credentials_do_not_follow_to_another_origin(tmp_path: Path) -> None:
    async with FaultServer() as server, FaultServer() as other:
        away = other.at("/away", page())
        server.at("/stay", page())
        for name, to in (("/out", away), ("/in", "/stay")):
            server.at(name, redirect(to))

        class Keyed(Visitor):
            def start(self) -> Any:
                headers = {"Authorization": "Bearer one", "X-Mine": "two", "Accept-Language": "de"}
                for name in ("/out", "/in"):
                    yield Request(server.url(name), headers=headers, cookies={"c": "1"})

        spider = Keyed([server.url("/out"), away])
        async with Crawler(spider, store=tmp_path / "a.db", settings=QUICK) as crawler:
            await crawler.run()
        [gone] = [hit.headers for hit in other.hits]
        [kept] = [hit.headers for hit in server.hits if hit.target == "/stay"]
        assert not {"authorization", "cookie", "x-mine"} & gone.keys()
        assert gone["accept-language"] == "de"
        assert kept["authorization"] == "Bearer one" and kept["cookie"] == "c=1"


@plays("fault-049")
async def test_the_target_of_a_redirect_is_judged_like_a_link(tmp_path: Path) -> None:
    async with FaultServer() as server, FaultServer() as foreign:
        server.at("/robots.txt", page(b"User-agent: *\nDisallow: /private"))
        private = server.at("/private", page())
        seeds = [
            server.at("/ok", redirect("/private")),
            server.at("/out", redirect(f"http://localhost:{foreign.port}/")),
            server.at("/known", redirect("/ok")),
        ]
        ended = await crawl(seeds, tmp_path / "a.db", politeness={"robots": True})
        assert ended.outcome(private) == "robots_denied"
        assert server.count("/private") == 0 and foreign.hits == []
        assert server.count("/ok") == 1


# ---------------------------------------------------------------- cookies


@plays("fault-037")
async def test_a_flood_of_cookies_stays_within_a_header_of_8_kb(tmp_path: Path) -> None:
    flood = b"".join(b"Set-Cookie: c%d=%s\r\n" % (n, b"x" * 80) for n in range(200))
    huge = b"Set-Cookie: huge=" + b"y" * 20_000 + b"\r\n"
    async with FaultServer() as server:
        server.at("/", says(page(b"<a href=/next>", flood + huge), keep=True))
        url = server.url("/")
        server.at("/next", says(page(), keep=True))
        await crawl([url], tmp_path / "a.db", follow=True)
        [following] = [hit for hit in server.hits if hit.target == "/next"]
        assert 1000 < len(following.headers["cookie"]) <= 8190


@plays("fault-038")
async def test_cookies_for_a_suffix_or_a_stranger_are_ignored(tmp_path: Path) -> None:
    from yarl import URL

    jar = CookieJars()[None]
    for domain in ("co.uk", ".co.uk", "uk", "other.example", "evil-shop.co.uk", "github.io"):
        jar.update_cookies_from_headers([f"a=1; Domain={domain}"], URL("https://www.shop.co.uk/"))
    jar.update_cookies_from_headers(["b=1; Domain=github.io"], URL("https://me.github.io/"))
    assert len(jar) == 0
    jar.update_cookies_from_headers(["c=1; Domain=shop.co.uk"], URL("https://www.shop.co.uk/"))
    assert len(jar) == 1


MALFORMED = [
    *("", "=", "=x", ";", "a", "a=b\x01c", "a=\x00", "a=1; Expires=never", "a=1; Max-Age=x"),
    *("a=1; Max-Age=" + "9" * 400, "a=1; Expires=" + "9" * 65_000, "a=1; Path=\\", "é=ü"),
    *('a="unclosed', "a=b=c; Secure; secure; =;;", "a=1; Domain=", "\ud800=1"),
]


@plays("fault-039", "fault-035")
async def test_malformed_cookies_never_raise_and_take_linear_time(tmp_path: Path) -> None:
    from yarl import URL

    jars = CookieJars()
    for header in MALFORMED:
        started = time.perf_counter()
        jars[None].update_cookies_from_headers([header], URL("http://a.example/"))
        jars.changes()
        assert time.perf_counter() - started < 5
    async with FaultServer() as server:
        heads = [
            h.encode("utf-8", "ignore") for h in MALFORMED if "\x00" not in h and len(h) < 9000
        ]
        seeds = [
            server.at(f"/{n}", page(b"", b"Set-Cookie: " + head + b"\r\n"))
            for n, head in enumerate(heads)
        ]
        ended = await crawl(seeds, tmp_path / "a.db")
        assert {ended.outcome(url) for url in seeds} <= {"ok", "protocol_error"}
