"""Faults of transport, framing and resources: each row is a fault, its script and its outcome.

The ids are those of the list in docs/faults.md.
"""

import asyncio
import gzip
import zlib
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import brotli
import pytest
from backports import zstd
from fault_server import FaultServer, Wire, page
from fault_story import Ended, crawl

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
LINK = b"<title>Half</title><a href=/half>half</a>"


class Case(NamedTuple):
    id: str
    what: str
    script: Any
    outcome: str
    body: bytes | None = None  # what the page must hold where there is one
    tries: int | None = None


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def coded(coding: bytes, body: bytes) -> bytes:
    return page(body, b"Content-Encoding: " + coding + b"\r\n")


def repeats(start: bytes, again: Callable[[int], bytes], *, wait: float = 0.0) -> Any:
    """Send `start`, then the same over and over until the client has enough."""

    async def script(wire: Wire) -> None:
        await wire.send(start)
        number = 0
        while not wire.server.stopping.is_set():
            await wire.send(again(number))
            await asyncio.sleep(wait)
            number += 1

    return script


async def reset_at_once(wire: Wire) -> None:
    wire.reset()


async def reset_in_head(wire: Wire) -> None:
    await wire.send(HEAD)
    await asyncio.sleep(0.01)
    wire.reset()


async def reset_in_body(wire: Wire) -> None:
    await wire.send(HEAD + b"Content-Length: 100000\r\n\r\n" + LINK)
    await asyncio.sleep(0.01)
    wire.reset()


async def reset_in_endless_body(wire: Wire) -> None:
    await wire.send(HEAD + b"\r\n" + LINK)  # which has no end but the connection's
    await asyncio.sleep(0.01)
    wire.reset()


async def drip_head(wire: Wire) -> None:
    await wire.drip(HEAD * 100, 0.05)


async def silence(wire: Wire) -> None:
    await wire.hang()


CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
LENGTH = b"Content-Length: %s\r\n"
HELLO = b"<title>Hello</title>"

CASES = [
    # transport
    Case("fault-002", "reset in the body", reset_in_body, "protocol_error", tries=2),
    Case(
        "fault-002",
        "reset in a body without a length",
        reset_in_endless_body,
        "protocol_error",
        tries=2,
    ),
    Case("fault-002", "reset before the head", reset_at_once, "connect_error", tries=2),
    Case("fault-002", "reset in the head", reset_in_head, "connect_error", tries=2),
    Case("fault-004", "headers a byte at a time", drip_head, "timeout", tries=2),
    Case(
        "fault-005",
        "a body a byte at a time",
        repeats(CHUNKED, lambda n: chunk(b"x"), wait=0.05),
        "timeout",
        tries=2,
    ),
    Case("fault-007", "no answer", silence, "timeout", tries=2),
    Case(
        "fault-008",
        "HTTP/1.0 without a length",
        b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n" + HELLO,
        "ok",
        HELLO,
    ),
    Case(
        "fault-009",
        "HTML without a status line",
        b"<html><p>0.9</p></html>\r\n\r\n",
        "protocol_error",
        tries=2,
    ),
    Case("fault-010", "an SSH banner", b"SSH-2.0-OpenSSH_9.6\r\n", "protocol_error", tries=2),
    Case("fault-010", "an SMTP greeting", b"220 mail.example ready\r\n", "protocol_error", tries=2),
    Case(
        "fault-011",
        "a thousand early hints",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 1000 + page(HELLO),
        "ok",
        HELLO,
    ),
    # framing
    Case(
        "fault-013",
        "less body than announced",
        HEAD + LENGTH % b"1000" + b"\r\n" + LINK,
        "protocol_error",
        tries=2,
    ),
    Case(
        "fault-015",
        "two different lengths",
        HEAD + LENGTH % b"5" + LENGTH % b"9" + b"\r\nhello",
        "protocol_error",
        tries=2,
    ),
    Case(
        "fault-015",
        "a negative length",
        HEAD + LENGTH % b"-5" + b"\r\nhello",
        "protocol_error",
        tries=2,
    ),
    Case(
        "fault-015",
        "a length in words",
        HEAD + LENGTH % b"five" + b"\r\nhello",
        "protocol_error",
        tries=2,
    ),
    Case(
        "fault-015",
        "a length without end",
        HEAD + LENGTH % (b"9" * 400) + b"\r\nhello",
        "protocol_error",
        tries=2,
    ),
    Case(
        "fault-017",
        "chunks without end",
        repeats(CHUNKED, lambda n: chunk(b"x" * 8192)),
        "too_large",
        tries=1,
    ),
    Case(
        "fault-018",
        "a chunk size that is none",
        CHUNKED + b"ZZ\r\nhello\r\n0\r\n\r\n",
        "protocol_error",
        tries=2,
    ),
    Case(
        "fault-018",
        "a chunk extension of a megabyte",
        CHUNKED + b"5;ext=" + b"A" * 1_000_000 + b"\r\nhello\r\n0\r\n\r\n",
        "ok",
        b"hello",
    ),
    Case("fault-018", "no last chunk", CHUNKED + chunk(LINK), "protocol_error", tries=2),
    Case(
        "fault-018",
        "no line end behind a chunk",
        CHUNKED + b"5\r\nhello0\r\n\r\n",
        "protocol_error",
        tries=2,
    ),
    Case(
        "fault-019",
        "a header of a megabyte",
        HEAD + b"X-Junk: " + b"A" * 1_048_576 + b"\r\n\r\n",
        "protocol_error",
        tries=2,
    ),
    Case(
        "fault-019",
        "ten thousand headers",
        HEAD + b"".join(b"X-%d: v\r\n" % n for n in range(10_000)) + b"\r\n",
        "protocol_error",
        tries=2,
    ),
    Case(
        "fault-020",
        "NUL in a header",
        HEAD + b"X-A: a\0b\r\n" + LENGTH % b"0" + b"\r\n",
        "protocol_error",
        tries=2,
    ),
    Case(
        "fault-020",
        "a bare CR in a header",
        HEAD + b"X-A: a\rb\r\n" + LENGTH % b"0" + b"\r\n",
        "protocol_error",
        tries=2,
    ),
    Case(
        "fault-020",
        "a folded header",
        HEAD + b"X-A: a\r\n b\r\n" + LENGTH % b"5" + b"\r\nhello",
        "ok",
        b"hello",
    ),
    Case(
        "fault-020",
        "a header that is no text",
        HEAD + b"X-A: \xff\xfe\xe9\r\n" + LENGTH % b"5" + b"\r\nhello",
        "ok",
        b"hello",
    ),
    Case(
        "fault-021", "status 999", page(b"no", status=b"999 Request denied"), "http_error", tries=1
    ),
    Case("fault-021", "status 600", page(b"no", status=b"600 What"), "http_error", tries=1),
    Case("fault-021", "status 99", page(b"no", status=b"99 What"), "protocol_error", tries=2),
    Case("fault-021", "status 0", page(b"no", status=b"000 What"), "http_error", tries=1),
    Case("fault-021", "status 1000", page(b"no", status=b"1000 What"), "protocol_error", tries=2),
    # resources
    Case(
        "fault-023",
        "5 GB, announced",
        repeats(HEAD + LENGTH % b"5368709120" + b"\r\n", lambda n: b"x" * 8192),
        "too_large",
        tries=1,
    ),
    Case(
        "fault-024",
        "no end and no length",
        repeats(HEAD + b"\r\n", lambda n: b"x" * 8192),
        "too_large",
        tries=1,
    ),
    Case(
        "fault-025",
        "a gzip bomb",
        coded(b"gzip", gzip.compress(bytes(20_000_000))),
        "too_large",
        tries=1,
    ),
    Case(
        "fault-025",
        "a gzip bomb in gzip",
        coded(b"gzip, gzip", gzip.compress(gzip.compress(bytes(20_000_000)))),
        "too_large",
        tries=1,
    ),
    Case(
        "fault-026",
        "a brotli bomb",
        coded(b"br", brotli.compress(bytes(20_000_000))),
        "too_large",
        tries=1,
    ),
    Case(
        "fault-026",
        "a zstd bomb",
        coded(b"zstd", zstd.compress(bytes(20_000_000))),
        "too_large",
        tries=1,
    ),
    Case(
        "fault-026",
        "a deflate bomb",
        coded(b"deflate", zlib.compress(bytes(20_000_000))),
        "too_large",
        tries=1,
    ),
    Case(
        "fault-027",
        "fifty codings",
        coded(b", ".join([b"gzip"] * 50), gzip.compress(HELLO)),
        "bad_coding",
        tries=1,
    ),
    Case(
        "fault-028",
        "half a gzip",
        coded(b"gzip", gzip.compress(LINK * 50)[:60]),
        "bad_coding",
        tries=1,
    ),
    Case(
        "fault-028",
        "gzip without its trailer",
        coded(b"gzip", gzip.compress(LINK)[:-8]),
        "bad_coding",
        tries=1,
    ),
    Case(
        "fault-028",
        "a gzip with a wrong byte",
        coded(b"gzip", gzip.compress(LINK)[:-12] + b"\0" * 12),
        "bad_coding",
        tries=1,
    ),
    Case("fault-028", "plain text called gzip", coded(b"gzip", HELLO), "bad_coding", tries=1),
    Case("fault-028", "a coding nobody knows", coded(b"compress", HELLO), "bad_coding", tries=1),
    Case("fault-028", "raw deflate", coded(b"deflate", zlib.compress(HELLO)[2:-4]), "ok", HELLO),
    Case("fault-028", "zlib deflate", coded(b"deflate", zlib.compress(HELLO)), "ok", HELLO),
    Case("fault-028", "no body at all, called gzip", coded(b"gzip", b""), "ok", b""),
    Case(
        "fault-030",
        "an archive of zeros",
        HEAD.replace(b"text/html", b"application/zip")
        + LENGTH % b"42"
        + b"\r\nPK\x03\x04"
        + bytes(38),
        "ok",
        b"PK\x03\x04" + bytes(38),
    ),
    # content
    Case(
        "fault-069",
        "a PDF called HTML",
        page(b"%PDF-1.7\n<a href=/x>"),
        "ok",
        b"%PDF-1.7\n<a href=/x>",
    ),
    Case(
        "fault-069",
        "a charset that is none",
        page(HELLO).replace(b"text/html", b"text/html;charset=;;\xff"),
        "ok",
        HELLO,
    ),
    Case("fault-070", "nothing", page(b""), "ok", b""),
    Case("fault-070", "white space", page(b" \n "), "ok", b" \n "),
    Case("fault-070", "a comment", page(b"<!-- -->"), "ok", b"<!-- -->"),
    Case("fault-070", "a byte order mark", page(b"\xef\xbb\xbf"), "ok", b"\xef\xbb\xbf"),
]
FAULTS = [case.id for case in CASES]


NAMES = {f"{case.id}-{case.what.replace(' ', '-')}": case for case in CASES}
BESIDE = 4  # so many at a time: a busy machine must not make a time-out of what is slow


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ended, dict[str, str]]:
    """One crawl of every fault, each on a host of its own, and the URL of each."""

    async def story() -> tuple[Ended, dict[str, str]]:
        async with AsyncExitStack() as stack:
            urls = {}
            for name, case in NAMES.items():
                server = await stack.enter_async_context(FaultServer())
                urls[name] = server.at("/fault", case.script)
            store = tmp_path_factory.mktemp("wire") / "a.db"
            workers = {"workers": BESIDE}
            return await crawl(urls.values(), store, most=60, engine=workers), urls

    return asyncio.run(story())


@pytest.mark.parametrize("name", NAMES)
def test_ends_in_its_outcome_while_the_crawl_goes_on(
    crawled: tuple[Ended, dict[str, str]], name: str
) -> None:
    ended, urls = crawled
    case, url = NAMES[name], urls[name]
    assert ended.outcome(url) == case.outcome, ended.error(url)
    if case.tries is not None:
        assert ended.tries(url) == case.tries
    if case.body is None:
        assert not [page for page in ended.spider.seen if page.url == url]
    else:
        assert ended.page(url).body == case.body
