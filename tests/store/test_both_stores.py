"""Every command over a file and over PostgreSQL: the same answers, and the same rows after it."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from data_story import SmallWeb, page
from postgres_server import server
from site_thread import on_a_thread

from crawler.cli import run as command
from crawler.errors import StoreClaimed
from crawler.inspect.query import Reader
from crawler.store.address import address_of
from crawler.store.claimed import claimed

SPIDER = """
from crawler import SiteSpider, Spider, item

@item(key="url", history=True)
class Head:
    url: str
    title: str
    words: {words}
    sold: bool

@item
class Word:
    word: str
    at: float

class Heads(Spider):
    name = "heads"
    rules = SiteSpider.rules
    start_urls = ["{url}/"]
    settings = {{"politeness": {{"delay": 0.0}}, "fetch": {{"retries": 0}},
                "engine": {{"workers": 1, "max_depth": {depth}}}}}

    def parse(self, page):
        text = page.css("p::text").get("")
        yield Head(page.url, {title}, len(text.split()), "sold" in text)
        for place, word in enumerate(text.split()):
            yield Word(word, place / 2)
"""
TABLES = {
    "pages": "SELECT page_id, url, title, status, outcome, depth, parent_id, run_id, host_id,"
    " url_hash, callback, request, content_hash, redirect_to, error IS NULL FROM pages",
    "todo": "SELECT host_id, rank, url_hash, url, depth, parent_id, callback, extra, again"
    " FROM todo ORDER BY host_id, rank, seq",
    "seen": "SELECT host_id, url_hash FROM seen",
    "head": "SELECT item_id, url, title, words, sold, page_id, run_id, gone_at IS NULL FROM head",
    "word": "SELECT word, at, page_id, run_id FROM word",
    "history": "SELECT item_id, url, title, words, sold, page_id, run_id FROM head_history",
    "item_changes": "SELECT item, item_id, field, before, after, run_id FROM item_changes"
    " WHERE field <> 'gone_at'",
    "changes": "SELECT page_id, url, run_id, kind, status_before, status, title FROM changes",
    "versions": "SELECT page_id, version, run_id, title FROM page_versions",
    "revisits": "SELECT page_id, visits, changes FROM revisits",
    "counters": "SELECT name, value FROM counters",
    "runs": "SELECT run_id, state, reason, pages, errors FROM runs",
    "hosts": "SELECT host_id, name, pending, pages FROM hosts",
    "recrawl": "SELECT count(*) FROM crawl WHERE key = 'recrawl'",
}
LOOSE = (
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "TIME"),
    (re.compile(r"\(\d+\.\d s\)"), "(SECONDS)"),
    (re.compile(r"in \d+ ms"), "in MS"),
    (re.compile(r"postgresql://\S*crawl=\w+"), "STORE"),
)


class Both:
    """A store in a file and one in a database, over which the same commands run."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], web: SmallWeb) -> None:
        self.file, self.database = str(folder / "heads.db"), server().dsn()
        self.folder, self._capsys, self.web = folder, capsys, web
        self.spider = str(folder / "heads.py")
        self.write()

    def write(
        self, *, words: str = "int", title: str = "page.title or ''", depth: str = "3"
    ) -> None:
        text = SPIDER.format(url=self.web.url, words=words, title=title, depth=depth)
        Path(self.spider).write_text(text, encoding="utf-8")

    def each(self, *arguments: str) -> list[str]:
        """Return what a command prints over the one and the other, which may differ."""
        found = []
        for store in (self.file, self.database):
            self._capsys.readouterr()
            assert command([store if part == "STORE" else part for part in arguments]) == 0
            found.append("".join(self._capsys.readouterr()))
        return found

    def told(self, *arguments: str) -> str:
        """Return what a command prints over both on standard error."""
        self.run(*arguments)
        return self._last

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run a command over both; `STORE` stands for their addresses. Return what both print."""
        told = []
        for store in (self.file, self.database):
            self._capsys.readouterr()
            ended = command([store if part == "STORE" else part for part in arguments])
            out, err = self._capsys.readouterr()
            shown = str(address_of(store))
            for loose, put in LOOSE:
                out, err = loose.sub(put, out), loose.sub(put, err)
            told.append((ended, out.replace(shown, "STORE"), err.replace(shown, "STORE")))
        assert told[0] == told[1], told
        assert told[0][0] == code, told[0]
        self._last = told[0][2]
        return told[0][1]

    def crawl(self, *arguments: str) -> str:
        return self.run("run", self.spider, "--store", "STORE", "-q", *arguments)

    def same(self, *tables: str) -> None:
        """Assert that both have the same rows."""
        with Reader(self.file) as one, Reader(self.database) as other:
            for table in tables or TABLES:
                sql = TABLES[table]
                rows = [list(reader.query(sql).rows) for reader in (one, other)]
                if "ORDER BY" not in sql:
                    rows = [sorted(found, key=repr) for found in rows]
                assert rows[0] == rows[1], table

    def rows(self, sql: str) -> list[Any]:
        """Return what both answer."""
        with Reader(self.file) as one, Reader(self.database) as other:
            found = list(one.query(sql).rows)
            assert found == list(other.query(sql).rows)
        return found


@pytest.fixture
def both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Both]:
    with on_a_thread(SmallWeb()) as web, pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        web.add("/", page("home", "/two", "/none", "/three", text="a b sold"), ETag='"1"')
        web.add(
            "/two", page("two", "/deep", text="c"), Last_Modified="Mon, 01 Jan 2024 00:00:00 GMT"
        )
        web.add("/three", page("three é", text="d d"))
        web.add("/deep", page("deep", "/deeper"))
        web.add("/deeper", page("deeper", "/deepest"))
        web.add("/deepest", page("deepest"))
        both = Both(tmp_path, capsys, web)
        both.crawl()
        yield both


def change(both: Both) -> None:
    """Let one page change, one go, one come back."""
    both.web.add("/", page("home again", "/two", "/none", "/three", text="a c"), ETag='"2"')
    both.web.drop("/two")
    both.web.add("/none", page("there now", text="new"))


def test_a_recrawl_finds_the_same_changes(both: Both) -> None:
    both.same()
    both.run("recrawl", both.spider, "--store", "STORE", "-q")  # nothing is due yet
    change(both)
    both.run("recrawl", both.spider, "--all", "--store", "STORE", "-q")
    both.same()
    assert both.rows("SELECT kind, url FROM changes WHERE run_id = 2 ORDER BY change_id")
    assert "home again" in both.run("changes", "--store", "STORE", "--json")
    assert "gone" in both.run("diff", "1", "2", "--store", "STORE", "-f", "jsonl")
    both.run("recrawl", both.spider, "--all", "--where", "depth > 0", "--store", "STORE", "-q")
    both.same()


def test_a_sitemap_makes_pages_due_and_queues_what_is_new(both: Both) -> None:
    both.web.add("/more", page("more", text="m"))
    both.web.add("/", page("home at last", text="z"))
    sitemap = both.folder / "sitemap.xml"
    sitemap.write_text(
        "<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>"
        + "".join(
            f"<url><loc>{both.web.url}{path}</loc><lastmod>2999-01-01</lastmod></url>"
            for path in ("/", "/more")
        )
        + "</urlset>"
    )
    both.run("recrawl", both.spider, "--sitemap", str(sitemap), "--store", "STORE", "-q")
    both.same()
    assert both.rows("SELECT title FROM pages WHERE url LIKE '%/more'") == [("more",)]


def test_failures_are_queued_again_and_fetched(both: Both) -> None:
    both.web.add("/none", page("there now", text="new"))
    said = both.run("retry", "--where", "status = 404", "--store", "STORE")
    assert said.startswith("1 request queued again")
    both.same()
    assert both.rows("SELECT url FROM todo") == [(f"{both.web.url}/none",)]
    both.crawl()
    both.same()
    assert both.rows("SELECT status FROM pages WHERE url LIKE '%/none'") == [(200,)]


def test_what_a_spider_gives_anew_is_compared_and_stored(both: Both) -> None:
    both.run("reparse", both.spider, "--store", "STORE")
    both.write(title="page.title.upper()")
    first = both.run("reparse", both.spider, "--store", "STORE")
    assert "5 changed" in first and "same" not in first
    both.run("reparse", both.spider, "--store", "STORE", "--apply")
    both.same()
    both.run("reparse", both.spider, "--store", "STORE", "--where", "depth > 0")
    both.write(title="1 / 0")
    both.run("reparse", both.spider, "--store", "STORE", "--apply", code=1)
    both.same("pages", "head", "counters")
    assert both.rows("SELECT count(*) FROM pages WHERE outcome = 'spider_error'") == [(5,)]


def test_what_was_refused_is_found_again(both: Both) -> None:
    both.write(depth="10")  # of another length, as Python keeps what it compiled for a second
    both.crawl()
    both.same()
    assert both.rows("SELECT count(*) FROM pages WHERE url LIKE '%/deepest'") == [(1,)]


def test_lists_and_archives_are_brought_in(both: Both) -> None:
    warc, urls = both.folder / "crawl.warc.gz", both.folder / "urls.txt"
    urls.write_text(f"{both.web.url}/\n{both.web.url}/listed\nhttp://other.example/\n")
    both.run("import", str(urls), "--store", "STORE")
    both.same("todo", "seen", "runs", "hosts")
    with pytest.MonkeyPatch.context():
        assert command(["export", "pages", "-o", str(warc), "--store", both.file]) == 0
    both.file, both.database = str(both.folder / "other.db"), server().dsn()
    both.run("import", str(warc), "--store", "STORE")
    both.same("pages", "seen", "runs", "hosts", "counters")
    assert both.rows("SELECT count(*) FROM pages WHERE status = 200") == [(5,)]


def test_stores_of_both_kinds_are_compared(both: Both) -> None:
    def difference(capsys: Callable[[], Any], a: str, b: str) -> str:
        assert command(["diff", a, b, "-f", "jsonl"]) == 0
        return str(capsys().out)

    capsys = both._capsys.readouterr
    assert difference(capsys, both.file, both.database) == ""
    change(both)
    before = both.file, both.database
    both.file, both.database = str(both.folder / "later.db"), server().dsn()
    both.crawl()
    capsys()
    found = {difference(capsys, a, b) for a in before for b in (both.file, both.database)}
    assert len(found) == 1
    assert "home again" in found.pop()


def test_why_and_report_say_the_same(both: Both) -> None:
    for path in ("/", "/none", "/never"):
        assert both.run("why", f"{both.web.url}{path}", "--store", "STORE")


def test_a_store_that_is_claimed_is_claimed_by_nobody_else(both: Both) -> None:
    address = address_of(both.database)
    with claimed(address) as db, pytest.raises(StoreClaimed, match="is at it"), claimed(address):
        db.step()
    with pytest.raises(ZeroDivisionError), claimed(address) as db:
        db.mark("kept", "x")
        db.step()
        db.mark("lost", "x")
        raise ZeroDivisionError
    with Reader(address) as reader:
        assert list(reader.query("SELECT key FROM crawl WHERE value = 'x'").rows) == [("kept",)]


WORDS = (
    "copper",
    '"wrought copper"',
    "copper NOT lamp",
    "lamp OR tin",
    "cop*",
    "écrou",
    "well-known",
    "(lamp OR tin) copper",
    "(lamp OR tin) AND copper",
    "copper AND",
    "title : copper",
)


def test_words_find_the_same_pages_in_the_same_order(both: Both) -> None:
    texts = [
        "copper lamp",
        "wrought copper, copper",
        "tin lamp " * 9,
        "écrou of copper " + "x " * 60,
    ]
    texts += ["a well-known thing", "Copper"]
    links = [f"/w{number}" for number in range(len(texts))]
    both.web.add("/", page("home", *links))
    for link, text in zip(links, texts, strict=True):
        both.web.add(link, page("copper" if link == "/w5" else "page", text=text))
    both.file, both.database = str(both.folder / "words.db"), server().dsn()
    both.crawl()
    assert "pages indexed" in both.told("search", "--index", "--store", "STORE")
    for words in WORDS:
        found = [
            [line.split()[0] for line in told.splitlines() if line.startswith("  http")]
            for told in both.each("search", words, "--store", "STORE")
        ]
        assert found[0] == found[1], words
    both.run("search", "copper", "--site", "elsewhere.example", "--store", "STORE")
