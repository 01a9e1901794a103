"""Faults of TLS and of what speaks another HTTP, told as stories; `plays` names their ids."""

import asyncio
import ssl
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import trustme
from fault_server import FaultServer, Wire, page, says
from fault_story import crawl, plays

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
UNTIL_CLOSED = HEAD + b"Connection: close\r\n\r\n"


class Authority:
    """A certificate authority that the crawls of a test trust."""

    def __init__(self, directory: Path) -> None:
        self._ca = trustme.CA()
        self._ca.cert_pem.write_to_path(directory / "ca.pem")
        self.tls = {"ca_file": str(directory / "ca.pem")}

    def server(self, *protocols: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert("127.0.0.1").configure_cert(context)
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context


def cut(data: bytes, last: bytes = b"") -> Any:
    """Send all, then `last` below TLS, and end the connection without close_notify."""

    async def script(wire: Wire) -> None:
        await wire.send(data)
        await asyncio.sleep(0.02)
        if last:
            wire.writer.get_extra_info("socket")._sock.send(last)
            await asyncio.sleep(0.02)
        wire.writer.transport.abort()

    return script


ALERT = b"\x15\x03\x03\x00\x02\x02\x28"  # a record of its own: fatal, handshake failure


@plays("fault-092")
async def test_a_cut_tls_connection_is_a_loss_only_where_bytes_may_be_missing(
    tmp_path: Path,
) -> None:
    """RFC 9112 section 9.8: what only the connection ends is whole only with a close_notify."""
    whole = page(b"<p>all" * 9)
    chunked = HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nall\r\n0\r\n\r\n"
    large = UNTIL_CLOSED + b"<p>all" * 30_000
    cases: dict[str, tuple[Any, str]] = {
        "length": (cut(whole), "ok"),
        "chunks": (cut(chunked), "ok"),
        "closed": (UNTIL_CLOSED + b"<p>all", "ok"),
        "large": (large, "ok"),
        "nothing": (cut(page(b"", status=b"204 No Content")), "ok"),
        "half-length": (cut(whole[:-9]), "protocol_error"),
        "half-chunks": (cut(chunked[:-5]), "protocol_error"),
        "not-closed": (cut(UNTIL_CLOSED + b"<p>half"), "protocol_error"),
        "large-cut": (cut(large), "protocol_error"),
        "alert": (cut(whole[:-9], ALERT), "protocol_error"),
        "alert-not-closed": (cut(UNTIL_CLOSED + b"<p>half", ALERT), "protocol_error"),
    }
    authority = Authority(tmp_path)
    async with FaultServer(authority.server()) as server:
        urls = {name: server.at(f"/{name}", script) for name, (script, _) in cases.items()}
        settings = {"tls": authority.tls, "politeness": {"give_up_after": 0}}
        ended = await crawl(urls.values(), tmp_path / "a.db", **settings)
        found = {name: ended.outcome(url) for name, url in urls.items()}
        assert found == {name: outcome for name, (_, outcome) in cases.items()}
        assert {ended.tries(urls[name]) for name, end in found.items() if end != "ok"} == {2}


@plays("fault-092")
async def test_a_server_that_speaks_only_tls_1_0_is_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = authority.server()
    with pytest.warns(DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")
    async with FaultServer(context) as server:
        url = server.at("/", page())
        ended = await crawl([url], tmp_path / "a.db", tls=authority.tls)
        assert ended.outcome(url) in ("tls_error", "connect_error")  # alert, or just the end
        assert server.hits == []


@plays("fault-092")
async def test_plain_http_where_tls_is_spoken_is_named(tmp_path: Path) -> None:
    """The server answers our handshake in plain text, as nginx does on the wrong port."""

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(page(b"<p>plain HTTP", status=b"400 Bad Request"))
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    ended = await crawl([url], tmp_path / "a.db")
    server.close()
    assert (ended.outcome(url), ended.tries(url)) == ("tls_error", 1)


# ---------------------------------------------------------------- HTTP/2


def frame(kind: int, payload: bytes = b"", stream: int = 0) -> bytes:
    """Give a frame of HTTP/2 (RFC 9113 section 4.1)."""
    return len(payload).to_bytes(3) + bytes([kind, 0]) + stream.to_bytes(4) + payload


SETTINGS = frame(4)
GOAWAY = frame(7, bytes(4) + (13).to_bytes(4))  # HTTP_1_1_REQUIRED
RESET = frame(3, (7).to_bytes(4), stream=1)  # REFUSED_STREAM
FLOOD = b"".join(frame(9, b"x" * 1000, stream=1) for _ in range(1000))  # CONTINUATION


async def stalls(wire: Wire) -> None:
    await wire.send(SETTINGS)
    await wire.hang()


HTTP_2: dict[str, tuple[Any, str, int]] = {
    "goaway": (SETTINGS + GOAWAY, "protocol_error", 2),
    "refused": (SETTINGS + RESET, "protocol_error", 2),
    "flood": (SETTINGS + FLOOD, "protocol_error", 2),
    "stall": (stalls, "protocol_error", 2),
    # Chromium's ParseStatusLine takes a version that is none it knows as HTTP/1.x.
    "status": (b"HTTP/2 200 OK\r\nContent-Length: 2\r\n\r\nhi", "ok", 1),
    "426": (page(b"", b"Upgrade: h2c\r\n", b"426 Upgrade Required"), "http_error", 1),
    "505": (page(b"", b"", b"505 HTTP Version Not Supported"), "server_error", 1),
    "101": (
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
        + SETTINGS,
        "protocol_error",
        2,
    ),
    "offered": (page(b"<p>one", b"Connection: Upgrade\r\nUpgrade: h2,h2c\r\n"), "ok", 1),
}


def noting(answer: Any, spoken: set[Any]) -> Any:
    """Note what was agreed on to be spoken (RFC 7301), and answer."""

    async def script(wire: Wire) -> None:
        channel = wire.writer.get_extra_info("ssl_object")
        spoken.add(channel and channel.selected_alpn_protocol())
        await answer(wire)

    return script


@plays("fault-106")
async def test_a_server_that_speaks_http_2_is_named_and_bounded(tmp_path: Path) -> None:
    """We never offer it; that a server does is no fault."""
    authority = Authority(tmp_path)
    for context in (None, authority.server("h2"), authority.server("h2", "http/1.1")):
        async with FaultServer(context) as server:
            spoken: set[Any] = set()
            urls = {}
            for name, (script, _, _) in HTTP_2.items():
                answer = says(script, keep=True) if isinstance(script, bytes) else script
                urls[name] = server.at(f"/{name}", noting(answer, spoken))
            store = tmp_path / f"{server.port}.db"
            settings = {"tls": authority.tls, "politeness": {"give_up_after": 0}}
            ended = await crawl(urls.values(), store, **settings)
            found = {name: (ended.outcome(url), ended.tries(url)) for name, url in urls.items()}
            assert found == {name: (end, tries) for name, (_, end, tries) in HTTP_2.items()}
            assert "h2" not in spoken


@plays("fault-016")
async def test_chunks_win_over_a_length_and_leave_nothing_behind(tmp_path: Path) -> None:
    """RFC 9112 sections 6.1 and 6.3; whatever is behind them is never another's answer."""
    evil = page(b"<title>smuggled</title>")
    chunks = b"Transfer-Encoding: chunked\r\n"
    ends = b"\r\n5\r\nhello\r\n0\r\n\r\n"
    heads = (b"Content-Length: 3\r\n" + chunks, chunks + b"Content-Length: 100\r\n")
    async with FaultServer() as server:
        both = [
            server.at(f"/{number}", says(HEAD + head + ends + behind, keep=True))
            for number, (head, behind) in enumerate(product(heads, (b"", evil)))
        ]
        fine = [server.at(f"/fine{number}", says(page(b"<p>mine"), keep=True)) for number in "123"]
        ended = await crawl([*both, *fine], tmp_path / "a.db")
        assert {(ended.outcome(url), ended.tries(url)) for url in both} == {("ok", 1)}
        assert {ended.page(url).body for url in both} == {b"hello"}
        assert {ended.page(url).body for url in fine} == {b"<p>mine"}
        assert ended.summary.refused["length_beside_chunks"] == 4
        assert ended.summary.refused["body_unexpected"] == 2
        used = [hit.connection for hit in server.hits]
        for hit in server.hits:
            if hit.target in {"/0", "/1", "/2", "/3"}:  # the last answer on its connection
                assert hit.connection not in used[server.hits.index(hit) + 1 :]
