"""Run real commands in a folder of their own against a practice site on loopback."""

import asyncio
import contextlib
import io
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from crawler.cli import run as crawler  # here: later the name is that of the command's module
from crawler.practice import PracticeSite

ROOT = Path(__file__).parents[2]
CRAWLER = [sys.executable, "-m", "crawler"]
LIMIT = 60  # seconds that any command may take here
ONE_BY_ONE = """
import contextlib, io, json, sys
from crawler.cli import run
for line in sys.stdin:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(json.loads(line))
    print(json.dumps([code, out.getvalue(), err.getvalue()]))
"""


@dataclass
class Command:
    """What a finished command gave."""

    code: int
    out: str
    err: str

    @property
    def summary(self) -> dict[str, Any]:
        return json.loads(self.out)


@dataclass
class Desk:
    """A working directory with spiders, in which commands run."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        spiders = self.folder / "spiders"
        if not spiders.exists():
            spiders.mkdir(parents=True)
            for name in ("quotes.py", "books.py"):
                text = (ROOT / "spiders" / name).read_text(encoding="utf-8")
                (spiders / name).write_text(text, encoding="utf-8")

    def run(self, *arguments: str) -> Command:
        """Run a command to its end: in this process, which is ten times cheaper than a new one.

        Where an event loop runs, in a process of its own; from there, take `asyncio.to_thread`.
        """
        return here(self, arguments) if _alone() else self.process(*arguments)

    def process(self, *arguments: str, stdin: str = "", **options: Any) -> Command:
        """Run a command to its end in a process of its own."""
        done = subprocess.run(
            [*CRAWLER, *arguments],
            cwd=self.folder,
            env=self.env(),
            input=stdin,
            text=True,
            capture_output=True,
            timeout=LIMIT,
            check=False,
            **options,
        )
        return Command(done.returncode, done.stdout, done.stderr)

    def run_all(self, commands: list[list[str]]) -> list[Command]:
        """Run many commands one after the other, in one process that starts at most once."""
        if _alone():
            return [here(self, arguments) for arguments in commands]
        done = subprocess.run(
            [sys.executable, "-c", ONE_BY_ONE],
            cwd=self.folder,
            env=self.env(),
            input="\n".join(map(json.dumps, commands)),
            text=True,
            capture_output=True,
            timeout=LIMIT,
            check=True,
        )
        return [Command(*json.loads(line)) for line in done.stdout.splitlines()]

    @contextlib.contextmanager
    def start(self, *arguments: str) -> Iterator["Running"]:
        """Start a command, and make sure that it ends."""
        process = subprocess.Popen(
            [*CRAWLER, *arguments],
            cwd=self.folder,
            env=self.env(),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        timer = threading.Timer(LIMIT, process.kill)
        timer.start()
        try:
            yield Running(process)
        finally:
            timer.cancel()
            process.kill()
            process.communicate()

    def env(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", **self.environ}

    def rows(self, sql: str, store: str = "quotes") -> list[dict[str, Any]]:
        """The rows of a query."""
        done = self.run("query", sql, "--store", store, "--format", "json")
        assert done.code == 0, done.err
        return json.loads(done.out)


def here(desk: Desk, arguments: Sequence[str]) -> Command:
    """Run a command in this process, as far as it can tell in one of its own."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with (
        _process_state(desk, arguments),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        warnings.catch_warnings(action="ignore"),  # of libraries: a command shows none
    ):
        code = crawler(list(arguments))
        said = [_read(stream) for stream in (sys.stdout, sys.stderr)]
    return Command(code, *said)


def _read(stream: Any) -> str:
    raw: bytes = getattr(stream, "below", stream).buffer.getvalue()
    return raw.decode().replace("\r\n", "\n")


def _alone() -> bool:
    """Return whether no event loop runs in this thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return True
    return False


@contextlib.contextmanager
def _process_state(desk: Desk, arguments: Sequence[str]) -> Iterator[None]:
    """Have what belongs to a process as the desk has it, and put it back in the end."""
    root = logging.getLogger()
    kept = dict(os.environ)
    before = (list(sys.path), list(root.handlers), root.level, sys.stdin, sys.argv)
    modules, environ = set(sys.modules), desk.env()
    os.environ.clear()
    os.environ.update(environ)
    sys.stdin, sys.argv = io.TextIOWrapper(io.BytesIO()), ["crawler", *arguments]
    try:
        with contextlib.chdir(desk.folder):
            yield
    finally:
        os.environ.clear()
        os.environ.update(kept)
        sys.path[:], root.handlers[:], level, sys.stdin, sys.argv = before
        root.setLevel(level)
        for name in set(sys.modules) - modules:
            if _is_below(desk.folder, sys.modules[name]):
                del sys.modules[name]


def _is_below(folder: Path, module: Any) -> bool:
    """Return whether a module came from the desk; a namespace package has a path alone."""
    places = [getattr(module, "__file__", None), *getattr(module, "__path__", [])]
    return any(place and Path(place).is_relative_to(folder) for place in places)


@dataclass
class Running:
    """A command that runs."""

    process: "subprocess.Popen[str]"

    def hear(self, words: str) -> str:
        """Wait for a line of its log with these words."""
        assert self.process.stderr is not None
        heard = []
        for line in self.process.stderr:
            heard.append(line)
            if words in line:
                return line
        raise AssertionError(f"never said {words!r}: {''.join(heard)}")

    def first(self) -> str:
        """Return the first line that it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def signal(self, number: int = signal.SIGINT) -> None:
        self.process.send_signal(number)

    def end(self) -> Command:
        out, err = self.process.communicate(timeout=LIMIT)
        return Command(self.process.returncode, out, err)


class ServedSite:
    """A practice site in a thread, for commands that are processes of their own."""

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._ready: SimpleQueue[tuple[PracticeSite, asyncio.AbstractEventLoop]] = SimpleQueue()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self) -> "ServedSite":
        self._thread.start()
        self.site, self._loop = self._ready.get(timeout=LIMIT)
        self.url = self.site.url
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(LIMIT)

    async def _serve(self) -> None:
        self._over = asyncio.Event()
        async with PracticeSite(**self._options) as site:
            self._ready.put((site, asyncio.get_running_loop()))
            await self._over.wait()

    def hold(self, path: str) -> None:
        """Let answers to `path` wait until `let_go`."""
        self._held = self.site.hold(path)

    def let_go(self) -> None:
        self._loop.call_soon_threadsafe(self._held.set)
