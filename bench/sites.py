"""Serve the documentation sites that the benchmark crawls, with nginx on loopback addresses.

The corpora are Debian packages, so that anyone can have the same bytes, and a shop of 20,000
products that `shop_pages.py` writes, the same for everyone, too. Each is a host of its own
(127.0.0.2 and so on) on one free port, under the directory `/docs/`, so that the scope "under
the seed's directory" means something.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MOUNT = "/docs/"
SHOP = Path(__file__).resolve().parent / ".work" / "shop"


@dataclass(frozen=True, slots=True)
class Corpus:
    """One site: its Debian package ("" if it is made here), directories to try, host and seed."""

    name: str
    package: str
    roots: tuple[str, ...]
    host: str
    seed_page: str = "index.html"

    def root(self) -> Path | None:
        """Return the directory that holds the site, or None when the package is not installed."""
        found = (Path(root) for root in self.roots)
        return next((root.resolve() for root in found if (root / self.seed_page).exists()), None)

    def seed(self, port: int) -> str:
        return f"http://{self.host}:{port}{MOUNT}{self.seed_page}"


CORPORA = (
    Corpus(
        "postgresql",
        "postgresql-doc-15",
        ("/usr/share/doc/postgresql-doc-15/html",),
        "127.0.0.2",
    ),
    Corpus(
        "python",
        "python3.11-doc",
        ("/usr/share/doc/python3.11/html", "/usr/share/doc/python3.11-doc/html"),
        "127.0.0.3",
    ),
    Corpus(
        "sqlite",
        "sqlite3-doc",
        ("/usr/share/doc/sqlite3", "/usr/share/doc/sqlite3-doc"),
        "127.0.0.4",
    ),
    Corpus(
        "libstdc++",
        "libstdc++-12-doc",
        ("/usr/share/doc/libstdc++-12-doc/libstdc++",),
        "127.0.0.5",
    ),
    Corpus("shop", "", (str(SHOP),), "127.0.0.6"),  # made by shop_pages.py
)

# Gzip off, so that no system pays for decompression that another does not ask for; a connection
# is never closed by the server during a run; no log, so that the disk belongs to the crawlers.
NGINX_CONF = """
daemon off;
worker_processes 1;
pid {work}/nginx.pid;
error_log {work}/error.log error;
{user}
events {{ worker_connections 4096; }}
http {{
    types {{ text/html html; text/css css; text/javascript js; text/plain txt;
             image/png png; image/gif gif; image/svg+xml svg; application/pdf pdf; }}
    default_type application/octet-stream;
    charset utf-8;
    access_log off;
    gzip off;
    sendfile on;
    tcp_nodelay on;
    keepalive_timeout 300s;
    keepalive_requests 100000000;
    {cache}
    client_body_temp_path {work}/body;
    proxy_temp_path {work}/proxy;
    fastcgi_temp_path {work}/fastcgi;
    uwsgi_temp_path {work}/uwsgi;
    scgi_temp_path {work}/scgi;
    {servers}
}}
"""
FILE_CACHE = "open_file_cache max=5000 inactive=600s; open_file_cache_valid 600s;"
SERVER = """
    server {{
        listen {host}:{port} backlog=1024;
        location {mount} {{ alias {root}/; index index.html; }}
    }}
"""


class SitesError(Exception):
    """The sites cannot be served; the message says what to install or where to look."""


def available() -> list[Corpus]:
    """Return the corpora whose packages are installed."""
    return [corpus for corpus in CORPORA if corpus.root() is not None]


def missing() -> list[str]:
    """Return the names of the Debian packages that are still to be installed."""
    return [corpus.package for corpus in CORPORA if corpus.package and corpus.root() is None]


@contextlib.contextmanager
def served(corpora: list[Corpus], *, steady: bool = True) -> Iterator[int]:
    """Serve `corpora` with one nginx for the length of the block; give the port.

    `steady`: the files stay as they are, so that nginx may keep them open.
    """
    nginx = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if nginx is None:
        raise SitesError("nginx not found; install the Debian package nginx-light")
    with tempfile.TemporaryDirectory(prefix="bench-nginx-") as work:
        Path(work).chmod(0o755)
        port = _free_port([corpus.host for corpus in corpora])
        conf = Path(work, "nginx.conf")
        conf.write_text(_conf(work, port, corpora, FILE_CACHE if steady else ""))
        server = subprocess.Popen([nginx, "-c", str(conf), "-p", work], stderr=subprocess.PIPE)
        try:
            _wait_until_up(server, corpora[-1].host, port)
            yield port
        finally:
            server.terminate()
            server.communicate(timeout=10)


def _conf(work: str, port: int, corpora: list[Corpus], cache: str) -> str:
    servers = "".join(
        SERVER.format(host=corpus.host, port=port, mount=MOUNT, root=corpus.root())
        for corpus in corpora
    )
    user = "user root;" if os.geteuid() == 0 else ""
    return NGINX_CONF.format(work=work, servers=servers, user=user, cache=cache)


def _free_port(hosts: list[str]) -> int:
    """Return a port above the ephemeral range's start that is free on every one of `hosts`."""
    for port in range(28080, 28980, 10):
        with contextlib.ExitStack() as probes, contextlib.suppress(OSError):
            for host in hosts:
                probe = probes.enter_context(socket.socket())
                probe.bind((host, port))
            return port
    raise SitesError("no free port between 28080 and 28980")


def _wait_until_up(server: subprocess.Popen[bytes], host: str, port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if server.poll() is not None:
            assert server.stderr is not None
            raise SitesError(f"nginx did not start: {server.stderr.read().decode()}")
        with contextlib.suppress(OSError):
            socket.create_connection((host, port), 1).close()
            return
        time.sleep(0.02)
    raise SitesError(f"nginx does not answer on {host}:{port}")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that nginx ends with us
    with served(available()) as open_port:
        for served_corpus in available():
            print(served_corpus.seed(open_port), flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            time.sleep(10**9)
