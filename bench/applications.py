"""Crawl real web applications with the defaults: each ends, or says within a minute what to set.

    .venv/bin/python bench/applications.py                       all that are installed
    .venv/bin/python bench/applications.py cgit --save           one, into docs/applications.md

DokuWiki (Debian: dokuwiki php-cli), cgit (Debian: cgit, over a clone of this repository), Datasette
and django-oscar (PyPI, in an environment under bench/.work/). Each is served on loopback with
content that is made here. A crawl runs with nothing set; where it says what leaves the endless part
out, it goes on with just that, and has to end.
"""

import argparse
import os
import re
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).parents[1]
WORK = ROOT / "bench" / ".work"
PAGE = ROOT / "docs" / "applications.md"
BEGIN, END = "<!-- applications: begin -->", "<!-- applications: end -->"
OLD = 1_700_000_000.0  # of pages: DokuWiki asks crawlers to leave pages of the last days alone
MINUTE, LONGEST = (
    60.0,
    3600.0,
)  # seconds: until it has said something; until it has ended
SAID = re.compile(r"--exclude '([^']+)' leaves them out")
NOFOLLOW = "links.robots_meta = false follows them"
FOLLOWED = ("--set", "links.robots_meta=false")
CRAWLER = [sys.executable, "-m", "crawler"]


Words = tuple[str, str]
"""An option and its value."""


@dataclass
class Result:
    """What became of one application."""

    name: str
    version: str
    said: list[Words] = field(default_factory=list)
    first: str = ""
    ending: str = ""
    pages: int = 0
    seconds: float = 0.0

    def row(self) -> str:
        """Return the row of the table."""
        said = "; ".join(f"`{shlex.join(words)}`".replace("|", "\\|") for words in self.said)
        cells = (
            f"{self.name} {self.version}",
            self.first,
            said or "nothing to set",
            self.ending,
        )
        return f"| {' | '.join(cells)} | {self.pages:,} | {self.seconds:,.0f} |"


# ---------------------------------------------------------------- the applications


def port() -> int:
    """Return a port that is free."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def process(command: list[str], url: str, **options: object) -> Iterator[str]:
    """Run a server until the block ends, and give the URL once it answers."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    quiet["start_new_session"] = True
    server = subprocess.Popen(command, **{**quiet, **options})  # type: ignore[call-overload]
    try:
        for _ in range(300):
            try:
                with urllib.request.urlopen(url, timeout=30):
                    break
            except OSError:
                if server.poll() is not None:
                    raise RuntimeError(f"{command[0]} ended with {server.returncode}") from None
                time.sleep(0.2)
        yield url
    finally:
        os.killpg(server.pid, signal.SIGTERM)  # PHP's workers are processes of their own
        server.wait(10)


def environment(*packages: str) -> Path:
    """Return a Python with packages from PyPI, in an environment under bench/.work/."""
    folder = WORK / "applications"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    missing = f"import importlib.metadata as m; [m.version(p) for p in {packages!r}]"
    if subprocess.run([python, "-c", missing], capture_output=True, check=False).returncode:
        subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
    return python


def version_of(python: Path, package: str) -> str:
    """Return the version of a package in that environment."""
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True).stdout.strip()


@contextmanager
def dokuwiki(folder: Path) -> Iterator[tuple[str, str]]:
    """Forty pages in four namespaces that link to each other."""
    share, wiki = Path("/usr/share/dokuwiki"), folder / "wiki"
    if not share.is_dir() or not shutil.which("php"):
        raise FileNotFoundError("apt-get install dokuwiki php-cli php-xml")
    shutil.copytree(share, wiki, symlinks=False)
    (wiki / "inc" / "preload.php").unlink(missing_ok=True)  # which leads to the system's own wiki
    shutil.copytree("/etc/dokuwiki", wiki / "conf", ignore=lambda *_: ["acl.auth.php", "local.php"])
    for name in (
        "attic",
        "cache",
        "index",
        "locks",
        "log",
        "media",
        "media_attic",
        "media_meta",
    ):
        (wiki / "data" / name).mkdir(parents=True)
    for name in ("meta", "pages", "tmp"):
        (wiki / "data" / name).mkdir(parents=True)
    (wiki / "conf" / "local.php").write_text(
        "<?php $conf['title'] = 'Wiki'; $conf['useacl'] = 0; $conf['savedir'] = './data';"
    )
    names = [f"part{n % 4}:page{n}" for n in range(40)]
    for number, name in enumerate(["start", *names]):
        part, _, page = name.rpartition(":")
        file = wiki / "data" / "pages" / part / f"{page}.txt"
        file.parent.mkdir(exist_ok=True)
        links = " ".join(f"[[:{names[(number * k + k) % 40]}]]" for k in range(1, 6))
        text = f"====== {name} ======\n\n===== About {number} =====\n\nNumber {number}: {links}\n"
        file.write_text(text)
        os.utime(file, (OLD, OLD))
    version = (wiki / "VERSION").read_text().split()[0]
    at = port()
    serve = ["php", "-S", f"127.0.0.1:{at}", "-t", str(wiki)]
    many = {**os.environ, "PHP_CLI_SERVER_WORKERS": "4"}
    with process(serve, f"http://127.0.0.1:{at}/doku.php", env=many) as url:
        yield url, version


class Cgi(BaseHTTPRequestHandler):
    """Runs cgit for each request (RFC 3875)."""

    config = ""

    def do_GET(self) -> None:
        """Answer with what cgit prints."""
        path, _, query = self.path.partition("?")
        environ = {
            **{"CGIT_CONFIG": self.config, "REQUEST_METHOD": "GET", "PATH_INFO": path},
            **{"QUERY_STRING": query, "SCRIPT_NAME": "", "SERVER_PROTOCOL": "HTTP/1.1"},
            **{"SERVER_NAME": "127.0.0.1", "HTTP_HOST": self.headers["Host"]},
        }
        done = subprocess.run(["/usr/lib/cgit/cgit.cgi"], env=environ, capture_output=True)
        head, _, body = done.stdout.partition(b"\n\n")
        lines = [line.split(": ", 1) for line in head.decode("latin-1").splitlines()]
        status = next((value for name, value in lines if name == "Status"), "200 OK")
        self.send_response(int(status.split()[0]))
        for name, value in lines:
            if name != "Status":
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def cgit(folder: Path) -> Iterator[tuple[str, str]]:
    """A clone of this repository."""
    if not Path("/usr/lib/cgit/cgit.cgi").exists():
        raise FileNotFoundError("apt-get install cgit")
    bare = folder / "crawlkeep.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(ROOT), str(bare)], check=True)
    config = folder / "cgitrc"
    config.write_text(f"virtual-root=/\nrepo.url=crawlkeep\nrepo.path={bare}\n")
    said = subprocess.run(["/usr/lib/cgit/cgit.cgi", "--version"], capture_output=True, text=True)
    version = re.search(r"\d+\.\d+(\.\d+)?", said.stdout)
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), type("Configured", (Cgi,), {"config": str(config)})
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield (
            f"http://127.0.0.1:{server.server_address[1]}/",
            version[0] if version else "",
        )
    finally:
        server.shutdown()


@contextmanager
def datasette(folder: Path) -> Iterator[tuple[str, str]]:
    """A database of a table with 2,000 rows of seven columns, and one of 20."""
    python = environment("datasette")
    with sqlite3.connect(folder / "shop.db") as db:
        db.execute("CREATE TABLE makers (id INTEGER PRIMARY KEY, name TEXT)")
        db.executemany("INSERT INTO makers VALUES (?, ?)", [(n, f"maker {n}") for n in range(20)])
        db.execute(
            "CREATE TABLE goods (id INTEGER PRIMARY KEY, name TEXT, price REAL, stock INTEGER,"
            " colour TEXT, size TEXT, maker INTEGER REFERENCES makers (id))"
        )
        colours, sizes = ("red", "green", "blue", "black"), ("S", "M", "L")
        rows = (
            (
                n,
                f"thing {n}",
                n % 97 + 0.5,
                n % 13,
                colours[n % 4],
                sizes[n % 3],
                n % 20,
            )
            for n in range(2000)
        )
        db.executemany("INSERT INTO goods VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    db.close()
    at = port()
    serve = [
        str(python),
        "-m",
        "datasette",
        "serve",
        str(folder / "shop.db"),
        "-p",
        str(at),
    ]
    with process(serve, f"http://127.0.0.1:{at}/") as url:
        yield url, version_of(python, "datasette")


@contextmanager
def oscar(folder: Path) -> Iterator[tuple[str, str]]:
    """A shop of 120 products in 12 categories."""
    python = environment("django-oscar", "sorl-thumbnail", "setuptools", "whoosh")
    for name in ("oscar_settings.py", "oscar_shop.py", "oscar_urls.py"):
        shutil.copy(ROOT / "bench" / "shop" / name, folder)
    options = {
        "cwd": folder,
        "env": {**os.environ, "DJANGO_SETTINGS_MODULE": "oscar_settings"},
    }
    subprocess.run([python, "oscar_shop.py"], check=True, capture_output=True, **options)
    at = port()
    serve = [str(python), "-m", "django", "runserver", "--noreload", f"127.0.0.1:{at}"]
    with process(serve, f"http://127.0.0.1:{at}/", **options) as url:
        yield url, version_of(python, "django-oscar")


APPLICATIONS: dict[str, Callable[[Path], object]] = {
    "DokuWiki": dokuwiki,
    "django-oscar": oscar,
    "Datasette": datasette,
    "cgit": cgit,
}


# ---------------------------------------------------------------- the crawl


def crawl(url: str, store: Path, seconds: float, said: list[Words]) -> tuple[str, Words | None]:
    """Crawl until it ends, says what to set, or the time is over; return its words and that."""
    options = [word for words in said for word in words]
    running = subprocess.Popen(
        [*CRAWLER, "crawl", url, "--store", str(store), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=store.parent,
    )
    timer = threading.Timer(seconds, running.send_signal, (signal.SIGINT,))
    timer.start()
    heard, told = [], None
    assert running.stdout is not None
    for line in running.stdout:
        heard.append(line)
        found = SAID.search(line)
        if found and told is None and ("--exclude", found[1]) not in said:
            told = ("--exclude", found[1])
            running.send_signal(signal.SIGINT)
    running.wait()
    timer.cancel()
    words = "".join(heard)
    if "finished: 1 page" in words and NOFOLLOW in words and FOLLOWED not in said:
        told = FOLLOWED
    return words, told


def measured(name: str) -> Result:
    """Crawl one application with the defaults, then with what the crawl says."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with APPLICATIONS[name](folder) as (url, version):  # type: ignore[attr-defined]
            result, began, limit = Result(name, version), time.monotonic(), MINUTE
            store = folder / "crawl.db"
            words, told = crawl(url, store, limit, [])
            after = time.monotonic() - began
            ended = re.search(r"^finished: .*", words, re.MULTILINE)
            result.first = f"after {after:.0f} s" if told else "not in the first minute"
            while (told or not ended) and time.monotonic() - began < LONGEST:
                result.said += [told] if told else []
                words, told = crawl(url, store, LONGEST, result.said)
                ended = re.search(r"^finished: .*", words, re.MULTILINE)
            result.seconds = time.monotonic() - began
            result.ending = ended[0].partition(":")[0] if ended else "not ended"
        with sqlite3.connect(store) as db:
            [(result.pages,)] = db.execute("SELECT count(*) FROM pages WHERE outcome = 'ok'")
        db.close()
    print(result.row(), flush=True)
    return result


def save(results: list[Result]) -> None:
    """Put the figures into the page of the documentation, in place of those of before."""
    text = PAGE.read_text(encoding="utf-8")
    kept = {row.split()[1]: row for row in text.splitlines() if re.match(r"\| \w", row)}
    rows = {row.split()[1]: row for row in (result.row() for result in results)}
    head, _, rest = text.partition(BEGIN)
    table = [
        "| application | it says what to set | what it says | then | pages | seconds in all |",
        "|---|---|---|---|---|---|",
        *(row for name, row in {**kept, **rows}.items() if name != "application"),
    ]
    told = f"Measured {date.today().isoformat()}.\n\n"
    body = f"{BEGIN}\n{told}" + "\n".join(table) + f"\n{END}"
    PAGE.write_text(head + body + rest.partition(END)[2], encoding="utf-8")


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", choices=[[], *APPLICATIONS], metavar="application")
    parser.add_argument("--save", action="store_true", help="write docs/applications.md")
    asked = parser.parse_args()
    results = []
    for name in asked.names or list(APPLICATIONS):
        try:
            results.append(measured(name))
        except FileNotFoundError as missing:
            print(f"{name}: skipped, as it is not installed: {missing}", file=sys.stderr)
    if asked.save:
        save(results)


if __name__ == "__main__":
    main()
