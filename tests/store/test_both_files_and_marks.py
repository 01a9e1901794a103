"""One page with several downloads, and texts near each other in chains: alike in both stores."""

import random
from typing import Any

import pytest
from postgres_server import server
from site_thread import site_on_a_thread

from crawler.cli import run as command
from crawler.inspect.query import Reader
from crawler.practice import PracticeSite

SPIDER = """
from crawler import Download, Rule, Spider, item

@item(key="source")
class Tide:
    source: str

class Tides(Spider):
    name = "tides"
    rules = (Rule(),)
    start_urls = ["{url}"]
    settings = {{"politeness": {{"delay": 0.0}}, "engine": {{"workers": 4}},
                "traps": {{"duplicates": "mark", "near": 6}}}}

    def parse(self, page):
        if page.url.endswith("/n"):
            yield Tide("page")
            for name in "abc":
                yield Download(page.urljoin(f"/{{name}}.csv"), callback=self.stored)

    def stored(self, file):
        yield Tide(file.name)
"""


def build(site: PracticeSite) -> str:
    """Add three files, and six chains of texts whose ends are far apart."""
    for name in "abc":
        site.add_page(f"/{name}.csv", f"{name},1", content_type="text/csv")
    pages = [(chain, step) for chain in range(6) for step in range(6)]
    random.Random(3).shuffle(pages)
    site.add_links("/n", [f"/n/{chain}/{step}" for chain, step in pages], title="all")
    for chain, step in pages:
        words = [f"v{chain}y{n}" if n < 2 * step else f"w{chain}x{n}" for n in range(80)]
        site.add_page(f"/n/{chain}/{step}", f"<p>{' '.join(words)}</p>")
    return site.at("/n")


def rows(store: str, sql: str) -> list[tuple[Any, ...]]:
    with Reader(store) as reader:
        return list(reader.query(sql).rows)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("both")
    file, address, spider = str(folder / "a.db"), server().dsn(), folder / "tides.py"
    with site_on_a_thread(robots=False) as site, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        spider.write_text(SPIDER.format(url=build(site)), encoding="utf-8")
        for store in (file, address):
            assert command(["run", str(spider), "--store", store, "--quiet"]) == 0
    return file, address


def test_an_item_leads_to_all_files_of_its_page(stores: tuple[str, str]) -> None:
    sql = "SELECT source, name, sha256 FROM tide JOIN page_files USING (page_id) ORDER BY 1, 2"
    found = [rows(store, sql) for store in stores]
    assert found[0] == found[1]
    names = [row[:2] for row in found[0]]
    own = [(f"{name}.csv", f"{name}.csv") for name in "abc"]
    assert names == own + [("page", f"{name}.csv") for name in "abc"]


def test_near_duplicates_have_the_same_marks(stores: tuple[str, str]) -> None:
    sql = "SELECT url, duplicate_of FROM pages WHERE outcome = 'ok' ORDER BY url"
    found = [dict(rows(store, sql)) for store in stores]
    assert found[0] == found[1]
    new = [url for url, mark in found[0].items() if mark is None and "/n/" in url]
    assert 6 <= len(new) < 24, "chains of near ones, some broken"
    assert all(found[0][mark] is None for mark in found[0].values() if mark is not None)
