"""The systems under comparison: one row each. To change or add one, edit its row.

A command is a tuple of words; `{seed}`, `{prefix}`, `{result}` (an empty directory), `{urls}` (a
file with every page of the corpus), `{root}` (the checkout), `{here}` (this directory) and
`{python}` (of the system's own environment) are filled in. `found` reads back, from the result
directory, the URLs of the pages that the system says it stored.
"""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
WORK = HERE / ".work"


def found_in_text(result: Path) -> set[str]:
    return set((result / "found.txt").read_text().split())


def found_in_json(result: Path) -> set[str]:
    return set(json.loads((result / "found.json").read_text()))


def found_in_lines(result: Path) -> set[str]:
    with (result / "pages.jsonl").open() as lines:
        return {json.loads(line)["url"] for line in lines}


def found_in_sql(query: str, name: str = "pages.db") -> Callable[[Path], set[str]]:
    """Return a reader of the URLs that `query` selects from the SQLite file `name`."""

    def found(result: Path) -> set[str]:
        store = sqlite3.connect(f"file:{result / name}?mode=ro", uri=True)
        try:
            return {url for (url,) in store.execute(query)}
        finally:
            store.close()

    return found


@dataclass(frozen=True, slots=True)
class System:
    """One row: what is installed, what is run, how its pages are read, what it keeps."""

    name: str
    title: str
    durable: str
    command: tuple[str, ...]
    found: Callable[[Path], set[str]]
    environment: str = ""
    requirements: tuple[str, ...] = ()
    build: str = ""
    table: str = "crawl"


OURS = "ours"
SKETCH_REQUIREMENTS = (
    "aiohttp[speedups]",
    "uvloop",
    "selectolax",
    "ada-url",
    "xxhash",
    "zstandard",
)
OURS_COMMAND = str(WORK / "venvs" / OURS / "bin" / "crawler")
OURS_REQUIREMENTS = (str(ROOT),)
OURS_FLAGS = (
    *("--store", "{result}/pages.db", "--quiet"),
    *("--set", "politeness.delay=0", "--set", "politeness.per_host=32"),
    *("--set", "politeness.robots=false", "--set", "engine.workers=32"),
)
OURS_PAGES = found_in_sql("SELECT url FROM pages WHERE outcome = 'ok'")
SCRAPLING = ("scrapling[fetchers]", "uvloop")
CRAWLEE = ("crawlee[parsel,beautifulsoup]",)
CRAWLEE_COMMAND = ("{python}", "{here}/peers/crawlee_site.py", "{seed}", "{result}")

SYSTEMS = (
    System(
        OURS,
        "Crawlkeep",
        "SQLite: pages, bodies, links, queue",
        (OURS_COMMAND, "crawl", "{seed}", "--scope", "prefix", *OURS_FLAGS),
        OURS_PAGES,
        OURS,
        OURS_REQUIREMENTS,
    ),
    System(
        "ours-2",
        "Crawlkeep, two processes",
        "SQLite: pages, bodies, links, queue",
        (
            *(OURS_COMMAND, "crawl", "{seed}", "--scope", "prefix", *OURS_FLAGS),
            *("--set", "engine.processes=2"),
        ),
        OURS_PAGES,
        OURS,
        OURS_REQUIREMENTS,
    ),
    System(
        "scrapy",
        "Scrapy, JOBDIR",
        "queue files, JSON lines",
        ("{python}", "{here}/peers/scrapy_site.py", "{seed}", "{result}"),
        found_in_lines,
        "scrapy",
        ("scrapy",),
    ),
    System(
        "crawlee-parsel",
        "Crawlee Parsel, files",
        "a file per request and page",
        (*CRAWLEE_COMMAND, "parsel", "file"),
        found_in_json,
        "crawlee",
        CRAWLEE,
    ),
    System(
        "crawlee-parsel-memory",
        "Crawlee Parsel, memory",
        "nothing",
        (*CRAWLEE_COMMAND, "parsel", "memory"),
        found_in_json,
        "crawlee",
        CRAWLEE,
    ),
    System(
        "scrapling",
        "Scrapling, JSON lines",
        "JSON lines; no queue",
        ("{python}", "{here}/peers/scrapling_site.py", "{seed}", "{result}"),
        found_in_lines,
        "scrapling",
        SCRAPLING,
    ),
    System(
        "crawlee-js",
        "Crawlee for JavaScript (Cheerio), files",
        "a file per request and page",
        ("node", "{here}/.work/crawlee-js/site.mjs", "{seed}", "{result}"),
        found_in_json,
        build="crawlee-js",
    ),
    System(
        "colly",
        "Colly (Go), JSON lines",
        "JSON lines; no queue",
        ("{here}/.work/colly", "{seed}", "{result}"),
        found_in_lines,
        build="colly",
    ),
    System(
        "sketch",
        "sketch (reference)",
        "SQLite: pages, bodies, links, queue",
        ("{python}", "{here}/sketch.py", "{seed}", "{result}"),
        found_in_sql("SELECT url FROM pages JOIN urls USING (id) WHERE status = 200"),
        "sketch",
        SKETCH_REQUIREMENTS,
    ),
    System(
        "bare",
        "bare aiohttp GET (floor)",
        "nothing, and parses nothing",
        ("{python}", "{here}/peers/bare.py", "{urls}", "{result}"),
        found_in_text,
        "sketch",
        SKETCH_REQUIREMENTS,
    ),
    System(
        "ours-soup",
        "Crawlkeep, page.soup",
        "SQLite: pages, bodies, links, queue",
        (
            *(OURS_COMMAND, "run", "{here}/peers/soup_spider.py:Soup"),
            *("-a", "seed={seed}", "--set", "engine.scope=prefix", *OURS_FLAGS),
        ),
        OURS_PAGES,
        OURS,
        OURS_REQUIREMENTS,
        table="soup",
    ),
    System(
        "crawlee-soup",
        "Crawlee BeautifulSoup, files",
        "a file per request and page",
        (*CRAWLEE_COMMAND, "soup", "file"),
        found_in_json,
        "crawlee",
        CRAWLEE,
        table="soup",
    ),
)


def python_of(environment: str) -> Path:
    return WORK / "venvs" / environment / "bin" / "python"
