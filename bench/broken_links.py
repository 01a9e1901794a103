"""Compare the view broken_links with LinkChecker (PyPI) over three manuals of Debian.

    .venv/bin/python bench/broken_links.py [manual…]

Debian: python3.11-doc postgresql-doc-15 libstdc++-12-doc, served on loopback. LinkChecker comes
from PyPI into bench/.work/. Both look at every element that names a resource, and at nothing
beyond the manual itself: the addresses outside of it are on the Internet, which no benchmark asks.
"""

import argparse
import contextlib
import csv
import functools
import io
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urldefrag

from applications import CRAWLER, environment, version_of

MANUALS = {
    "Python 3.11": Path("/usr/share/doc/python3.11/html"),
    "PostgreSQL 15": Path("/usr/share/doc/postgresql-doc-15/html"),
    "libstdc++ 12": Path("/usr/share/doc/libstdc++-12-doc/libstdc++/manual"),
}
TAGS = (
    "a",
    "area",
    "link",
    "script",
    "img",
    "iframe",
    "frame",
    "source",
    "object",
    "embed",
)
OURS = {
    "politeness.delay": "0",
    "politeness.per_host": "16",
    "engine.scope": "host",
    "links.tags": "[" + ", ".join(f'"{tag}"' for tag in TAGS) + "]",
}

Links = set[tuple[str, str]]
"""Broken links: the page and the target, without its fragment."""


class Quiet(SimpleHTTPRequestHandler):
    """Serves files, and says nothing."""

    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        """Answer until the client goes, in whatever way."""
        with contextlib.suppress(ConnectionError):
            super().handle()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def list_directory(self, path: str | os.PathLike[str]) -> None:
        """Answer that there is no such page: a list of files is not of the manual."""
        self.send_error(404)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on loopback."""
    handler = functools.partial(Quiet, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()


def ours(url: str, scratch: Path) -> tuple[Links, int]:
    """Return the broken links that a crawl finds, and its pages."""
    store = scratch / "manual.db"
    settings = [word for key, value in OURS.items() for word in ("--set", f"{key}={value}")]
    command = [*CRAWLER, "crawl", url, "--store", str(store), "-q", *settings]
    subprocess.run(command, cwd=scratch, check=True)
    with sqlite3.connect(store) as db:
        found = set(db.execute("SELECT source, target FROM broken_links"))
        [(pages,)] = db.execute("SELECT count(*) FROM pages WHERE outcome = 'ok'")
    db.close()
    return found, pages


def theirs(url: str, scratch: Path, python: Path) -> set[str]:
    """Return the broken targets that LinkChecker finds; it tells each once, on one page."""
    config = scratch / "linkcheckerrc"
    config.write_text("[checking]\nmaxrequestspersecond=10000\n[output]\nstatus=0\n")
    command = [
        str(python.parent / "linkchecker"),
        "-f",
        str(config),
        "-o",
        "csv",
        "--no-warnings",
    ]
    done = subprocess.run([*command, url], capture_output=True, text=True, cwd=scratch, check=False)
    lines = [line for line in done.stdout.splitlines() if not line.startswith("#")]
    rows = csv.DictReader(io.StringIO("\n".join(lines)), delimiter=";")
    return {urldefrag(row["url"])[0] for row in rows if row["valid"] == "False"}


def shown(urls: set[str], site: str) -> str:
    """Return URLs in a few lines, without the host."""
    told = sorted(url.removeprefix(site) for url in urls)
    more = f"\n    and {len(told) - 10} more" if len(told) > 10 else ""
    return "".join(f"\n    {url}" for url in told[:10]) + more


def main() -> None:
    """Compare, manual by manual."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="manuals, by the beginning of their name")
    asked = parser.parse_args()
    python = environment("LinkChecker")
    print(f"LinkChecker {version_of(python, 'LinkChecker')}\n")
    for name, folder in MANUALS.items():
        if asked.names and not name.startswith(tuple(asked.names)):
            continue
        if not folder.is_dir():
            print(f"{name}: skipped, as {folder} is not installed", file=sys.stderr)
            continue
        with served(folder) as site, tempfile.TemporaryDirectory() as scratch:
            start = f"{site}/index.html"
            mine, pages = ours(start, Path(scratch))
            other = theirs(start, Path(scratch), python)
            found = {target for _, target in mine}
            print(f"{name}: {pages:,} pages")
            print(f"  Crawlkeep: {len(found)} broken targets, linked {len(mine)} times")
            print(f"  LinkChecker: {len(other)} broken targets; both: {len(found & other)}")
            print(f"  only Crawlkeep: {len(found - other)}{shown(found - other, site)}")
            print(f"  only LinkChecker: {len(other - found)}{shown(other - found, site)}")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
