"""Work in several processes gives what one process gives, and tells when one of them dies."""

import os
import shutil
import sqlite3
from pathlib import Path

import pytest
from data_story import SmallWeb, crawl, on_web, page

from crawler import SiteSpider
from crawler.errors import CrawlerError
from crawler.inspect import search
from crawler.inspect.processes import can_fork, forked

pytestmark = pytest.mark.skipif(not can_fork(), reason="no copy of this process is safe")


def doubled(number: int) -> int:
    return number * 2


def dying(number: int) -> int:
    if number == 7:
        os._exit(3)
    return number


@pytest.mark.parametrize("processes", [0, 1, 3, 50])
def test_the_results_come_in_the_order_of_the_batches(processes: int) -> None:
    assert list(forked(doubled, range(20), processes)) == list(range(0, 40, 2))


def test_a_process_that_dies_is_told_of() -> None:
    with pytest.raises(CrawlerError, match="ended with code 3"):
        list(forked(dying, range(20), 2))


def test_one_that_is_left_early_leaves_no_process_behind() -> None:
    results = forked(doubled, range(1_000), 2)
    assert next(results) == 0
    results.close()
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def texts(path: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(path) as db:
        found = "SELECT rowid FROM search WHERE search MATCH 'page' ORDER BY rowid"
        return db.execute("SELECT * FROM texts ORDER BY page_id").fetchall() + [
            tuple(row) for row in db.execute(found)
        ]


def test_an_index_made_in_processes_is_the_one_made_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here.db", tmp_path / "there.db"

    async def tell(web: SmallWeb) -> None:
        web.add("/", page("home", *(f"/{number}" for number in range(30)), text="This page"))
        for number in range(30):
            web.add(f"/{number}", page(str(number), text=f"This is page {number}"))
        await crawl(here, SiteSpider(web.url + "/"))

    on_web(tell)
    shutil.copy(here, there)
    monkeypatch.setattr(search, "_BATCH", 4)
    heard: list[int] = []
    assert search.index(here, processes=0) == search.index(there, heard.append, processes=2) == 31
    assert texts(here) == texts(there)
    assert len(texts(here)) == 62
    assert heard == [4, 8, 12, 16, 20, 24, 28, 31]
