"""A store with something of everything, the kinds of damage that are done to it, and the commands.

Each damage is what a failing disk, a careless hand or another tool leaves: one value that is not
what it should be, or pages of the file that are not what they were.
"""

import contextlib
import io
import logging
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from data_story import SmallWeb, crawl, on_web, page

from crawler import item
from crawler.cli import run
from crawler.store import requeue

LATER = "2999-01-01T00:00:00.000Z"
SPIDER = """
from crawler import Download, Rule, Spider, item

@item(key="name", history=True)
class Ware:
    name: str
    tags: list[str]

class Wares(Spider):
    name = "wares"
    rules = (Rule(),)
    start_urls = ["{url}"]

    def parse(self, page):
        yield Ware(page.title or "none", [page.text[:5]])
        yield {{"a": 1}}
        if page.url.endswith("/"):
            yield Ware(1, [])
            yield Download(page.urljoin("/file.bin"))
"""


@item(key="name", history=True)
class Ware:
    name: str
    tags: list[str]


def whole_store(folder: Path) -> str:
    """Make `a.db` and `wares.py` in a folder, and return the URL of a first page, dead."""
    store = folder / "a.db"
    home = ""

    async def tell(web: SmallWeb) -> None:
        nonlocal home
        home = web.url + "/"
        web.add("/", page("home", "/b", "/c", "/gone", text="words to find"))
        web.add("/b", page("b", text="other words"), ETag='"1"')
        web.add("/c", page("c", "/gone"))
        web.add("/file.bin", "data", Content_Type="application/octet-stream")
        (folder / "wares.py").write_text(SPIDER.format(url=home), encoding="utf-8")
        spider = _spider(folder / "wares.py")
        await crawl(store, spider, store={"text": True})
        web.add("/c", page("c", "/d", text="changed"))
        requeue.recrawl(store, LATER, all_=True)
        await crawl(store, _spider(folder / "wares.py"), store={"text": True})

    on_web(tell)
    requeue.recrawl(store, LATER, "url LIKE '%/b'", all_=True)  # something is queued
    with closing(sqlite3.connect(store)) as db, db:
        db.execute("DELETE FROM texts WHERE url LIKE '%/c'")  # something is to be indexed
    return home


def outcome_of(arguments: list[str]) -> tuple[int, str]:
    """Run a command here; give its exit code and what it said of errors."""
    err = io.StringIO()
    before = list(logging.getLogger().handlers)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(err):
        code = run(arguments)
    logging.getLogger().handlers[:] = before
    return code, err.getvalue()


def _spider(path: Path) -> Any:
    from crawler.cli import spider_loader

    return spider_loader.load(str(path), [])


def copy_of(store: Path, to: Path) -> Path:
    for ending in ("", "-wal"):
        part = store.with_name(store.name + ending)
        if part.exists():
            shutil.copyfile(part, to.with_name(to.name + ending))
    return to


def sql(*statements: str) -> Callable[[Path], None]:
    def harm(path: Path) -> None:
        with closing(sqlite3.connect(path)) as db, db:
            for statement in statements:
                db.execute(statement)

    return harm


def _overwritten(name: str) -> Callable[[Path], None]:
    """Overwrite the root page of a table or index."""

    def harm(path: Path) -> None:
        with closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA journal_mode = DELETE")
            [(root,)] = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,))
            [(size,)] = db.execute("PRAGMA page_size")
        with path.open("rb+") as file:
            file.seek((root - 1) * size)
            file.write(b"\xa5" * size)

    return harm


def _plain(path: Path) -> int:
    """Leave the write-ahead log, and return the size of a page."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
        [(size,)] = db.execute("PRAGMA page_size")
    return int(size)


def _filled(byte: bytes, first: int, last: int | None = None) -> Callable[[Path], None]:
    """Overwrite pages of the file, the first being 0; to the end without a last."""

    def harm(path: Path) -> None:
        size = _plain(path)
        with path.open("rb+") as file:
            end = path.stat().st_size if last is None else last * size
            file.seek(first * size)
            file.write(byte * (end - first * size))

    return harm


def _every_other(path: Path) -> None:
    size = _plain(path)
    with path.open("rb+") as file:
        for at in range(2 * size, path.stat().st_size - size, 2 * size):
            file.seek(at)
            file.write(bytes(size))


def _torn_log(path: Path) -> None:
    path.with_name(path.name + "-wal").write_bytes(b"\x37\x7f\x06\x82" + b"\xa5" * 9000)


def _cut(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
    with path.open("rb+") as file:
        file.truncate(path.stat().st_size // 2)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "headers that are no JSON": sql("UPDATE pages SET headers = '{'"),
    "headers that are no object": sql("UPDATE pages SET headers = '[1]'"),
    "requests that are no JSON": sql("UPDATE pages SET request = '{'", "UPDATE todo SET extra='{'"),
    "bodies that are no zstd": sql("UPDATE bodies SET body = x'00112233'"),
    "bodies cut short": sql("UPDATE bodies SET body = substr(body, 1, length(body) / 2)"),
    "bodies of numbers": sql("UPDATE bodies SET body = 7"),
    "links that are no JSON": sql("UPDATE link_lists SET targets = '['"),
    "columns of an item type that are no JSON": sql("UPDATE item_types SET columns = '{'"),
    "an item type without its table": sql("INSERT INTO item_types VALUES ('x','{}','[]',0,'{}')"),
    "settings that are no JSON": sql("UPDATE runs SET settings = '{', items = '{'"),
    "settings of other types": sql('UPDATE runs SET settings = \'{"links": 7, "engine": []}\''),
    "values of the crawl": sql("UPDATE crawl SET value = 'x' WHERE key NOT IN ('spider')"),
    "a scope of no URLs": sql("INSERT OR REPLACE INTO crawl VALUES ('scope', '[\"abc\"]')"),
    "times that are none": sql("UPDATE pages SET fetched_at = 'soon', first_at = 'soon'"),
    "numbers that are none": sql(
        "UPDATE hosts SET next_at = 'x', delay = 'x'", "UPDATE counters SET value = 'x'"
    ),
    "URLs of bytes": sql("UPDATE pages SET url = x'ff00'", "UPDATE todo SET url = x'ff00'"),
    "text that is no UTF-8": sql("UPDATE pages SET title = CAST(x'ff' AS TEXT)"),
    "a table that is gone": sql("DROP TABLE attempts"),
    "a column that is gone": sql("ALTER TABLE runs DROP COLUMN reason"),
    "a search index without data": sql("DELETE FROM search_data"),
    "a table overwritten": _overwritten("pages"),
    "an index overwritten": _overwritten("pages_url"),
    "a file cut short": _cut,
    "every other page of zeros": _every_other,
    "all pages but the first of zeros": _filled(b"\0", 1),
    "a header of zeros": _filled(b"\0", 0, 1),
    "a header overwritten": _filled(b"\xa5", 0, 1),
    "a file of zeros": _filled(b"\0", 0),
    "a file cut in its header": lambda path: path.write_bytes(path.read_bytes()[:60]),
    "a file cut to its first page": lambda path: path.write_bytes(
        path.read_bytes()[: _plain(path)]
    ),
    "a log that is none": _torn_log,
    "links of bytes": sql("UPDATE link_lists SET targets = x'ff00'"),
    "statuses that are none": sql("UPDATE pages SET status = 'x', depth = 'x', elapsed = 'x'"),
    "outcomes that are none": sql("UPDATE pages SET outcome = 'nonsense'"),
    "a schema overwritten": lambda path: path.write_bytes(
        path.read_bytes()[:100] + b"\xa5" * 3000 + path.read_bytes()[3100:]
    ),
}


def commands(store: Path, home: str, folder: Path) -> dict[str, list[str]]:
    """The commands, by name."""
    at = ["--store", str(store)]
    fast = ["--set", "politeness.delay=0", "--set", "fetch.retries=0", "-q"]
    wares = str(folder / "wares.py")
    return {
        "status": ["status", str(store)],
        "query": ["query", "SELECT url, title, headers FROM pages", *at],
        "search": ["search", "words", *at],
        "search --index": ["search", "--index", *at],
        "export pages": ["export", "pages", "-o", str(folder / "o.jsonl"), *at],
        "export links": ["export", "links", "-o", str(folder / "o.csv"), *at],
        "export items": ["export", "ware", "-o", str(folder / "o.parquet"), *at],
        "export warc": ["export", "pages", "-o", str(folder / "o.warc.gz"), *at],
        "export markdown": ["export", "pages", "-f", "markdown", "-o", str(folder / "md"), *at],
        "changes": ["changes", "--since", "2000-01-01", *at],
        "diff": ["diff", "1", "2", *at],
        "diff of two": ["diff", str(store), str(folder / "a.db")],
        "why": ["why", home, *at],
        "report": ["report", "-o", str(folder / "o.html"), *at],
        "report politeness": ["report", "politeness", *at],
        "reparse": ["reparse", wares, *at],
        "reparse --apply": ["reparse", wares, "--apply", "--processes", "1", *at],
        "retry": ["retry", *at],
        "recrawl": ["recrawl", wares, "--all", *at, *fast],
        "run": ["run", wares, *at, *fast],
        "export sqlite": ["export", "pages", "-o", str(folder / "o.sqlite"), *at],
        "export csv": ["export", "item", "-o", str(folder / "o2.csv"), *at],
        "traps": ["traps", str(store)],
        "pause": ["pause", *at],
        "why of a queued": ["why", home + "b", *at],
        "doctor": ["doctor"],
        "import": ["import", str(folder / "list.txt"), *at, "--spider", "wares"],
    }
