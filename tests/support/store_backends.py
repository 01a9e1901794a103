"""The backends of the contract suite: how to reach a store, and how to read beside it."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postgres_server import server

from crawler.items import item
from crawler.store import Store, open_store
from crawler.store.address import address_of
from crawler.store.postgres.reading import ReadOnly
from crawler.web.outcome import Outcome
from crawler.web.request import Candidate, Todo, url_hash
from crawler.web.response import Response
from crawler.web.visit import Visit


@dataclass(frozen=True)
class Backend:
    """`store` gives a store on the same data each time; `read` queries from another connection."""

    store: Callable[..., Store]
    read: Callable[[str], list[tuple[Any, ...]]]
    shared: bool = False
    """Whether a second crawl takes part, where it is refused otherwise."""

    def kept(self, text: str) -> str:
        """A text as the backend keeps it: PostgreSQL takes no NUL."""
        return text.replace("\0", "\ufffd") if self.shared else text


def sqlite_backend(directory: Path) -> Backend:
    file = directory / "crawl.db"

    def read(sql: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    return Backend(lambda **options: open_store(str(file), **options), read)


def postgres_backend(directory: Path) -> Backend:
    address = address_of(server().dsn())

    def read(sql: str) -> list[tuple[Any, ...]]:
        with closing(ReadOnly(address)) as reader:
            return list(reader.query(sql).rows)

    return Backend(lambda **options: open_store(address, **options), read, shared=True)


BACKENDS = {"sqlite": sqlite_backend, "postgres": postgres_backend}


@item(key="text")
class Saying:
    text: str
    times: int


def candidate(url: str, *, rank: int = 0, depth: int = 0, force: bool = False) -> Candidate:
    host = url[: url.index("/", 8)]
    return Candidate(host, url_hash(url), url, depth, rank, None, None, force)


def visit(todo: Todo, body: bytes = b"<title>x</title>", **values: Any) -> Visit:
    """Give a visit that ended well, but for what `values` say."""
    response = Response(todo.url, 200, {"Content-Type": "text/html"}, body, 1_700_000_000.0, 0.1)
    made = Visit(todo, Outcome.OK, response.started, 200, response, encoding="utf-8")
    for name, value in values.items():
        setattr(made, name, value)
    return made
