"""How Datasette shows a store: its metadata, from our schema, and what it may read.

The words are those of the SQL files that make the tables and views; they stand nowhere twice.
"""

from __future__ import annotations

import ipaddress
import re
import sqlite3
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from crawler.errors import StoreRefused
from crawler.inspect import saved_queries
from crawler.inspect.query import UNSTOPPABLE, Reader
from crawler.inspect.status import overview
from crawler.lazy_regex import lazy
from crawler.store import views
from crawler.store.schema import MIGRATIONS
from crawler.store.sql_functions import Functions, limit_values

SECRET = frozenset({"cookies"})
"""Tables that nobody reads in a browser."""
INTERNAL = SECRET | {
    *("crawl", "seen", "todo", "robots", "simhashes", "endless", "patterns", "pattern_texts"),
    *("search", "item_types", "rendering_needs"),
}
"""Tables that the crawl works with: hidden, though there."""
_ENDLESS = UNSTOPPABLE | {"regexp"}
"""Functions that nobody calls: refused here, they need not raise, of which Datasette prints all."""
_FACETS = {"pages": ["outcome", "status"], "changes": ["kind"], "attempts": ["outcome"]}
_NEWEST = {"pages": "page_id", "changes": "change_id", "runs": "run_id", "ticks": "tick_id"}

_MADE = lazy(
    r"((?:^--[^\n]*\n)*)^CREATE (?:VIRTUAL )?(?:TABLE|VIEW) (?:IF NOT EXISTS )?(\w+)([^;]*);",
    re.MULTILINE,
)
_ADDED = lazy(r"((?:^--.*\n)+)^ALTER TABLE (\w+) ADD COLUMN (\w+)", re.MULTILINE)
_COLUMN = lazy(r"^ +(\w+) +[A-Z]{3,}.*?-- +(.+)$", re.MULTILINE)
_SENTENCE = lazy(r"(?<=\.)\s")


@cache
def words() -> dict[str, tuple[str, dict[str, str]]]:
    """Return what each table and view of ours is, in a sentence, and what its columns are."""
    found: dict[str, tuple[str, dict[str, str]]] = {}
    texts = [file.read_text(encoding="utf-8") for file in (*MIGRATIONS, views.FILE)]
    for text in texts:
        for match in _MADE.finditer(text):
            columns = dict(_COLUMN.findall(match[3]))
            found[match[2]] = (_first_sentence(match[1]), columns)
    for text in texts:
        for match in _ADDED.finditer(text):
            found[match[2]][1].setdefault(match[3], _first_sentence(match[1]))
    return found


def _first_sentence(comment: str) -> str:
    lines = (line.removeprefix("--").strip() for line in comment.splitlines())
    return _SENTENCE.split(" ".join(lines), 1)[0]


def metadata(reader: Reader, folder: Path = saved_queries.FOLDER) -> dict[str, Any]:
    """Return Datasette's metadata of a store, with the saved queries of a folder.

    Keys are those of Datasette 0.65 (docs.datasette.io, "Metadata"); 1.0 takes them as well.
    """
    path = Path(str(reader.path))
    spider = reader.values().get("spider") or path.stem
    tables = {name: _table(name) for name in [*words(), "outcomes"]}
    for (name,) in reader.query("SELECT name FROM item_types").rows:
        tables[name] = {
            "title": name,
            "description": f"Items of the type {name}, each with the page it was found on.",
        }
    shown = {"tables": tables, "queries": _queries(set(tables), folder)}
    return {"title": f"The crawl {spider}", "databases": {path.stem: shown}}


def _table(name: str) -> dict[str, Any]:
    about, columns = words().get(name, ("What follows from each outcome.", {}))
    made: dict[str, Any] = {"title": name.replace("_", " ").capitalize()}
    made |= {"description": about} if about else {}
    made |= {"columns": columns} if columns else {}
    made |= {"facets": _FACETS[name]} if name in _FACETS else {}
    made |= {"sort_desc": _NEWEST[name]} if name in _NEWEST else {}
    made |= {"allow": False} if name in SECRET else {}
    return made | ({"hidden": True} if name in INTERNAL else {})


def _queries(taken: set[str], folder: Path) -> dict[str, dict[str, str]]:
    """Return the saved queries; one that has the name of a table would stand in its place."""
    found = {}
    for name, about in saved_queries.saved(folder).items():
        sql = saved_queries.sql_of(name, folder).strip().rstrip("; \n")
        found[f"query_{name}" if name in taken else name] = {"sql": sql, "title": about or name}
    return found


def is_at_rest(path: Path) -> bool:
    """Return whether a store's crawl has finished and all of it is in the file itself.

    Only then it may be opened as immutable: SQLite then reads neither the log nor any lock.
    """
    log = path.with_name(path.name + "-wal")
    try:
        if log.stat().st_size:
            return False
    except FileNotFoundError:
        pass
    return overview(path).state == "finished"


def plugin() -> ModuleType:
    """Return the plug-in that gives Datasette our SQL functions and closes what is not shown."""
    from datasette import hookimpl

    def prepare_connection(conn: sqlite3.Connection) -> None:
        Functions(conn).bound(conn)
        limit_values(conn)
        conn.set_authorizer(_allowed)

    def asgi_wrapper() -> Any:
        return _only_by_address

    made = ModuleType("crawlkeep_store")  # Datasette asks a plug-in for the name of its module
    for hook in (prepare_connection, asgi_wrapper):
        setattr(made, hook.__name__, hookimpl(hook))
    return made


def _allowed(action: int, first: str | None, second: str | None, *place: str | None) -> int:
    """Deny what the live page denies to its box for SQL."""
    secret = action == sqlite3.SQLITE_READ and (first or "").lower() in SECRET
    endless = action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in _ENDLESS
    return sqlite3.SQLITE_DENY if secret or endless else sqlite3.SQLITE_OK


def _only_by_address(app: Any) -> Any:
    """Refuse requests under a foreign name: a site whose name leads here reads nothing."""

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        host = dict(scope.get("headers") or ()).get(b"host", b"").decode("latin-1")
        if scope["type"] != "http" or _is_address(host):
            await app(scope, receive, send)
            return
        text = b"this store is not served under that name; open the address that was printed"
        headers = [(b"content-type", b"text/plain; charset=utf-8")]
        await send({"type": "http.response.start", "status": 421, "headers": headers})
        await send({"type": "http.response.body", "body": text})

    return guarded


def _is_address(host: str) -> bool:
    """Return whether a Host header has no name that a foreign DNS answers for."""
    name = host.lower().rpartition("]")[0].removeprefix("[") or host.lower().partition(":")[0]
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name == "localhost"
    return True


def checked(reader: Reader) -> None:
    """Refuse what is no store: StoreRefused."""
    if not reader.names().get("item_types"):
        raise StoreRefused(f"{reader.path}: not a crawl's store; name another")
