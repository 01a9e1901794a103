"""Each template of `crawler new` runs as it is written, over the practice site."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_story import SANDBOX, needs_browser
from site_thread import site_on_a_thread

from crawler import Crawler
from crawler.cli import run, spider_loader
from crawler.cli.scaffold import Template
from crawler.cli.templates import TEMPLATES
from crawler.inspect.query import Reader
from crawler.practice import PracticeSite

STARTS = {
    "site": ("", "four_page", 5),
    "rules": ("shop/", "four_page", 5),
    "sitemap": ("", "four_page", 5),
    "api": ("api/quotes?per_page=50", "item", 100),
    "feed": ("feed.xml", "four_page", 10),
    "login": ("login", "four_page", 3),
    "browser": ("scripted/", "four_page", 1),
}


@pytest.fixture(scope="module")
def site() -> Iterator[PracticeSite]:
    with site_on_a_thread() as served:
        yield served


@pytest.mark.parametrize("template", list(Template))
def test_a_template_runs_as_it_is(
    template: Template, site: PracticeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOUR_PASSWORD", "lighthouse")
    path, table, least = STARTS[template]
    assert run(["new", "four", f"{site.url}{path}", "--template", template]) == 0
    if template is Template.BROWSER:
        return  # the browser's own test is below
    assert crawled("four") >= least
    with Reader("data/four.db") as reader:
        [(number,)] = reader.query(f"SELECT count(*) FROM {table}").rows
        assert number >= least


@needs_browser
def test_the_template_of_the_browser_renders(
    site: PracticeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["new", "four", f"{site.url}app/", "--template", "browser"]) == 0
    assert crawled("four", browser={"sandbox": SANDBOX, "settle": 0.2}) == 1
    with Reader("data/four.db") as reader:
        [(text,)] = reader.query("SELECT text FROM four_page").rows
    assert len(text) > 100


def crawled(name: str, **settings: Any) -> int:
    """The number of items of a crawl of a new spider."""
    spider = spider_loader.load(name, [])

    async def crawl() -> int:
        quick = {"politeness": {"delay": 0}, "engine": {"max_pages": 12}, **settings}
        async with Crawler(spider, settings=quick) as crawler:
            return (await crawler.run()).items

    return asyncio.run(crawl())


def test_there_is_a_template_for_each_kind(capsys: pytest.CaptureFixture[str]) -> None:
    assert set(TEMPLATES) == set(Template)
    assert run(["new", "five", "--template", "rules", "--test"]) == 2
    assert "--test goes with the template site" in capsys.readouterr().err
