"""Every block of code in README.md, CONTRIBUTING.md and docs/ is run by some test.

`blocks()` finds them all. Those of other tests are named with the test that runs them; the blocks
of the reference pages are run here. A new block that nothing runs fails the last test.
"""

import re
import sqlite3
import textwrap
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from browser_story import needs_browser
from docs_story import desk, execute, run, run_block, run_page
from site_thread import site_on_a_thread

import crawler
from crawler import Crawler
from crawler.config.layers import load
from crawler.testing import page_from
from spiders.quotes import Quotes
from tests.docs import test_clients, test_how_to, test_http, test_links, test_patterns
from tests.practice import test_oddities
from tests.store import test_schema

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FENCE = re.compile(
    r'^( *)```(\w*)(?: title="([^"]+)")?[^\n]*\n(.*?)^ *```$', re.DOTALL | re.MULTILINE
)
STORIES = {"README.md", *(str(page.relative_to(ROOT)) for page in test_how_to.PAGES)}
ELSEWHERE = {
    ("CONTRIBUTING.md", "console"): "it is what CI calls",
    ("docs/browser.md", "sql"): "tests/browser/test_checks.py asks the same table",
    ("docs/how-to/changes.md", "text"): "a line for cron, of commands that stand above it",
    ("docs/testing.md", "text"): "output; tests/testing/test_heal.py compares it",
    ("docs/from-colly.md", "go"): "the other side of the comparison",
}
"""What no test of ours can run, and why."""
THEIRS = re.compile(r"^(import scrapy|from crawlee|import asyncio\n\nfrom crawlee)", re.MULTILINE)


class Block(NamedTuple):
    """A block of code: where it stands, its language, the file or kind that it is said to be."""

    page: str
    line: int
    language: str
    title: str
    text: str


def blocks() -> Iterator[Block]:
    """Yield every block of every page; the pages that are made from the code have none to run."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
    for page in pages:
        if page.name in ("configuration.md", "cli.md"):
            continue
        text = page.read_text(encoding="utf-8")
        for found in FENCE.finditer(text):
            _, language, title, code = found.groups()
            line = text.count("\n", 0, found.start()) + 1
            where = str(page.relative_to(ROOT))
            yield Block(where, line, language, title or "", textwrap.dedent(code))


def of(page: str, language: str) -> list[str]:
    return [b.text for b in blocks() if b.page == page and b.language == language]


def run_elsewhere() -> set[str]:
    """Return the texts of the blocks that other tests run, as those tests have them."""
    found = {code for _, code in test_clients.EXAMPLES}
    found |= {code for _, code in test_http.EXAMPLES}
    found |= {code for _, code in test_patterns.EXAMPLES}
    for page in ("links.md", "politeness.md"):
        found |= set(test_links.blocks(page, "python"))
    found |= set(test_links.blocks("politeness.md", "toml"))
    found.add(test_oddities.DOCS.split("```python\n")[1].split("```")[0])
    found |= set(test_schema.EXAMPLES)
    embedding = (ROOT / "examples" / "embedding").glob("*.py")  # tests/engine runs each
    found |= {file.read_text(encoding="utf-8") for file in embedding}
    return found


# ---------------------------------------------------------------- the pages run here

RUN_HERE = {
    ("docs/browser.md", "console"),
    ("docs/dashboard.md", "console"),
    ("docs/export.md", "console"),
    ("docs/feeds.md", "python"),
    ("docs/index.md", "console"),
    ("docs/links.md", "sql"),
    ("docs/politeness.md", "console"),
    ("docs/spiders.md", "python"),
    ("docs/text.md", "sql"),
    ("docs/how-to/prometheus.md", "yaml"),
    ("docs/how-to/proxies.md", "toml"),
}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with desk(tmp_path, monkeypatch), site_on_a_thread() as served:
        yield served.url


def test_the_first_page_runs(site: str) -> None:
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    run_page(text.replace("https://docs.python.org/3/", site))


def test_the_page_about_the_live_page_runs(site: str) -> None:
    assert run(f"crawler run quotes -a base={site} --quiet").code == 0
    run_page((DOCS / "dashboard.md").read_text(encoding="utf-8"))


def test_the_pages_about_politeness_export_and_text_run(site: str) -> None:
    made = f"crawler crawl {site}shop/ --scope prefix --max-pages 20 --quiet --set store.text=true"
    assert run(f"{made} --store data/example.com.db").code == 0
    assert run(f"crawler run quotes -a base={site} --quiet").code == 0
    for page in ("politeness.md", "export.md"):
        for block in of(f"docs/{page}", "console"):
            at_home = block.replace("https://example.com/page", f"{site}shop/")
            at_home = at_home.replace("https://example.com/", f"{site}shop/category/lamps/")
            run_shown(at_home)
    with closing(sqlite3.connect("data/example.com.db")) as db:
        for page in ("links.md", "text.md"):
            for sql in of(f"docs/{page}", "sql"):
                db.execute(sql).fetchall()


def test_the_configuration_of_other_programs_is_that_of_the_files(tmp_path: Path) -> None:
    [scrape] = of("docs/how-to/prometheus.md", "yaml")
    deployed = (ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    assert deployed.endswith(scrape)
    proxies, _ = of("docs/how-to/proxies.md", "toml")
    (tmp_path / "config.toml").write_text(proxies, encoding="utf-8")
    environ = {"PROXY_USER": "me", "PROXY_PASSWORD": "secret"}
    assert len(load(tmp_path / "config.toml", environ=environ).proxy.urls) == 2


def run_shown(block: str) -> None:
    with ExitStack() as servers:
        run_block(block, servers)


@needs_browser
def test_the_commands_that_look_into_a_browser_run(site: str) -> None:
    [block] = of("docs/browser.md", "console")
    run_shown(block.replace("http://127.0.0.1:8000/", site))
    assert Path("shop.png").read_bytes().startswith(b"\x89PNG")


def test_the_fragments_about_spiders_run(site: str) -> None:
    """In a place where the names are that they leave out."""

    class At(Quotes):
        start_urls = (site,)

    async def load_rates(settings: object) -> dict[str, float]:
        return {}

    names: dict[str, Any] = {name: getattr(crawler, name) for name in crawler.__all__}
    names |= {"replace": replace, "connect": dict, "load_rates": load_rates, "sign": str}
    names |= {"Crawler": Crawler, "Quotes": At, "__name__": "cell"}
    for code in of("docs/spiders.md", "python"):
        execute(code, names)
    assert names["summary"].items == 100


LINKED = """<title>Lamp</title><script type=application/ld+json>
{"@context": "https://schema.org", "@type": "Product", "name": "Lamp"}</script>"""


def test_the_fragments_about_feeds_run() -> None:
    names: dict[str, Any] = {name: getattr(crawler, name) for name in crawler.__all__}
    names |= {"page": page_from(LINKED, url="http://shop.example/lamp"), "__name__": "cell"}
    for code in of("docs/feeds.md", "python"):
        execute(code, names)
    assert names["product"]["name"] == "Lamp"
    feed = "<shop><product><id>1</id><name>Lamp</name></product></shop>"
    headers = {"Content-Type": "application/xml"}
    page = page_from(feed, url="http://shop.example/products.xml", headers=headers)
    assert list(names["Shop"]().parse(page)) == [names["Product"](1, "Lamp")]
    priced = names["Product"](1, "Lamp", 9.5)
    assert list(names["Large"]().parse_record(priced, None)) == [priced]


PORTS = [
    block
    for block in blocks()
    if block.page.startswith("docs/from-") and block.language == "python"
    if not THEIRS.search(block.text)
] + [block for block in blocks() if block.page == "docs/browser.md" and block.language == "python"]


@pytest.mark.parametrize("block", PORTS, ids=lambda block: block.page)
def test_a_spider_that_is_shown_can_be_made(block: Block) -> None:
    names: dict[str, Any] = {"__name__": "cell"}
    exec(compile(block.text, block.page, "exec"), names)
    spiders = [n for n in names.values() if isinstance(n, type) and issubclass(n, crawler.Spider)]
    assert [spider() for spider in spiders if spider.__module__ == "cell"]


# ---------------------------------------------------------------- nothing is left out


def is_run(block: Block, elsewhere: set[str]) -> bool:
    if block.page in STORIES and (block.language == "console" or block.title):
        return True
    if block.page == "docs/from-colly.md" and block.language == "go":
        return True
    key = (block.page, block.language)
    if key in ELSEWHERE or key in RUN_HERE or block.text in elsewhere:
        return True
    theirs = block.page.startswith("docs/from-") and THEIRS.search(block.text)
    return block in PORTS or bool(theirs)


def test_every_block_is_run() -> None:
    elsewhere = run_elsewhere()
    found = list(blocks())
    assert len(found) > 150
    left = [f"{b.page}:{b.line} ({b.language})" for b in found if not is_run(b, elsewhere)]
    assert left == [], "run it in a test, or say in ELSEWHERE why not"


def test_every_extra_that_is_named_can_be_installed() -> None:
    """In the pages, and in what the code says of what is missing."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named: set[str] = set()
    for file in [ROOT / "README.md", *DOCS.rglob("*.md"), *(ROOT / "crawler").rglob("*.py")]:
        text = file.read_text(encoding="utf-8")
        for extras in re.findall(r"pip install '(?:\.|crawlkeep)\[([\w,-]+)\]", text):
            named.update(extras.split(","))
    assert len(named) > 10
    assert named - set(project["optional-dependencies"]) == set()
