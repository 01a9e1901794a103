"""What `crawler doctor STORE` looks at: whether a store can be crawled into, and how to mend it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

from crawler.store.address import DatabaseAddress, StoreAddress

OK, WARN, FAIL = "ok", "warn", "fail"

_MOUNTS = Path("/proc/self/mounts")

_LITTLE_ROOM, _NO_ROOM = 2 << 30, 200 << 20  # bytes free
_LARGE_LOG = 256 << 20  # a crawl lets its log grow to 48 MB, and cuts it at 64
_NETWORK = (
    *("nfs", "cifs", "smb", "9p", "afs", "ceph", "glusterfs", "lustre", "beegfs", "davfs"),
    *("fuse.sshfs", "fuse.s3fs", "fuse.rclone", "fuse.gcsfuse", "fuse.glusterfs", "vboxsf"),
    *("virtiofs", "drvfs", "ocfs2", "gfs2"),
)
"""File systems that other machines may write, or without locks: how their names begin."""


class Check(NamedTuple):
    """One thing that was looked at."""

    check: str
    state: str  # ok, warn, fail
    said: str
    way_out: str = ""


def checks(store: StoreAddress) -> Iterator[Check]:
    """Yield what there is to say of a store, each as soon as it is known."""
    if isinstance(store, DatabaseAddress):
        from crawler.inspect.database_checks import checks as found

        return found(store)
    return _of_file(store)


def _of_file(path: Path) -> Iterator[Check]:
    yield _place(path)
    yield _room(path)
    if not path.is_file():
        yield Check("file", OK, f"{path} is not there yet; the first run makes it")
        return
    yield _access(path)
    yield _log(path)
    yield _claim(path)
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            yield from _of_content(db, path)
    except sqlite3.DatabaseError as error:
        way = "see `PRAGMA integrity_check`; bring back a copy, or start over with --fresh"
        yield Check("content", FAIL, str(error), way)


def _place(path: Path) -> Check:
    kind = _file_system(path)
    if kind is None:
        return Check("place", OK, f"{path.absolute().parent}, a file system that nothing names")
    if kind.startswith(_NETWORK):
        way = "put the store on a disk of this machine; for several machines take PostgreSQL"
        said = (
            f"{path.absolute().parent} is on {kind}: SQLite's locks and its log do not hold there"
        )
        return Check("place", FAIL, said, way)
    return Check("place", OK, f"{path.absolute().parent} on {kind}")


def _file_system(path: Path) -> str | None:
    """Return the type of the file system that a path is on, None where nothing tells."""
    found: tuple[int, str] | None = None
    try:
        real = os.path.realpath(path.absolute().parent)
        lines = _MOUNTS.read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    for line in lines:
        parts = line.split(" ")
        if len(parts) < 3:
            continue
        point, kind = parts[1].encode().decode("unicode_escape"), parts[2]
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        if inside and (found is None or len(point) >= found[0]):
            found = len(point), kind
    return found and found[1]


def _room(path: Path) -> Check:
    folder = path.absolute().parent
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    size = path.stat().st_size if path.is_file() else 0
    said = f"{_size(free)} free, the store has {_size(size)}"
    way = "free some, or keep less: store.bodies, store.links (docs/schema.md has what takes room)"
    state = FAIL if free < _NO_ROOM else WARN if free < max(_LITTLE_ROOM, size // 10) else OK
    return Check("room", state, said, "" if state == OK else way)


def _access(path: Path) -> Check:
    folder = path.absolute().parent
    if not os.access(path, os.R_OK):
        return Check("rights", FAIL, f"{path} cannot be read", f"chmod u+r {path}")
    for part in (path, folder):  # log and lock stand beside it
        if not os.access(part, os.W_OK):
            way = f"chmod u+w {part}, or name another store"
            return Check("rights", FAIL, f"{part} cannot be written", way)
    return Check("rights", OK, f"{path} and its folder can be written")


def _log(path: Path) -> Check:
    log = path.with_name(path.name + "-wal")
    size = log.stat().st_size if log.exists() else 0
    if size > _LARGE_LOG:
        way = "end what reads for long (a notebook, a query that is not fetched to its end)"
        return Check(
            "log", WARN, f"{log.name} has {_size(size)}: a reader keeps it from ending", way
        )
    return Check("log", OK, f"{_size(size)} in the write-ahead log")


def _claim(path: Path) -> Check:
    from crawler.inspect.status import lives

    lock = path.with_name(path.name + ".lock")
    with suppress(OSError, ValueError):
        pid = int(lock.read_text("ascii"))
        if lives(pid):
            return Check("claim", OK, f"process {pid} is crawling into it")
        return Check("claim", OK, f"process {pid} died; the next run goes on where it was")
    return Check("claim", OK, "no crawl is running")


def _of_content(db: sqlite3.Connection, path: Path) -> Iterator[Check]:
    from crawler.store.schema import APPLICATION_ID, VERSION

    [(version,)], [(application,)] = (
        db.execute(f"PRAGMA {name}").fetchall() for name in ("user_version", "application_id")
    )
    if application != APPLICATION_ID:
        yield Check("schema", FAIL, "an SQLite database, but not a crawl's", "name another store")
        return
    yield schema_check(version, VERSION)
    found = [row[0] for row in db.execute("PRAGMA quick_check(5)")]
    if found == ["ok"]:
        yield Check("content", OK, "PRAGMA quick_check finds nothing")
    else:
        way = "bring back a copy, or save what can be read: crawler export; then --fresh"
        yield Check("content", FAIL, "; ".join(found)[:300], way)


def schema_check(version: int, known: int) -> Check:
    """Return what is to be said of the version of a store's schema."""
    if version > known:
        said = f"version {version}, made by a newer Crawlkeep; this one knows {known}"
        return Check("schema", FAIL, said, "upgrade crawlkeep")
    if version < known:
        said = f"version {version}; the next command that writes makes {known} of it"
        return Check("schema", OK, said)
    return Check("schema", OK, f"version {version}")


def _size(number: int) -> str:
    value, unit = float(number), "B"
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            break
        value /= 1000
    return f"{value:,.0f} {unit}" if unit in ("B", "KB") else f"{value:,.1f} {unit}"
