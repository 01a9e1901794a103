"""The delay between two starts of a host, kept over hand-overs and deaths: `make postgres-proof`.

Worker processes crawl one site of many hosts; some are killed, some frozen past their lease, some
told to stop, and others take their places. The server's log says when each request came.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from cli_story import ROOT
from postgres_server import server
from site_thread import on_a_thread

from crawler.inspect.query import Reader

HOSTS = int(os.environ.get("PROOF_HOSTS", "0"))
PAGES = int(os.environ.get("PROOF_PAGES", "12"))
WORKERS = int(os.environ.get("PROOF_WORKERS", "4"))
ENDS = int(os.environ.get("PROOF_ENDS", "20"))  # kills, freezes and stops
DELAY = float(os.environ.get("PROOF_DELAY", "1.0"))
LATE = 0.1  # seconds by which the machine may let one request come later than the next
SPIDER = """
from crawler import SiteSpider
class Many(SiteSpider):
    name = "many"
    start_urls = {seeds}
    settings = {{"politeness": {{"delay": {delay}, "per_host": 1, "adaptive": False,
                                "robots": False}},
                "engine": {{"workers": 16, "scope": "host"}}}}
    def __init__(self, **given):
        super().__init__(*{seeds}, **given)
"""


class ManyHosts:
    """Hosts on addresses of the loopback network, and when each was asked, by its own clock."""

    def __init__(self, hosts: int, pages: int) -> None:
        self.names = [f"127.0.{1 + n // 200}.{1 + n % 200}" for n in range(hosts)]
        self.pages = pages
        self.asked: dict[str, list[float]] = defaultdict(list)

    async def __aenter__(self) -> "ManyHosts":
        first = await asyncio.start_server(self._serve, self.names[0], 0)
        self.port = first.sockets[0].getsockname()[1]
        rest = [await asyncio.start_server(self._serve, n, self.port) for n in self.names[1:]]
        self._servers = [first, *rest]
        return self

    async def __aexit__(self, *exc: object) -> None:
        for each in self._servers:
            each.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.asked[writer.get_extra_info("sockname")[0]].append(time.monotonic())
                number = int(head.split(b" ")[1].strip(b"/") or b"0")
                link = f"<a href=/{number + 1}>x</a>" if number + 1 < self.pages else ""
                body = f"<title>{number}</title>{link}".encode()
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s"
                    % (len(body), body)
                )
                await writer.drain()
        writer.close()

    def seeds(self) -> list[str]:
        return [f"http://{name}:{self.port}/" for name in self.names]

    def gaps(self) -> list[float]:
        return sorted(b - a for at in self.asked.values() for a, b in pairwise(at))


@pytest.mark.skipif(not HOSTS, reason="make postgres-proof")
def test_no_two_requests_of_a_host_come_closer_than_the_delay(tmp_path: Path) -> None:
    address, chance = server().dsn(), random.Random(7)
    with on_a_thread(ManyHosts(HOSTS, PAGES)) as web:
        spider = tmp_path / "many.py"
        spider.write_text(SPIDER.format(seeds=web.seeds(), delay=DELAY))
        command = [sys.executable, "-m", "crawler", "run", str(spider), "--store", address, "-q"]

        every: list[subprocess.Popen[bytes]] = []

        def start() -> subprocess.Popen[bytes]:
            every.append(subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL))
            return every[-1]

        workers = [start() for _ in range(WORKERS)]
        try:
            for number in range(ENDS):
                time.sleep(chance.uniform(0.3, 1.2))
                workers[number % WORKERS] = _end(workers[number % WORKERS], number, start)
            for each in every:
                each.wait(120)
            while subprocess.run(command, cwd=ROOT, check=False).returncode not in (0, 3):
                pass
        finally:
            for each in every:
                each.kill()
                each.wait()
        gaps = web.gaps()
        with Reader(address) as reader:
            [(pages,)] = reader.query("SELECT count(*) FROM pages").rows
            [(different,)] = reader.query("SELECT count(DISTINCT url) FROM pages").rows
    close = [gap for gap in gaps if gap < DELAY - LATE]
    print(f"{pages} pages, {len(gaps)} gaps, the least {gaps[0]:.3f} s, {len(close)} too short")
    print("the ten least:", " ".join(f"{gap:.3f}" for gap in gaps[:10]))
    assert (pages, different) == (HOSTS * PAGES,) * 2
    assert close == []


def _end(worker: subprocess.Popen[bytes], number: int, start) -> subprocess.Popen[bytes]:  # type: ignore[no-untyped-def]
    """End a worker in one of three ways, and start another in its place."""
    if number % 3 == 0:
        worker.kill()
    elif number % 3 == 1:
        worker.send_signal(signal.SIGTERM)
    else:
        worker.send_signal(signal.SIGINT)
        time.sleep(0.05)
        worker.send_signal(signal.SIGINT)  # twice: at once
    return start()
