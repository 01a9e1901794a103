"""Worker processes over PostgreSQL, a web of many hosts that keeps a log, and what disturbs both.

The web's log says for each request which worker process sent it, when it came and until when it was
answered. Processes count as those of two machines, so that a death on the other one is known only
when its lease has run out.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, Self

from cli_story import ROOT
from postgres_server import Server

SPIDER = """
import os
import socket
import time
from crawler import Spider, item
from crawler.parse import selector  # now: 0.3 s in which nothing is sent would shorten a gap
from crawler.store.postgres import leases

asks = socket.getaddrinfo

def leads(host, *rest, **options):  # h7.d1.example is the eighth address of the web
    if isinstance(host, str) and host.endswith(".example"):
        number = int(host.partition(".")[0][1:])
        host = f"127.0.{{1 + number // 200}}.{{1 + number % 200}}"
    return asks(host, *rest, **options)

socket.getaddrinfo = leads
machine = os.environ.get("MACHINE")
if machine:
    real = leases.node()
    leases.node = lambda: f"{{machine}}/{{real}}"

@item(key="url")
class Thing:
    url: str
    number: int
    tags: list[str]

class Many(Spider):
    name = "many"
    start_urls = {seeds}
    settings = {{
        "politeness": {{"delay": {delay}, "per_host": 1, "adaptive": False, "robots": False,
                       "limit_by": "{limit_by}"}},
        "engine": {{"workers": {workers}}}, "store": {{"lease": {lease}}},
    }}

    def before_fetch(self, request):
        return request.replace(headers={{"X-Worker": f"{{os.getpid()}} {{time.monotonic()}}"}})

    def parse(self, page):
        number = int(page.css("title::text").get().split()[-1])
        yield Thing(page.url, number, [f"t{{number % 3}}", "x"])
        yield from page.follow_all("a")
"""


class Asked(NamedTuple):
    """One request in the log of the web: times are those of its monotonic clock."""

    path: str
    worker: str
    sent: float
    came: float
    gone: float


class ManyHosts:
    """Hosts on addresses of the loopback network; each has a tree of pages, linked with the next.

    A page of a tree links its two children, and one child of the same number on the next host: so
    every URL is found by several pages, some of another worker's, and all at the same depth.
    """

    def __init__(self, hosts: int, pages: int, *, latency: float = 0.0, domains: int = 0) -> None:
        """`latency`: seconds until a page is answered. `domains`: of these, named `h0.d0.example`.

        The log is by host, or by domain.
        """
        self._domains = domains
        self.names = [f"127.0.{1 + n // 200}.{1 + n % 200}" for n in range(hosts)]
        self.pages, self._latency = pages, latency
        self.log: dict[str, list[Asked]] = defaultdict(list)

    async def __aenter__(self) -> Self:
        first = await asyncio.start_server(self._serve, self.names[0], 0, backlog=500)
        self.port = first.sockets[0].getsockname()[1]
        rest = [await asyncio.start_server(self._serve, n, self.port) for n in self.names[1:]]
        self._servers = [first, *rest]
        return self

    async def __aexit__(self, *exc: object) -> None:
        for each in self._servers:
            each.close()

    def seeds(self) -> list[str]:
        return [f"http://{self._name(n)}:{self.port}/" for n in range(len(self.names))]

    def _name(self, place: int) -> str:
        if not self._domains:
            return self.names[place]
        return f"h{place}.d{place % self._domains}.example"

    def _unit(self, place: int) -> str:
        return self._name(place).partition(".")[2] if self._domains else self.names[place]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                while head := await reader.readuntil(b"\r\n\r\n"):
                    await self._note(writer, head)
        finally:
            writer.close()

    async def _note(self, writer: asyncio.StreamWriter, head: bytes) -> None:
        """Answer one request, and write it into the log."""
        came = time.monotonic()
        place = self.names.index(writer.get_extra_info("sockname")[0])
        path = head.split(b" ")[1].decode()
        worker, sent = head.lower().partition(b"x-worker: ")[2].split(b"\r")[0].split()
        if self._latency:
            await asyncio.sleep(self._latency)
        writer.write(self._answer(place, path))
        await writer.drain()
        self.log[self._unit(place)].append(
            Asked(path, worker.decode(), float(sent), came, time.monotonic())
        )

    def _answer(self, place: int, path: str) -> bytes:
        number, name = int(path.strip("/") or "0"), self._name(place)
        other = self._name((place + 1) % len(self.names))
        children = [n for n in (2 * number + 1, 2 * number + 2) if n < self.pages]
        links = [f"<a href=/{n}>{n}</a>" for n in children]
        links += [f"<a href=http://{other}:{self.port}/{n}>x</a>" for n in children[:1]]
        body = f"<title>{name} {number}</title>{''.join(links)}".encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body

    # ------------------------------------------------------------ what the log says

    def clear(self) -> None:
        """Forget what was asked so far."""
        self.log.clear()

    @property
    def answered(self) -> int:
        """How many requests were answered."""
        return sum(map(len, self.log.values()))

    def gaps(self) -> list[float]:
        """The seconds between two requests of a host as they came, the shortest first."""
        return sorted(b.came - a.came for log in self._in_order() for a, b in pairwise(log))

    def started_closer_than(self, seconds: float) -> list[tuple[float, Asked, Asked]]:
        """Requests of one host that were sent sooner after the one before.

        What a busy machine or a new connection held up came later, and nearer to the next.
        """
        logs = [sorted(log, key=lambda asked: asked.sent) for log in self.log.values()]
        return [
            (b.sent - a.sent, a, b)
            for log in logs
            for a, b in pairwise(log)
            if b.sent - a.sent < seconds
        ]

    def together(self) -> list[tuple[Asked, Asked]]:
        """Requests of one host by two workers, the second before the first was answered."""
        return [
            (a, b)
            for log in self._in_order()
            for a, b in pairwise(log)
            if a.worker != b.worker and b.came < a.gone
        ]

    def _in_order(self) -> list[list[Asked]]:
        return [sorted(log, key=lambda asked: asked.came) for log in self.log.values()]


class Cluster:
    """Worker processes of one crawl, which are killed, frozen, stopped and cut off by chance."""

    def __init__(
        self,
        server: Server,
        address: str,
        spider: Path,
        *,
        workers: int,
        lease: float,
        clocks: tuple[str, ...] = (),
        options: tuple[str, ...] = (),
    ) -> None:
        """`clocks`: by how much the machines' clocks are wrong, in turn, as libfaketime has it."""
        self._server, self._lease, self._clocks = server, lease, clocks
        self.command = [sys.executable, "-m", "crawler", "run", str(spider)]
        self.command += ["--store", address, "-q", *options]
        self._folder, self._every = spider.parent, list[subprocess.Popen[bytes]]()
        self._frozen = set[int]()
        self._timers: list[threading.Timer] = []
        self.workers = [self._start(place) for place in range(workers)]
        self.done: dict[str, int] = defaultdict(int)

    def _start(self, place: int) -> subprocess.Popen[bytes]:
        env = {**os.environ, "MACHINE": f"m{place % 2}"}
        if self._clocks:
            env |= wrong_clock(self._clocks[place % len(self._clocks)])
        with (self._folder / f"worker{len(self._every)}.log").open("wb") as log:
            self._every.append(
                subprocess.Popen(self.command, cwd=ROOT, stderr=log, stdout=log, env=env)
            )
        return self._every[-1]

    def _one(self, chance: random.Random) -> int | None:
        """The place of a worker that runs, by chance."""
        places = [p for p, w in enumerate(self.workers) if p not in self._frozen]
        return chance.choice([p for p in places if self.workers[p].poll() is None] or [None])

    def disturb(self, what: str, chance: random.Random) -> None:
        """Do one thing to a worker or to the server."""
        self.done[what] += 1
        if what == "crash":
            self._server.kill()
            self._server.start()
            return
        if what == "cut":
            self._cut(chance)
            return
        place = self._one(chance)
        if place is None:
            self.done[what] -= 1
            return
        worker = self.workers[place]
        if what == "freeze":
            self._freeze(place, worker)
            return
        worker.send_signal({"kill": signal.SIGKILL, "stop": signal.SIGTERM}[what])
        if what == "kill":
            worker.wait()
        self.workers[place] = self._start(place)

    def _freeze(self, place: int, worker: subprocess.Popen[bytes]) -> None:
        """Stop a process for longer than its lease, and let it go on."""

        def go_on() -> None:
            worker.send_signal(signal.SIGCONT)
            self._frozen.discard(place)

        self._frozen.add(place)
        worker.send_signal(signal.SIGSTOP)
        timer = threading.Timer(self._lease + 1, go_on)
        self._timers.append(timer)
        timer.start()

    def _cut(self, chance: random.Random) -> None:
        """Let the server drop a connection of this crawl."""
        mine = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'"
        pids = self._server.psql(f"{mine} AND pid <> pg_backend_pid()").split()
        if pids:
            self._server.psql(f"SELECT pg_terminate_backend({chance.choice(pids)})")

    def wait(self, seconds: float) -> None:
        """Wait until every process has ended, and let one more say that the crawl is finished."""
        until = time.monotonic() + seconds
        for each in self._every:
            each.wait(max(1.0, until - time.monotonic()))
        for _ in range(5):
            if subprocess.run(self.command, cwd=ROOT, check=False).returncode in (0, 3):
                return
        raise AssertionError("the crawl does not come to its end")

    def told(self) -> str:
        """What the processes wrote into their logs."""
        return "\n".join(p.read_text() for p in sorted(self._folder.glob("worker*.log")))

    def end(self) -> None:
        """Kill what is left."""
        for timer in self._timers:
            timer.cancel()
        for each in self._every:
            if each.poll() is None:
                each.kill()
            each.wait()


def wrong_clock(by: str) -> dict[str, str]:
    """The environment of a process whose clock is wrong, as `+1h`; but for its monotonic one."""
    [library] = faketime()
    return {"LD_PRELOAD": str(library), "FAKETIME": by, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def faketime() -> list[Path]:
    """The library of libfaketime (Debian: libfaketime), if it is there."""
    return sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))[:1]
