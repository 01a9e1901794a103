"""Crawl the built documentation: no link is broken, and a link leads to every page.

`python docs/make/check_site.py site` serves the folder on loopback, crawls it from its first page,
and ends with exit code 1 and a line for each link that leads nowhere and each page not reached.
"""

import sys
import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import crawler
from crawler.inspect.query import Reader

NOT_LINKED = {"404.html"}  # what a server answers with


class Quiet(SimpleHTTPRequestHandler):
    """Serves without a log."""

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


def problems(folder: Path) -> list[str]:
    """Return a line for each broken link and each page that no other one leads to."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}/"
    settings = {
        "politeness": {"delay": 0.0, "robots": False},
        "fetch": {"allow_private": True},
        "traps": {"endless_after": 0},
    }
    with tempfile.TemporaryDirectory() as desk:
        store = Path(desk) / "docs.db"
        crawler.crawl(f"{base}index.html", store=store, settings=settings)
        with Reader(store) as reader:
            rows = reader.query("SELECT source, target, outcome FROM broken_links").rows
            found = [f"{source}: {target} ({outcome})" for source, target, outcome in rows]
            reached = {row[0] for row in reader.query("SELECT url FROM pages").rows}
    server.shutdown()
    pages = {str(path.relative_to(folder)) for path in folder.rglob("*.html")} - NOT_LINKED
    alone = (page for page in sorted(pages) if base + page not in reached)
    return found + [f"{page}: no page leads to it" for page in alone]


if __name__ == "__main__":
    told = problems(Path(sys.argv[1]))
    print("\n".join(told) or "no broken link, and every page is reached")
    sys.exit(bool(told))
