"""What a rendered page tells beside itself: errors of its scripts, and what checks find."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from browser_story import needs_browser, render_all
from crawl_story import read
from reparse_story import reparse

from crawler import ScrapedPage, Spider
from crawler.browser import finding
from crawler.config.browser import BrowserSettings
from crawler.errors import ConfigError
from crawler.inspect.query import Reader
from crawler.practice import PracticeSite

FLAWED = """<!doctype html><html><title>Flawed</title><main><img src="/a.png">
<input name="q"><script>console.error('no', 'price', null, {a: 1}, [true]);
console.log('fine'); null.price</script>"""
MANY = """<!doctype html><html lang="en"><title>Many</title><main><h1>Many</h1><ul id="all"></ul>
<script>for (let n = 0; n < 600; n += 1) {
  console.error('error ' + n); const img = document.createElement('img'); all.append(img);
}</script>"""


def rows(store: Path, sql: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    with Reader(store) as reader:
        return list(reader.query(sql).rows)


class Listener(Spider):
    """Keeps what the scripts of pages wrote."""

    name = "listener"

    def parse(self, page: ScrapedPage):  # type: ignore[no-untyped-def]
        yield {"title": page.title, "errors": list(page.console_errors)}


@needs_browser
def test_errors_of_scripts_and_findings_are_there_and_counted_where_they_are_cut(
    tmp_path: Path,
) -> None:
    store = tmp_path / "crawl.db"

    async def tell() -> None:
        async with PracticeSite() as site, asyncio.timeout(60):
            site.add_page("/flawed", FLAWED)
            site.add_page("/many", MANY)
            pages = [site.at("/flawed"), site.at("/many")]
            settings = {"browser__mode": "always", "browser__checks": ["axe"]}
            summary = await render_all(Listener, store, *pages, **settings)
            assert summary.outcomes == {"ok": 2}
            assert summary.refused["browser_findings"] > 0

    asyncio.run(tell())
    told = {
        title: json.loads(errors) for title, errors in rows(store, "SELECT title, errors FROM item")
    }
    assert told["Flawed"][0] == "no price null {a: 1} [true]" and "null" in told["Flawed"][1]
    assert len(told["Flawed"]) == 2
    assert len(told["Many"]) == 51 and told["Many"][-1] == "more than 50: the rest is not kept"
    sql = "SELECT rule, impact, target FROM axe_finding WHERE page_url LIKE '%flawed'"
    found = {rule: (impact, target) for rule, impact, target in rows(store, sql)}
    assert found["image-alt"] == ("critical", "img")
    assert {"html-has-lang", "label"} <= set(found)
    assert read(store, "SELECT count(*) FROM axe_finding WHERE page_url LIKE '%many'") == [500]
    before = rows(store, "SELECT rule, target, html FROM axe_finding ORDER BY 1, 2, 3")
    assert not reparse(store, Listener).errors
    assert rows(store, "SELECT rule, target, html FROM axe_finding ORDER BY 1, 2, 3") == before


def test_checks_without_their_package_are_refused_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(finding, "AXE", "no_such_package")
    with pytest.raises(ConfigError, match=r"crawlkeep\[axe\]"):
        finding.required_checks(BrowserSettings(checks=["axe"]))
    finding.required_checks(BrowserSettings())
