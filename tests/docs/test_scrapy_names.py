"""Every documented name of Scrapy is here, covered otherwise or left out; none is ignored."""

import ast
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import crawler
from crawler import Spider
from crawler.cli import COMMANDS
from crawler.config.layers import SECTIONS, keys
from crawler.errors import SpiderError
from crawler.spider import check
from crawler.spider.running import RunningCrawl
from crawler.spider.scrapy_names import ScrapyName, scrapy_name, scrapy_names

ROOT = Path(__file__).parents[2]
NAMES = Path(__file__).with_name("scrapy-2.18.txt")
"""What `.. setting::`, `.. signal::`, `.. attribute::`, `:param` and the list of special keys of
meta name in the documentation of Scrapy 2.18."""
CLASSES = {name: getattr(crawler, name) for name in crawler.__all__} | {
    "RunningCrawl": RunningCrawl
}
OURS = [row for row in scrapy_names() if row.kind == "spider" and hasattr(Spider, row.name)]


def is_there(name: str) -> bool:
    """Whether a name of the column `here` exists: a key, a section, a command, a class's name."""
    first, _, rest = name.partition(" ")
    if first == "crawler":
        return rest.split()[0] in COMMANDS
    if rest.startswith("--"):
        text = (ROOT / "docs" / "cli.md").read_text("utf-8")
        section = text.partition(f"\n## crawler {first}\n")[2].partition("\n## ")[0]
        return f"`{rest}" in section
    owner, dot, own = name.partition(".")
    if owner in CLASSES and dot:
        kind = CLASSES[owner]
        return hasattr(kind, own) or own in kind.__init__.__code__.co_names
    return name in CLASSES or name in SECTIONS or name in {f"{k.section}.{k.name}" for k in keys()}


def test_the_table_has_every_documented_name_once() -> None:
    known = [line.split("\t") for line in NAMES.read_text("utf-8").splitlines()]
    assert [[row.kind, row.name] for row in scrapy_names()] == known
    assert len({(row.kind, row.name) for row in scrapy_names()}) == len(known) > 270


@pytest.mark.parametrize("verdict", ["here", "otherwise", "left out"])
def test_what_the_table_names_exists_and_what_it_leaves_out_has_a_reason(verdict: str) -> None:
    rows = [row for row in scrapy_names() if row.verdict == verdict]
    assert rows
    assert [row.name for row in rows if row.here and not is_there(row.here)] == []
    assert [row.name for row in rows if verdict == "here" and not row.here] == []
    assert [row.name for row in rows if verdict != "here" and not (row.text or row.here)] == []
    assert [row.name for row in rows if verdict == "left out" and not row.text] == []


def test_the_page_shows_the_table() -> None:
    names = {"__name__": "made", "__file__": str(ROOT / "docs" / "make" / "scrapy_names.py")}
    exec(
        compile((ROOT / "docs" / "make" / "scrapy_names.py").read_text("utf-8"), "made", "exec"),
        names,
    )
    tables: Any = names["tables"]
    assert tables() in (ROOT / "docs" / "from-scrapy.md").read_text("utf-8"), "run `make docs`"


def spider(body: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Spider:
    """A spider in a file of its own, whose class has this body."""
    lines = ["from crawler import Request, Spider", "class S(Spider):", '    name = "s"', body]
    file = tmp_path / "left_over.py"
    file.write_text("\n".join(lines) + "\n", "utf-8")
    module = ModuleType("left_over")
    module.__file__ = str(file)
    monkeypatch.setitem(sys.modules, "left_over", module)
    exec(compile(ast.parse(file.read_text("utf-8")), str(file), "exec"), vars(module))
    made: Spider = module.S()
    return made


def told(body: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    with pytest.raises(SpiderError) as raised:
        check(spider(body, tmp_path, monkeypatch))
    return str(raised.value)


@pytest.mark.parametrize("name", [r.name for r in scrapy_names() if r.kind == "spider"])
def test_a_name_left_over_in_a_spider_is_told_or_is_ours(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if hasattr(Spider, name):
        assert name in {row.name for row in OURS}
        return
    method = scrapy_name("spider", name) in METHODS
    body = f"    def {name}(self, *a): pass" if method else f"    {name} = ['x']"
    assert f"`{name}`" in told(body, tmp_path, monkeypatch)


METHODS: list[ScrapyName | None] = [
    scrapy_name("spider", name)
    for name in (
        *("from_crawler", "update_settings", "start_requests", "log", "parse_start_url"),
        *("adapt_response", "parse_node", "process_results", "parse_row", "sitemap_filter"),
    )
]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ('    custom_settings = {"DOWNLOAD_DELAY": 2}', "DOWNLOAD_DELAY is politeness.delay here"),
        ('    custom_settings = {"AWS_VERIFY": 1}', "AWS_VERIFY is not here: no file goes to S3"),
        ('    custom_settings = {"MY_OWN": 1}', "MY_OWN is no setting of Scrapy's own"),
        (
            "    def parse(self, page): self.crawler.stats.inc_value('x')",
            "`self.crawler` is self.crawl",
        ),
        ('    settings = {"USER_AGENT": "me"}', "USER_AGENT is politeness.user_agent here"),
    ],
)
def test_each_setting_that_is_left_over_is_told(
    body: str, word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert word in told(body, tmp_path, monkeypatch)


def test_many_settings_are_told_up_to_eight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = [row.name for row in scrapy_names() if row.kind == "setting"]
    text = told(f"    custom_settings = dict.fromkeys({every})", tmp_path, monkeypatch)
    assert f"and {len(every) - 8} more, see docs/from-scrapy.md" in text


@pytest.mark.parametrize("row", [r for r in scrapy_names() if r.kind in ("request", "meta")])
def test_arguments_and_keys_of_meta_are_told_in_the_source(
    row: ScrapyName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = f"{row.name}=None" if row.kind == "request" else f'meta={{"{row.name}": 1}}'
    url = "" if row.name == "url" else '"http://a.example/", '
    body = f"    def parse(self, page):\n        yield Request({url}{given})"
    if row.kind == "request" and row.here == f"Request.{row.name}":
        check(spider(body, tmp_path, monkeypatch))
    else:
        text = told(body, tmp_path, monkeypatch)
        assert "left_over.py:5" in text and row.name in text
