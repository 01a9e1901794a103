"""Every file complete and right, or an error: kills, a server that changes, many on one name.

`make kill-test` plays 100 kills and 50 changes; here are a few.
"""

import asyncio
import hashlib
import os
import random
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from client_story import Naps, run_killed, until

from crawler.clients import Retries, download
from crawler.errors import CrawlerError, StoreClaimed

KILLS = int(os.environ.get("KILLS", "2"))
CHANGES = int(os.environ.get("CHANGES", "10"))
AT_ONCE = 40
SIZE = 600_000
PIECE = 20_000

SCRIPT = """
import asyncio, sys
from crawler.clients import Retries, download
asyncio.run(download(sys.argv[1], sys.argv[2], retries=Retries(100, first=0.001)))
"""


def version(number: int) -> bytes:
    """The file as it is then: nothing of it stands at the same place in another version."""
    return random.Random(number).randbytes(SIZE + 1000 * (number % 7))


def names(directory: Path) -> list[str]:
    return [one.name for one in directory.iterdir()]


class Changing:
    """Serves one file in pieces; by turns it breaks off, and is another version from then on.

    Each version is told by what a server of its kind has: a strong ETag, a date, nothing; one in
    four ignores Range, and one in four ignores If-Range and gives a piece of another version.
    """

    def __init__(self, changes: int = 0) -> None:
        self.number, self._changes = 0, changes
        self._dice = random.Random(7)
        self.sent = 0  # bytes of the connection that is served
        self.asked = list[str]()

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/file.bin"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = (await reader.readuntil(b"\r\n\r\n")).decode()
            await self._answer(request, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # it was killed
        finally:
            writer.close()

    async def _answer(self, request: str, writer: asyncio.StreamWriter) -> None:
        data, kind = version(self.number), self.number % 4
        tag = f'ETag: "{self.number}"\r\n' if kind != 1 else ""
        date = f"Last-Modified: Mon, 01 Jan 2024 00:{self.number % 60:02}:00 GMT\r\n"
        valid = tag or date
        asked = re.search(r"(?i)\r\nrange: bytes=(\d+)-\r\n", request)
        if_range = re.search(r"(?i)\r\nif-range: ([^\r]*)\r\n", request)
        self.asked.append(asked[1] if asked else "")
        meant = if_range is None or if_range[1] in valid
        start = int(asked[1]) if asked and kind != 2 and (meant or kind == 3) else 0
        start = start if start < len(data) else 0
        status = "206 Partial Content" if start else "200 OK"
        place = f"Content-Range: bytes {start}-{len(data) - 1}/{len(data)}\r\n" if start else ""
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(data) - start}\r\n{place}{valid}"
        writer.write(f"{head}Date: Mon, 01 Jan 2024 09:00:00 GMT\r\n\r\n".encode())
        broken = start + self._dice.randrange(1, len(data) - start)
        ends = broken if self._changes else len(data)
        self.sent = 0
        for at in range(start, ends, PIECE):
            writer.write(data[at : min(at + PIECE, ends)])
            await writer.drain()
            self.sent += PIECE
            await asyncio.sleep(0)
        if self._changes:
            self._changes -= 1
            self.number += 1


def test_after_kills_and_changes_the_file_is_one_whole_version(tmp_path: Path) -> None:
    """Each process is killed somewhere in the body; the server changes between some of them."""

    async def story() -> None:
        site, dice = Changing(), random.Random(3)
        script, killed, rounds = tmp_path / "script.py", 0, 0
        script.write_text(SCRIPT, encoding="utf-8")

        async def within() -> None:
            site.sent = 0
            most = dice.randrange(PIECE, SIZE // 4)
            await until(lambda: site.sent >= most)
            if dice.random() < 0.25:
                site.number += 1

        async with site.served() as url:
            while killed < KILLS:  # a file that is resumed is whole before it was killed that often
                path = tmp_path / str(rounds) / "file.bin"
                path.parent.mkdir()
                now = await run_killed(script, url, str(path), kills=KILLS - killed, when=within)
                killed, rounds = killed + now, rounds + 1
                assert path.read_bytes() == version(site.number)
                assert [one.name for one in path.parent.iterdir()] == ["file.bin"]

    asyncio.run(story())


def test_a_server_that_changes_in_the_middle_gives_its_last_version_whole(tmp_path: Path) -> None:
    async def story() -> None:
        site = Changing(CHANGES)
        async with site.served() as url:
            retries = Retries(4 * CHANGES, first=0.0, sleep=Naps())
            found = await download(url, tmp_path / "file.bin", retries=retries)
        data = found.path.read_bytes()
        assert site.number == CHANGES
        assert data == version(CHANGES)
        assert found.sha256 == hashlib.sha256(data).hexdigest()
        assert any(site.asked)  # some was asked for from where it ended
        assert names(tmp_path) == ["file.bin"]

    asyncio.run(story())


def test_a_server_that_never_keeps_still_is_an_error_and_leaves_no_file(tmp_path: Path) -> None:
    async def story() -> None:
        async with Changing(1000).served() as url:
            with pytest.raises(CrawlerError):
                await download(url, tmp_path / "file.bin", retries=Retries(5, sleep=Naps()))
        assert not (tmp_path / "file.bin").exists()

    asyncio.run(story())


class Many(Changing):
    """Serves a file of its own at every path, all under one name."""

    async def _answer(self, request: str, writer: asyncio.StreamWriter) -> None:
        data = version(int(request.split()[1].strip("/")))
        head = "HTTP/1.1 200 OK\r\nContent-Disposition: attachment; filename=data.bin\r\n"
        writer.write(f"{head}Content-Length: {len(data)}\r\n\r\n".encode())
        for at in range(0, len(data), PIECE):
            writer.write(data[at : at + PIECE])
            await writer.drain()
            await asyncio.sleep(0)


def test_forty_at_once_on_one_name_are_whole_or_refused(tmp_path: Path) -> None:
    async def one(url: str, number: int, to: Path | str) -> str:
        try:
            found = await download(url.replace("file.bin", str(number)), to)
        except StoreClaimed:
            return "refused"
        whole = version(number)
        assert (found.size, found.sha256) == (len(whole), hashlib.sha256(whole).hexdigest())
        return str(found.path)

    async def story() -> None:
        async with Many().served() as url:
            path = tmp_path / "file.bin"
            ends = await asyncio.gather(*(one(url, n, path) for n in range(AT_ONCE)))
            assert ends.count("refused") < AT_ONCE and {*ends} <= {"refused", str(path)}
            assert path.read_bytes() in [
                version(n) for n, end in enumerate(ends) if end == str(path)
            ]
            assert names(tmp_path) == ["file.bin"]

            into = f"{tmp_path}/many/"
            paths = await asyncio.gather(*(one(url, n, into) for n in range(AT_ONCE)))
            assert len({*paths}) == AT_ONCE and "refused" not in paths
            for number, name in enumerate(paths):
                assert (tmp_path / "many" / name).read_bytes() == version(number)
            assert len(names(tmp_path / "many")) == AT_ONCE

    asyncio.run(story())


def test_processes_on_one_name_are_whole_or_refused(tmp_path: Path) -> None:
    async def story() -> None:
        script, path = tmp_path / "script.py", tmp_path / "out" / "file.bin"
        script.write_text(SCRIPT, encoding="utf-8")
        path.parent.mkdir()
        async with Many().served() as url:

            async def started(number: int) -> int:
                target = url.replace("file.bin", str(number))
                return await run_once(script, target, str(path))

            codes = await asyncio.gather(*(started(number) for number in range(3)))
        whole = [version(number) for number, code in enumerate(codes) if code == 0]
        assert whole and path.read_bytes() in whole
        assert [one.name for one in path.parent.iterdir()] == ["file.bin"]

    asyncio.run(story())


async def run_once(script: Path, *arguments: str) -> int:
    """Run a script; give its exit code, and let through no other error than StoreClaimed."""
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    child = await asyncio.create_subprocess_exec(
        sys.executable, str(script), *arguments, env=env, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await child.communicate()
    assert child.returncode == 0 or b"StoreClaimed" in errors, errors.decode()
    return int(child.returncode or 0)
