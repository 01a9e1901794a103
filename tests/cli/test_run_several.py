"""Several spiders in one command: each with a store of its own, one after the other."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_story import Desk, ServedSite
from postgres_server import server

SPIDER = """
from crawler import Spider

class S(Spider):
    name = "{name}"
    start_urls = ["{url}"]

    def parse(self, page):
        {body}
"""
FAST = ("--set", "politeness.delay=0", "--set", "fetch.retries=0")


@pytest.fixture(scope="module")
def site() -> Iterator[ServedSite]:
    with ServedSite() as served:
        served.site.add_page("/p", "<title>p</title>")
        yield served


@pytest.fixture
def desk(tmp_path: Path, site: ServedSite) -> Desk:
    desk = Desk(tmp_path)
    for file in (tmp_path / "spiders").glob("*.py"):
        file.unlink()
    url = site.site.at("/p")
    for name, body in (
        ("one", "yield {'a': 1}"),
        ("two", "yield {'a': 2}"),
        ("broken", "raise ValueError('no')"),
    ):
        text = SPIDER.format(name=name, url=url, body=body)
        (tmp_path / "spiders" / f"{name}.py").write_text(text, "utf-8")
    return desk


def test_named_spiders_run_one_after_the_other(desk: Desk) -> None:
    done = desk.run("run", "one", "two", *FAST)
    assert done.code == 0, done.err
    assert done.out.index("data/one.db") < done.out.index("data/two.db")
    assert "2" in desk.run("query", "--store", "two", "SELECT a FROM item").out


def test_all_run_and_what_fails_tells_in_the_exit_code(desk: Desk) -> None:
    done = desk.run("run", "--all", "--store", "out/{name}.db", *FAST)
    assert done.code == 1
    found = sorted(file.name for file in (desk.folder / "out").glob("*.db"))
    assert found == ["broken.db", "one.db", "two.db"]


def test_a_database_gives_each_spider_a_schema_of_its_own_and_one_query_joins_them(
    desk: Desk,
) -> None:
    place = server().dsn().rpartition("&crawl=")[0]
    (desk.folder / "spiders" / "broken.py").unlink()
    done = desk.run("run", "--all", "--store", place, *FAST)
    assert done.code == 0, done.err
    again = desk.run("run", "one", "two", "--store", place, *FAST)
    assert again.code == 0 and again.out.count("nothing is left to do") == 2, again.out
    joined = "SELECT a FROM one.item UNION ALL SELECT a FROM two.item ORDER BY a"
    assert server().psql(joined).split() == ["1", "2"]
    one = desk.run("run", "one", "two", "--store", f"{place}?crawl=one")
    assert one.code == 2 and "each has a store of its own" in one.err


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        (("run",), "--all"),
        (("run", "--all", "one"), "leave out one, or --all"),
        (("run", "one", "two", "--store", "x.db"), "{name}.db"),
    ],
)
def test_what_cannot_be_meant_is_told(desk: Desk, asked: tuple[str, ...], word: str) -> None:
    done = desk.run(*asked)
    assert done.code == 2 and word in done.err
