"""The address of a store: a file, or a crawl in a database; and that the file is still there."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from crawler.errors import StoreGone, StoreRefused
from crawler.lazy_regex import lazy

_PRIVATE = 0o600
# A Path has made one slash of two; a drive of Windows is one letter.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]+):/")
_PARTS = ("", "-wal", "-shm", ".lock")
_POSTGRES = ("postgresql", "postgres")
_CRAWL = lazy(r"[a-z_][a-z0-9_]{0,39}")


class DatabaseAddress:
    """A crawl in a PostgreSQL database. As text it says no password.

    `dsn` is for the connection alone: it holds the password. `crawl` names the schema.
    """

    # No dataclass, whose import would take a tenth of the start of `status`.
    __slots__ = ("crawl", "dsn", "shown")

    def __init__(self, dsn: str, crawl: str, shown: str) -> None:
        self.dsn, self.crawl, self.shown = dsn, crawl, shown

    def __str__(self) -> str:
        return self.shown

    def __repr__(self) -> str:
        return f"DatabaseAddress({self.shown!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DatabaseAddress):
            return NotImplemented
        return (self.dsn, self.crawl) == (other.dsn, other.crawl)

    def __hash__(self) -> int:
        return hash((self.dsn, self.crawl))

    @property
    def name(self) -> str:
        """Its name among the stores."""
        return self.crawl


StoreAddress: TypeAlias = Path | DatabaseAddress
"""What names a store: the path of an SQLite file, or a crawl in a PostgreSQL database."""


def address_of(address: str | StoreAddress, *, crawl: str | None = None) -> StoreAddress:
    """Return what the address of a store stands for; `crawl` names it where the address does not.

    StoreRefused for what is none.
    """
    if isinstance(address, DatabaseAddress):
        return address
    text = str(address)
    if text.partition("://")[0].lower() in _POSTGRES and "\0" not in text:
        return _database(text, crawl)
    return file_of(address)


def without_password(text: str) -> str:
    """Return the address of a database without what is secret in it; any other text as it is."""
    if text.partition("://")[0].lower() not in _POSTGRES:
        return text
    from urllib.parse import parse_qsl, urlencode, urlsplit

    parts = urlsplit(text)
    user, at, host = parts.netloc.rpartition("@")
    said = [(k, v) for k, v in parse_qsl(parts.query) if k not in ("password", "sslpassword")]
    netloc = f"{user.partition(':')[0]}{at}{host}"
    return parts._replace(netloc=netloc, query=urlencode(said, safe="/:,")).geturl()


def _database(text: str, crawl: str | None) -> DatabaseAddress:
    """Return what `postgresql://user@host/database?crawl=name` stands for."""
    from urllib.parse import parse_qsl, urlencode, urlsplit

    parts = urlsplit(text)
    pairs = parse_qsl(parts.query)
    shown = without_password(text)
    if "://" not in shown or not shown.startswith(parts.scheme):
        shown = f"{parts.scheme}://…"
    named = dict(pairs).get("crawl", crawl)
    if named is None:
        raise StoreRefused(f"{shown}: name the crawl, too: …?crawl=NAME")
    if "crawl" not in dict(pairs):
        shown += f"{'&' if parts.query else '?'}crawl={named}"
    reserved = named in ("public", "information_schema") or named.startswith("pg_")
    if reserved or not _CRAWL.fullmatch(named):
        raise StoreRefused(
            f"{shown}: {named!r} names no crawl; take small letters, digits and _, up to 40"
        )
    rest = urlencode([(key, value) for key, value in pairs if key != "crawl"], safe="/:,")
    return DatabaseAddress(parts._replace(query=rest).geturl(), named, shown)


def file_of(address: str | Path) -> Path:
    """Return the path that the address of a store stands for.

    StoreRefused for what is none: SQLite would make a file of that very name, or keep nothing.
    """
    text = str(address)
    if not text or "\0" in text:
        raise StoreRefused(f"{text!r} names no store; give the path of a file: data/example.db")
    if text == ":memory:" or text.startswith("file::memory:"):
        raise StoreRefused(
            f"{text}: a store is a file, from which a crawl is resumed; give a path, such as"
            " that of a temporary file"
        )
    if text.startswith("file:"):
        raise StoreRefused(f"{text}: give the path alone, without file: and parameters")
    if scheme := _SCHEME.match(text):  # what follows may hold a password
        if scheme[1].lower() in _POSTGRES:
            raise StoreRefused(
                f"{scheme[1]}://…: this needs the file of a store; what works over PostgreSQL, and"
                " what does not yet, is in docs/machines.md"
            )
        raise StoreRefused(
            f"{scheme[1]}://…: a store is one SQLite file (data/example.db) or a crawl in"
            " PostgreSQL (postgresql://user@host/database?crawl=NAME)"
        )
    return Path(address)


def make_private(path: Path) -> None:
    """Make an empty file that its owner alone can read, if there is none: cookies go into it.

    SQLite gives its log the same rights. A file that is there keeps its own.
    """
    # Only then: to close another descriptor of a file drops the locks that SQLite has on it.
    if not path.exists():
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, _PRIVATE))


class StoreFile:
    """A store's file and what belongs to it, as they were when it was opened.

    SQLite goes on writing into files that were moved or deleted, and says nothing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._parts: dict[str, tuple[Path, os.stat_result]] = {}

    def note(self) -> None:
        """Remember the files as they are now: opened, and claimed."""
        full = self.path.absolute()  # the working directory may change
        for ending in _PARTS:
            part = full.with_name(full.name + ending)
            with suppress(FileNotFoundError):
                self._parts[ending] = (part, part.stat())

    def check(self) -> None:
        """Raise StoreGone if one of them is no longer there, or another one; takes microseconds."""
        for ending, (part, known) in self._parts.items():
            try:
                found = part.stat()
            except OSError:
                raise self._gone(ending) from None
            emptied = not ending and found.st_size == 0 < known.st_size
            if emptied or not os.path.samestat(known, found):
                raise self._gone(ending)

    @property
    def missing(self) -> bool:
        """Whether there is no file any more where it was opened."""
        return "" in self._parts and not self._parts[""][0].exists()

    def remove_rest(self) -> None:
        """Remove the log and its index: what was in them is in the file, wherever that is."""
        for ending in ("-wal", "-shm"):
            if ending in self._parts:
                self._parts[ending][0].unlink(missing_ok=True)

    def _gone(self, ending: str) -> StoreGone:
        way = "run the same command again"
        if not ending:
            way = f"put it back and {way}; without it that begins anew"
        return StoreGone(
            f"{self.path}{ending}: moved, deleted or replaced while this command wrote into the"
            f" store, and no more is stored; {way}"
        )
