"""Downloads that could go wrong in silence: pieces of two versions, two at once, codings of a file.

Whatever a server does, a download gives one whole version of a file, or an error.
"""

import asyncio
import gzip
import hashlib
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, ClassVar

import brotli
import pytest
from aiohttp import web
from client_story import Naps, Served

from crawler import Crawler, Download, Spider
from crawler.clients import Retries, download
from crawler.clients.partial_file import PartialFile
from crawler.errors import BadCoding, FetchError, StoreClaimed, StoreRefused
from crawler.http.content_encoding import transfer_codings

OLD, NEW = b"A" * 1000, b"B" * 1000
DATES = "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\nDate: Mon, 01 Jan 2024 00:00:09 GMT\r\n"


def answer(status: str, head: str, body: bytes, *, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n{head}\r\n".encode() + body


def listed(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


@asynccontextmanager
async def server(reply: Callable[[dict[str, str], int], bytes]) -> Any:
    """Serve raw answers, each on a connection of its own; `reply` gets the headers and a number."""
    asked: list[dict[str, str]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:]
        asked.append(dict(line.split(": ", 1) for line in head if line))
        writer.write(reply(asked[-1], len(asked)))
        writer.close()

    site = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with site:
        yield f"http://127.0.0.1:{site.sockets[0].getsockname()[1]}", asked


def resumed(begun: str, piece: bytes, tmp_path: Path, *, retries: int = 3) -> tuple[bytes, Any]:
    """Download what begins as `begun`, breaks at 400 bytes, and then is answered by `piece`."""

    def reply(headers: dict[str, str], number: int) -> bytes:
        if number == 1:
            return answer("200 OK", begun, OLD[:400], length=1000)
        if "Range" in headers:
            return piece
        return answer("200 OK", 'ETag: "new"\r\n', NEW)

    async def story() -> tuple[bytes, Any]:
        async with server(reply) as (url, asked):
            found = await download(url, tmp_path / "f", retries=Retries(retries, sleep=Naps()))
            data = found.path.read_bytes()
            assert hashlib.sha256(data).hexdigest() == found.sha256
            assert listed(tmp_path) == ["f"]
            return data, asked

    return asyncio.run(story())


def piece(head: str, body: bytes = NEW[400:], place: str = "bytes 400-999/1000") -> bytes:
    return answer("206 Partial Content", f"Content-Range: {place}\r\n{head}", body)


TAG = 'ETag: "old"\r\n'
OTHERS = {
    "another tag": (TAG, piece('ETag: "new"\r\n')),
    "another tag, longer": (TAG, piece('ETag: "new"\r\n', b"B" * 800, "bytes 400-1199/1200")),
    "the tag, longer": (TAG, piece(TAG, b"B" * 800, "bytes 400-1199/1200")),
    "the tag, weak": (TAG, piece('ETag: W/"old"\r\n')),
    "no tag": (TAG, piece("")),
    "the tag, another date": (TAG + DATES, piece(TAG + DATES.replace("00:00:00", "00:00:01"))),
    "another date": (DATES, piece(DATES.replace("01 Jan", "02 Jan"))),
    "no date": (DATES, piece("")),
    "the date, but a tag": (DATES, piece(DATES + TAG)),
    "another start": (TAG, piece(TAG, NEW[300:], "bytes 300-999/1000")),
    "the beginning": (TAG, piece(TAG, NEW, "bytes 0-999/1000")),
    "another unit": (TAG, piece(TAG, place="lines 400-999/1000")),
    "backwards": (TAG, piece(TAG, place="bytes 999-400/1000")),
    "beyond the whole": (TAG, piece(TAG, place="bytes 400-999/500")),
    "fewer bytes than it says": (TAG, piece(TAG, NEW[500:])),
    "more bytes than it says": (TAG, piece(TAG, b"B" * 700)),
    "no place": (TAG, answer("206 Partial Content", TAG, NEW[400:])),
    "coded": (TAG, piece(TAG + "Content-Encoding: gzip\r\n", gzip.compress(NEW[400:], mtime=0))),
    "several": (TAG, piece(TAG + "Content-Type: multipart/byteranges; boundary=x\r\n")),
    "beyond, another length": (TAG, answer("416 No", "Content-Range: bytes */400\r\n", b"no")),
    "beyond, another tag": (
        TAG,
        answer("416 No", 'Content-Range: bytes */1000\r\nETag: "new"\r\n', b"no"),
    ),
    "the whole": (TAG, answer("200 OK", 'ETag: "new"\r\n', NEW)),
}


@pytest.mark.parametrize("name", OTHERS)
def test_pieces_of_two_versions_are_never_put_together(name: str, tmp_path: Path) -> None:
    begun, other = OTHERS[name]
    data, _ = resumed(begun, other, tmp_path)
    assert data == NEW


def test_the_rest_of_the_same_version_is_put_to_what_is_there(tmp_path: Path) -> None:
    for number, (begun, head) in enumerate([(TAG, TAG), (DATES, DATES), (TAG + DATES, TAG)]):
        place = tmp_path / str(number)
        place.mkdir()
        data, asked = resumed(begun, piece(head, OLD[400:]), place)
        assert data == OLD and asked[1]["Range"] == "bytes=400-"
        assert asked[1]["If-Range"] == ('"old"' if "ETag" in begun else DATES[15:44])


def test_a_rest_in_several_answers_is_one_file(tmp_path: Path) -> None:
    def reply(headers: dict[str, str], number: int) -> bytes:
        if "Range" not in headers:
            return answer("200 OK", TAG, OLD[:400], length=1000)
        start = int(headers["Range"][6:-1])
        end = min(start + 250, 1000)
        return piece(TAG, OLD[start:end], f"bytes {start}-{end - 1}/*")

    async def story() -> None:
        async with server(reply) as (url, asked):
            found = await download(url, tmp_path / "f", retries=Retries(1, sleep=Naps()))
            assert found.path.read_bytes() == OLD and len(asked) == 4

    asyncio.run(story())


def test_the_end_of_a_file_of_unknown_length_is_told_by_its_own_tag_alone(tmp_path: Path) -> None:
    chunk = f"{400:x}\r\n".encode()
    begun = b'HTTP/1.1 200 OK\r\nETag: "old"\r\nTransfer-Encoding: chunked\r\n\r\n' + chunk

    async def story(tag: str) -> bytes:
        def reply(headers: dict[str, str], number: int) -> bytes:
            if number == 1:
                return begun + OLD[:400] + b"\r\n"  # the last chunk is missing
            if "Range" in headers:
                return answer("416 No", f"Content-Range: bytes */400\r\n{tag}", b"")
            return answer("200 OK", 'ETag: "new"\r\n', NEW)

        async with server(reply) as (url, _):
            found = await download(url, tmp_path / "f", retries=Retries(2, sleep=Naps()))
            return found.path.read_bytes()

    assert asyncio.run(story("")) == NEW
    assert asyncio.run(story(TAG)) == OLD[:400]


@pytest.mark.parametrize(
    "begun",
    [
        "",
        'ETag: W/"old"\r\n' + DATES,
        "ETag: old\r\n",
        DATES.replace("00:00:09", "00:00:00"),  # changed within the second of the answer
        DATES.partition("Date")[0],
    ],
)
def test_without_a_strong_validator_the_whole_is_asked_for(begun: str, tmp_path: Path) -> None:
    data, asked = resumed(begun, b"", tmp_path)
    assert data == NEW and "Range" not in asked[1] and "If-Range" not in asked[1]


def test_a_part_that_is_whole_keeps_the_headers_of_its_own_answer(tmp_path: Path) -> None:
    """The answer to a range beyond the end is of no file: neither its type nor its name counts."""

    def reply(headers: dict[str, str], number: int) -> bytes:
        if number == 1:
            head = TAG + "Content-Type: text/csv\r\nContent-Disposition: inline; filename=t.csv\r\n"
            return answer("200 OK", head, OLD[:400], length=1000)
        head = "Content-Range: bytes */1000\r\nContent-Type: text/html\r\n"
        return answer("416 Range Not Satisfiable", head, b"<title>")

    async def story() -> None:
        async with server(reply) as (url, _):
            with pytest.raises(FetchError):
                await download(url, f"{tmp_path}/", retries=0)
            [part] = [name for name in listed(tmp_path) if name.endswith(".part")]
            (tmp_path / part).write_bytes(OLD)
            found = await download(url, f"{tmp_path}/", retries=0)
        assert (found.path.name, found.content_type, found.size) == ("t.csv", "text/csv", 1000)

    asyncio.run(story())


def test_a_crawl_stores_one_version_of_a_file_that_changes_meanwhile(tmp_path: Path) -> None:
    def reply(headers: dict[str, str], number: int) -> bytes:
        if "Range" in headers:
            return piece('ETag: "new"\r\n')
        cut = number == 1
        return answer("200 OK", TAG, OLD[:400] if cut else NEW, length=1000)

    class One(Spider):
        name = "one"
        settings: ClassVar[Any] = {
            "politeness": {"delay": 0, "robots": False},
            "fetch": {"retry_delay": 0.0, "retries": 3},
        }
        url = ""

        def start(self) -> Any:
            yield Download(self.url)

    async def story() -> None:
        async with server(reply) as (url, _):
            One.url = url
            async with Crawler(One, store=tmp_path / "a.db") as crawler:
                await crawler.run()

    asyncio.run(story())
    with closing(sqlite3.connect(tmp_path / "a.db")) as db:
        assert db.execute("SELECT sha256 FROM files").fetchall() == [
            (hashlib.sha256(NEW).hexdigest(),)
        ]


# ---------------------------------------------------------------- two at once


def slow(data: bytes, go: asyncio.Event) -> Any:
    """Serve `data`, its second half once `go` is set."""

    async def serve(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"ETag": '"1"'})
        response.content_length = len(data)
        await response.prepare(request)
        await response.write(data[: len(data) // 2])
        await go.wait()
        await response.write(data[len(data) // 2 :])
        return response

    return serve


def test_of_two_downloads_of_one_file_one_is_whole_and_the_other_an_error(tmp_path: Path) -> None:
    data = bytes(range(256)) * 2000

    async def story() -> None:
        go, begun = asyncio.Event(), asyncio.Event()
        async with Served({"/f": slow(data, go), "/g": slow(data[::-1], go)}) as url:
            target = tmp_path / "f"
            first = asyncio.create_task(
                download(f"{url}/f", target, retries=0, progress=lambda *_: begun.set())
            )
            await begun.wait()
            for other in ("f", "g"):
                with pytest.raises(StoreClaimed, match="another download is writing it"):
                    await download(f"{url}/{other}", target, retries=0)
            command = [sys.executable, "-m", "crawler", "download", f"{url}/f", "-o", str(target)]
            shown = await asyncio.to_thread(
                subprocess.run, command, capture_output=True, text=True, timeout=60, check=False
            )
            assert shown.returncode == 1 and "another download is writing it" in shown.stderr
            go.set()
            found = await first
            assert found.path.read_bytes() == data
            again = await download(f"{url}/g", target, retries=0)
            assert again.path.read_bytes() == data[::-1] and again.resumed == 0
        assert listed(tmp_path) == ["f"]

    asyncio.run(story())


def test_twenty_files_of_one_name_get_names_of_their_own(tmp_path: Path) -> None:
    async def serve(request: web.Request) -> web.Response:
        return web.Response(body=request.path.encode() * 10)

    async def story() -> None:
        async with Served({f"/{n}/data.bin": serve for n in range(20)}) as url:
            found = await asyncio.gather(
                *(download(f"{url}/{n}/data.bin", f"{tmp_path}/", retries=0) for n in range(20))
            )
        for number, one in enumerate(found):
            assert one.path.read_bytes() == f"/{number}/data.bin".encode() * 10
        names = {"data.bin", *(f"data-{n}.bin" for n in range(1, 20))}
        assert set(listed(tmp_path)) == names

    asyncio.run(story())


def test_a_whole_file_whose_name_is_taken_by_a_directory_needs_only_another_name(
    tmp_path: Path,
) -> None:
    def reply(headers: dict[str, str], number: int) -> bytes:
        if "Range" in headers:
            return answer("416 No", "Content-Range: bytes */1000\r\n", b"")
        return answer("200 OK", TAG, OLD)

    class InTheWay:
        def __call__(self, done: int, total: int | None) -> None:
            (tmp_path / "f").mkdir(exist_ok=True)

    async def story() -> None:
        async with server(reply) as (url, asked):
            with pytest.raises(StoreRefused):
                await download(url, tmp_path / "f", retries=0, progress=InTheWay())
            (tmp_path / "f").rmdir()
            found = await download(url, tmp_path / "f", retries=0)
            assert found.path.read_bytes() == OLD and found.resumed == 1000 and len(asked) == 2

    asyncio.run(story())


def test_a_download_killed_while_it_takes_its_name_leaves_that_file_whole(tmp_path: Path) -> None:
    """The file has two names for a moment; the next download must not write into it."""
    part = PartialFile(tmp_path / "f.part", "http://a.example/")
    with part:
        part.write(b"whole")
    (tmp_path / "f").hardlink_to(part.path)
    with PartialFile(part.path, part.url) as again:
        assert again.size == 0
        again.write(b"other")
    assert (tmp_path / "f").read_bytes() == b"whole"


# ---------------------------------------------------------------- codings

TAR = gzip.compress(b"a tar" * 100, mtime=0)
HTML = b"<title>Hi</title>" * 20
SAVED = [
    ("/a.tar.gz", "gzip", "", TAR, TAR),
    ("/a.tar.gz", "x-gzip", "", TAR, TAR),
    ("/A.TGZ?x=1", "gzip", "", TAR, TAR),
    ("/a.svgz", "gzip", "Content-Type: image/svg+xml\r\n", TAR, TAR),
    ("/get?id=1", "gzip", "Content-Type: application/gzip\r\n", TAR, TAR),
    ("/get", "gzip", "Content-Type: application/x-gzip; x=y\r\n", TAR, TAR),
    ("/get", "gzip", "Content-Disposition: attachment; filename=a.gz\r\n", TAR, TAR),
    ("/a.tar.gz", "gzip, br", "", brotli.compress(TAR), TAR),
    ("/a.tar.gz", "br", "", brotli.compress(TAR), TAR),
    ("/a.br", "br", "", brotli.compress(HTML), brotli.compress(HTML)),
    ("/a.html", "gzip", "", gzip.compress(HTML, mtime=0), HTML),
    ("/a.gz.html", "gzip", "", gzip.compress(HTML, mtime=0), HTML),
    (
        "/a.gz",
        "gzip",
        "Content-Disposition: x; filename=a.csv\r\n",
        gzip.compress(HTML, mtime=0),
        HTML,
    ),
    ("/a.bin", "aws-chunked", "", HTML, HTML),
    ("/a.bin", "utf-8", "", HTML, HTML),
    ("/a.bin", "aws-chunked,gzip", "", gzip.compress(HTML, mtime=0), HTML),
]


@pytest.mark.parametrize(("path", "coding", "head", "body", "saved"), SAVED)
def test_a_coding_that_is_part_of_the_file_stays_and_others_are_undone(
    path: str, coding: str, head: str, body: bytes, saved: bytes, tmp_path: Path
) -> None:
    async def story() -> None:
        head_ = f"Content-Encoding: {coding}\r\n{head}"
        async with server(lambda headers, number: answer("200 OK", head_, body)) as (url, _):
            found = await download(url + path, tmp_path / "f", retries=0)
            assert found.path.read_bytes() == saved and found.size == len(saved)

    asyncio.run(story())


def test_a_file_that_keeps_its_coding_is_taken_up_again(tmp_path: Path) -> None:
    head = TAG + "Content-Encoding: gzip\r\n"

    def reply(headers: dict[str, str], number: int) -> bytes:
        if number == 1:
            return answer("200 OK", head, TAR[:20], length=len(TAR))
        return piece(head, TAR[20:], f"bytes 20-{len(TAR) - 1}/{len(TAR)}")

    async def story() -> None:
        async with server(reply) as (url, asked):
            found = await download(f"{url}/a.tar.gz", tmp_path / "f", retries=1)
            assert found.path.read_bytes() == TAR and asked[1]["Range"] == "bytes=20-"

    asyncio.run(story())


def test_a_file_whose_coding_cannot_be_undone_is_an_error_and_no_file(tmp_path: Path) -> None:
    async def story() -> None:
        head = "Content-Encoding: compress\r\n"
        async with server(lambda headers, number: answer("200 OK", head, b"\x1f\x9d")) as (url, _):
            with pytest.raises(BadCoding):
                await download(f"{url}/f", tmp_path / "f", retries=0)
        assert listed(tmp_path) == []

    asyncio.run(story())


def test_no_more_than_the_first_coding_can_be_the_files_own() -> None:
    assert transfer_codings(["gzip", "gzip"], "text/plain", "a.gz") == ["gzip"]
    assert transfer_codings([], "application/gzip", "a.gz") == []
