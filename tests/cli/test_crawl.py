"""From a spider to a database, by commands: crawl, run, query, export, status, resume."""

import csv
import io
import json
import shlex
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_story import Desk, ServedSite

FAST = ("--set", "politeness.delay=0")


@pytest.fixture(scope="module")
def site() -> Iterator[ServedSite]:
    with ServedSite() as served:
        yield served


@pytest.fixture(scope="module")
def done(site: ServedSite, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A desk on which the quotes have been crawled."""
    desk = Desk(tmp_path_factory.mktemp("done"))
    first = desk.run("run", "quotes", "-a", f"base={site.url}", *FAST, "--json")
    assert first.code == 0, first.err
    assert (first.summary["pages"], first.summary["items"]) == (10, 100)
    assert first.summary["state"] == "finished"
    return desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def quotes(site: ServedSite, *more: str) -> tuple[str, ...]:
    return ("run", "quotes", "-a", f"base={site.url}", *more)


# ---------------------------------------------------------------- looking at a store


def test_a_query_gives_a_table_by_default(done: Desk) -> None:
    sql = "SELECT author, count(*) AS n FROM quote GROUP BY author ORDER BY author LIMIT 2"
    lines = done.run("query", sql).out.splitlines()
    assert lines[0].split() == ["author", "n"]
    assert len(lines) == 4


def test_a_query_gives_the_same_rows_in_every_format(done: Desk) -> None:
    sql = "SELECT url, status FROM pages ORDER BY url"
    rows = done.rows(sql)
    lines = done.run("query", sql, "--format", "jsonl").out.splitlines()
    table = csv.DictReader(io.StringIO(done.run("query", sql, "--format", "csv").out))
    assert len(rows) == 10
    assert [json.loads(line) for line in lines] == rows
    assert [{**row, "status": int(row["status"])} for row in table] == rows


def test_an_item_type_is_exported_with_its_own_kinds(done: Desk) -> None:
    exported = done.run("export", "quote", "-o", "quotes.jsonl")
    rows = [json.loads(line) for line in (done.folder / "quotes.jsonl").read_text().splitlines()]
    assert exported.code == 0
    assert len(rows) == 100
    assert all(isinstance(row["tags"], list) for row in rows)


def test_pages_and_links_are_exported_as_csv(done: Desk) -> None:
    for what, number in (("pages", 10), ("links", None)):
        exported = done.run("export", what, "-o", f"{what}.csv")
        with (done.folder / f"{what}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert exported.code == 0
        assert len(rows) == number or number is None
        assert rows


def test_status_tells_how_the_crawl_stands(done: Desk) -> None:
    told = json.loads(done.run("status", "quotes", "--json").out)
    assert (told["state"], told["pages"], told["queued"]) == ("finished", 10, 0)
    assert told["items"] == {"quote": 100}
    assert told["outcomes"] == {"ok": 10}
    assert "finished" in done.run("status").out


# ---------------------------------------------------------------- running again


def test_a_finished_crawl_says_so_and_how_to_start_over(site: ServedSite, done: Desk) -> None:
    hits = len(site.site.hits)
    again = done.run(*quotes(site, *FAST))
    assert again.code == 0
    assert "is finished" in again.out
    assert f"crawler run quotes -a base={site.url} " in again.out
    assert "--fresh" in again.out
    assert len(site.site.hits) == hits


def test_fresh_starts_over_and_moves_the_old_file_aside(site: ServedSite, desk: Desk) -> None:
    desk.run(*quotes(site, *FAST, "--max-pages", "3"))
    over = desk.run(*quotes(site, *FAST, "--fresh", "--json"))
    names = sorted(path.name for path in (desk.folder / "data").glob("*.db"))
    assert over.summary["pages"] == 10
    assert len(names) == 2
    aside = next(name for name in names if name != "quotes.db")
    assert aside.startswith("quotes.")
    assert len(desk.rows("SELECT url FROM pages", store=f"data/{aside}")) == 3


def test_max_pages_is_exact_and_a_higher_one_goes_on(site: ServedSite, desk: Desk) -> None:
    base = ("crawl", site.url, *FAST, "--json", "--store", "site.db")
    five = desk.run(*base, "--max-pages", "5")
    twelve = desk.run(*base, "--max-pages", "12")
    stored = desk.rows("SELECT count(*) AS n FROM pages WHERE outcome = 'ok'", store="site.db")
    assert (five.code, five.summary["pages"]) == (0, 5)
    assert (twelve.summary["pages"], twelve.summary["total_pages"]) == (7, 12)
    assert stored == [{"n": 12}]


def test_depth_and_scope_bound_a_crawl(site: ServedSite, desk: Desk) -> None:
    shop = f"{site.url}shop/category/lamps/"
    crawled = desk.run("crawl", shop, *FAST, "--scope", "prefix", "--json", "--store", "a.db")
    shallow = desk.run("crawl", shop, *FAST, "--depth", "0", "--json", "--store", "b.db")
    pages = desk.rows("SELECT url FROM pages", store="a.db")
    assert crawled.code == shallow.code == 0
    assert len(pages) == 2
    assert all(row["url"].startswith(shop) for row in pages)
    assert shallow.summary["pages"] == 1


def test_a_crawl_that_finds_no_page_ends_with_three(site: ServedSite, desk: Desk) -> None:
    nothing = desk.run("crawl", f"{site.url}gone/", *FAST)
    assert nothing.code == 3
    assert "1 gone" in nothing.out or "http_error" in nothing.out or "not_found" in nothing.out
    *_, told = nothing.out.splitlines()
    why = desk.run(*shlex.split(told.partition("see: crawler ")[2]))
    assert why.code == 0 and "not_found  410" in why.out


WRITER = """
from crawler import Spider

class Writer(Spider):
    name = "writer"

    @property
    def start_urls(self):
        self.file = open("seen.txt", "w")
        return [self.base]

    def parse(self, page):
        self.file.write(page.url + "\\n")
        yield from page.follow_all("a")
"""


def test_what_a_spider_writes_into_a_file_of_its_own_is_there_though_it_never_closes_it(
    site: ServedSite, desk: Desk
) -> None:
    (desk.folder / "spiders" / "writer.py").write_text(WRITER)
    writer = ("run", "writer", "-a", f"base={site.url}", *FAST, "--max-pages", "3")
    assert desk.process(*writer).code == 0
    assert len((desk.folder / "seen.txt").read_text().splitlines()) == 3


def test_books_are_typed_and_found_by_rules(site: ServedSite, desk: Desk) -> None:
    crawled = desk.run("run", "books", "-a", f"base={site.url}shop/", *FAST, "--quiet")
    [row] = desk.rows(
        "SELECT count(*) AS n, min(price) > 0 AS paid, count(DISTINCT category) AS shelves,"
        " sum(in_stock) BETWEEN 1 AND 159 AS some FROM book",
        store="books",
    )
    assert (crawled.code, crawled.out, crawled.err) == (0, "", "")
    assert row == {"n": 160, "paid": 1, "shelves": 8, "some": 1}


# ---------------------------------------------------------------- stopping


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_drains_and_says_how_to_resume(
    site: ServedSite, desk: Desk, number: signal.Signals
) -> None:
    command = quotes(site, "--set", "politeness.delay=0.05", "--log-level", "debug")
    with desk.start(*command) as running:
        running.hear("ok 200")
        running.signal(number)
        stopped = running.end()
    finished = desk.run(*command, "--json")
    assert stopped.code == 130
    assert f"crawler run quotes -a base={site.url}" in stopped.out
    assert finished.code == 0
    assert finished.summary["resumed"]
    assert finished.summary["total_pages"] == 10
    assert desk.rows("SELECT count(*) AS n, count(DISTINCT text) AS d FROM quote") == [
        {"n": 100, "d": 100}
    ]


def test_while_a_crawl_runs_it_can_be_queried_but_not_joined(desk: Desk) -> None:
    with ServedSite() as site:
        site.hold("/page/3/")
        with desk.start(*quotes(site, *FAST, "--log-level", "debug")) as running:
            running.hear("/page/2/")
            second = desk.run(*quotes(site, *FAST))
            seen = desk.rows("SELECT count(*) AS n FROM pages")
            state = json.loads(desk.run("status", "quotes", "--json").out)["state"]
            running.signal()
            running.hear("stopping")
            running.signal()  # what is in flight will never end: stop at once
            stopped = running.end()
            site.let_go()
        rest = desk.run(*quotes(site, *FAST, "--json"))
    assert second.code == 2
    assert f"process {running.process.pid} is crawling" in second.err
    assert seen == [{"n": 2}]
    assert state == "running"
    assert stopped.code == 130
    assert rest.summary["total_pages"] == 10


STUCK = """
from crawler import Spider

class Stuck(Spider):
    name = "stuck"
    base = ""

    @property
    def start_urls(self):
        return [self.base]

    def parse(self, page):
        print("stuck", flush=True)
        while True:
            pass
"""


def test_a_third_signal_ends_even_a_spider_that_never_gives_way(
    site: ServedSite, desk: Desk
) -> None:
    (desk.folder / "spiders" / "stuck.py").write_text(STUCK)
    with desk.start("run", "stuck", "-a", f"base={site.url}") as running:
        assert running.process.stdout is not None
        assert running.process.stdout.readline() == "stuck\n"
        while running.process.poll() is None:
            running.signal()
        assert running.end().code == 130


FAULTY = """
from crawler import ScrapedPage, SiteSpider

class Faulty(SiteSpider):
    name = "faulty"
    base = ""

    @property
    def start_urls(self):
        return [self.base]

    def parse(self, page: ScrapedPage):
        if page.url == self.base + "page/2/":
            raise LookupError("nothing here")
"""


def test_a_spider_that_raises_is_told_of_and_the_crawl_goes_on(
    site: ServedSite, desk: Desk
) -> None:
    (desk.folder / "spiders" / "faulty.py").write_text(FAULTY)
    crawled = desk.run("run", "faulty", "-a", f"base={site.url}", *FAST, "--max-pages", "80")
    [row] = desk.rows("SELECT url, error FROM pages WHERE outcome = 'spider_error'", "faulty")
    assert crawled.code == 0
    assert "LookupError: nothing here" in crawled.err
    assert "Traceback" not in crawled.err
    assert row["error"].rstrip().endswith("LookupError: nothing here")
    assert 'faulty.py", line' in row["error"]
