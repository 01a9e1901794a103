"""What is done with a store after the crawl: ask, search, export, visit again."""

import asyncio
import gzip
import json
import os
import resource
import sqlite3
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from data_story import SmallWeb, crawl, on_web, page, rows

from crawler import ScrapedPage, SiteSpider, Spider, export, item
from crawler.config.revisit import RevisitSettings
from crawler.errors import QueryError, SpiderError, StoreFull, UsageError
from crawler.export import import_, warc
from crawler.export.formats import WriteOptions
from crawler.export.markdown import path_of
from crawler.inspect import diff, health, run_report, saved_queries, search
from crawler.inspect.query import Reader
from crawler.parse.markdown import markdown_of
from crawler.parse.text import text_of
from crawler.store import open_store, requeue
from crawler.store.revisits import interval

LATER = "2999-01-01T00:00:00.000Z"


@item(key="url", history=True)
class Head:
    url: str
    title: str


class Heads(Spider):
    name = "heads"
    rules = SiteSpider.rules

    def parse(self, page: ScrapedPage) -> Any:
        yield Head(page.url, (page.title or "").upper())


def heads(kind: type[Spider], url: str) -> Spider:
    spider = kind()
    spider.start_urls = [url + "/"]
    return spider


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small crawl: three pages, one link broken; tests only read it."""
    path = tmp_path_factory.mktemp("data") / "a.db"

    async def tell(web: SmallWeb) -> None:
        web.add("/", page("one", "/two", "/three?q=1", "/none", text="apples and =pears"))
        web.add("/two", page("two", "/", text="pears only"), ETag='"2"')
        web.add("/three?q=1", page("three", text="<b>ap</b>ples again"))
        await crawl(path, heads(Heads, web.url), store={"text": True})

    on_web(tell)
    return path


# ---------------------------------------------------------------- query


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT titel\nFROM pages", ["no such column: titel", "did you mean title", "^"]),
        ("SELECT url FROM page", ["no such table: page", "did you mean pages", "^"]),
        ("SELECT url FORM pages", ["syntax error", "did you mean FROM", "^"]),
        ("DELETE FROM pages", ["can only read"]),
        ("CREATE TEMP TABLE x (a)", ["can only read"]),
        ("ATTACH 'other.db' AS other", ["can only read"]),
        ("PRAGMA query_only = 0", ["can only read"]),
        ("VACUUM INTO 'copy.db'", ["can only read"]),
        ("SELECT 1; SELECT 2", ["one statement"]),
    ],
)
def test_sql_that_cannot_run_says_where_and_what_is_near(
    store: Path, sql: str, words: list[str]
) -> None:
    before = store.read_bytes()
    with Reader(store) as reader, pytest.raises(QueryError) as error:
        list(reader.query(sql).rows)
    assert [word for word in words if word not in str(error.value)] == []
    assert store.read_bytes() == before


def test_a_saved_query_is_found_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "slow.sql").write_text("-- What is slow\nSELECT * FROM slow_pages")
    assert saved_queries.sql_of("slow", tmp_path).endswith("slow_pages")
    assert saved_queries.saved(tmp_path) == {"slow": "What is slow"}
    with pytest.raises(QueryError, match="did you mean 'slow'"):
        saved_queries.sql_of("slwo", tmp_path)


def test_the_plan_of_a_query_is_shown(store: Path) -> None:
    with Reader(store) as reader:
        plan = list(reader.explain("SELECT * FROM pages WHERE page_id = 1").rows)
    assert "SEARCH pages" in plan[0][0]


# ---------------------------------------------------------------- search and text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a <b>b</b>c<br>d</p><script>x<p>y</script>e", "a bc\nd\ne"),
        ("<title>t</title><style>s</style><!-- c --><table><td>1<td>2", "1\n2"),
        ("a&amp;b &lt;i&gt;\n  c", "a&b <i> c"),
        ("x<script>never closed", "x"),
        ("<SPAN>a</SPAN><DIV>b</DIV>", "a\nb"),
    ],
)
def test_readable_text_is_one_line_a_block(html: str, text: str) -> None:
    assert text_of(html) == text


@pytest.mark.parametrize(
    ("words", "site", "titles"),
    [
        ("apples", None, ["one", "three"]),
        ('"pears only"', None, ["two"]),
        ("title: two", None, ["two"]),
        ('broken "syntax (', None, []),
        ("apples", "127.0.0.1", ["one", "three"]),
        ("apples", "example.com", []),
    ],
)
def test_search_finds_pages_with_snippets(
    store: Path, words: str, site: str | None, titles: list[str]
) -> None:
    with Reader(store) as reader:
        found = list(search.search(reader, words, site=site).rows)
    assert sorted(row[1] for row in found) == titles
    assert all("[" in row[2] or "title" in words for row in found)


def test_the_index_can_be_made_after_the_crawl(store: Path, tmp_path: Path) -> None:
    copy = _copy(store, tmp_path)
    with _writing(copy) as db:
        db.execute("DELETE FROM texts")
        db.execute("UPDATE bodies SET body = x'00' WHERE page_id = 2")
    with Reader(copy) as reader, pytest.raises(QueryError, match="--index"):
        search.search(reader, "apples")
    assert search.index(copy) == 2
    assert search.index(copy) == 0
    with Reader(copy) as reader:
        assert len(list(search.search(reader, "apples").rows)) >= 1


# ---------------------------------------------------------------- export and import


def test_rows_come_back_from_every_format(store: Path, tmp_path: Path) -> None:
    import pyarrow.parquet

    with Reader(store) as reader:
        for kind in ("jsonl", "json", "csv", "parquet", "sqlite"):
            rows_, how = export.select(reader, "head")
            assert export.write(rows_, kind, tmp_path / f"head.{kind}", how) == 3
    lines = [json.loads(line) for line in (tmp_path / "head.jsonl").read_text().splitlines()]
    assert lines == json.loads((tmp_path / "head.json").read_text())
    table = pyarrow.parquet.read_table(tmp_path / "head.parquet").to_pylist()
    at = [datetime.fromisoformat(line.pop("fetched_at")) for line in lines]
    assert at == [row.pop("fetched_at") for row in table]
    assert lines == table
    assert rows(tmp_path / "head.sqlite", "SELECT title FROM head ORDER BY title") == [
        *(("ONE",), ("THREE",), ("TWO",))
    ]
    assert (tmp_path / "head.csv").read_bytes().count(b"\r\n") == 4


def test_csv_can_be_made_safe_for_spreadsheets(store: Path, tmp_path: Path) -> None:
    with Reader(store) as reader:
        found, how = export.select(reader, "SELECT '=1+1' AS a, -2 AS b, '@x' AS c")
        how.safe = True
        export.write(found, "csv", tmp_path / "a.csv", how)
    assert (tmp_path / "a.csv").read_text() == "a,b,c\n'=1+1,-2,'@x\n"


def test_an_export_is_continued_with_what_came_since(store: Path, tmp_path: Path) -> None:
    copy, out = _copy(store, tmp_path), tmp_path / "heads.jsonl"
    with Reader(copy) as reader:
        assert export.go_on(reader, "head", "jsonl", out, WriteOptions()) == 3
        assert export.go_on(reader, "head", "jsonl", out, WriteOptions()) == 0
    with _writing(copy) as db:
        db.execute(
            "INSERT INTO head (url, title, page_id, page_url, run_id, fetched_at)"
            " VALUES ('u', 't', 1, 'p', 2, 'now')"
        )
    with Reader(copy) as reader:
        assert export.go_on(reader, "head", "jsonl", out, WriteOptions()) == 1
    assert len(out.read_text().splitlines()) == 4


def test_a_full_disk_leaves_no_half_file(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.csv"
    code = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50, 50));"
        "from crawler.__main__ import main; main()"
    )
    arguments = ["export", "pages", "-o", str(out), "--store", str(store)]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert resource is not None and done.returncode != 0
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StoreFull, match="disk is full"):
        export.to_file(out, _fail_as_full)
    assert list(tmp_path.iterdir()) == []


def _fail_as_full(part: Path) -> int:
    part.write_text("half")
    raise OSError(28, os.strerror(28))


def test_what_cannot_be_exported_names_what_can(store: Path) -> None:
    with Reader(store) as reader, pytest.raises(QueryError, match="pages, links, head"):
        export.select(reader, "heads")
    with pytest.raises(UsageError, match=r"no format for \.xyz"):
        export.format_of(Path("a.xyz"), None)


def test_a_warc_holds_each_pair_and_comes_back_as_pages(store: Path, tmp_path: Path) -> None:
    from warcio.archiveiterator import ArchiveIterator

    file = tmp_path / "a.warc.gz"
    with Reader(store) as reader:
        assert warc.write_warc(reader, file) == 4
    with file.open("rb") as source:
        kinds = [
            r.rec_type
            for r in ArchiveIterator(source, check_digests="raise")
            if r.content_stream().read() or 1
        ]
    assert kinds == ["warcinfo", *["response", "request"] * 4]
    assert gzip.decompress(file.read_bytes()).startswith(b"WARC/1.1\r\n")

    async def bring() -> import_.ImportCounts:
        made = open_store(str(tmp_path / "b.db"))
        await made.open()
        await made.begin_run("site", "{}")
        with file.open("rb") as source:
            number = await import_.pages(made, warc.read_warc(source))
        await made.close()
        return number

    assert asyncio.run(bring()) == import_.ImportCounts(4)
    differences = list(diff.stores(store, tmp_path / "b.db"))
    assert [(d.kind, d.what, d.key) for d in differences] == [
        ("gone", "head", "3 items, the whole type")
    ]
    assert rows(store, "SELECT source, target FROM links ORDER BY 1, 2") == rows(
        tmp_path / "b.db", "SELECT source, target FROM links ORDER BY 1, 2"
    )


def test_a_list_of_urls_and_a_sitemap_are_seeds(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("# mine\nhttp://a.example/\n\nHTTP://a.example/x#y\n")
    assert list(import_.urls_in(tmp_path / "list")) == ["http://a.example/", "http://a.example/x"]
    (tmp_path / "map.xml").write_text(
        '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
        "<url><loc>http://localhost/p</loc></url></urlset>"
    )
    assert list(import_.urls_in(tmp_path / "map.xml")) == ["http://localhost/p"]
    (tmp_path / "bad").write_text("http://a.example/\nnot a url\n")
    with pytest.raises(UsageError, match="bad:2"):
        list(import_.urls_in(tmp_path / "bad"))


def test_a_page_becomes_markdown_under_a_safe_name() -> None:
    html = (
        "<html><head><title>t</title></head><body><h1>A</h1><p>b <a href='/c'>d</a></body></html>"
    )
    assert markdown_of(html) == "# A\n\nb [d](/c)\n"
    assert path_of("http://h:1/a/b.html") == Path("h_1/a/b.html.md")


# ---------------------------------------------------------------- visit again


def test_a_failure_is_queued_again_and_its_success_takes_its_place(tmp_path: Path) -> None:
    path = tmp_path / "a.db"

    async def tell(web: SmallWeb) -> None:
        web.add("/", page("one", "/two"))
        web.add("/two", "down", status=503)
        await crawl(path, heads(Heads, web.url))
        with pytest.raises(QueryError, match="--where"):
            requeue.retry(path, "statuss = 1")
        assert requeue.retry(path, "status = 404") == 0
        assert requeue.retry(path, "status = 503 AND host LIKE '%127%'") == 1
        assert requeue.retry(path) == 0
        web.add("/two", page("two"))
        await crawl(path, heads(Heads, web.url))
        found = rows(path, "SELECT url, outcome FROM pages ORDER BY page_id")
        assert found == [(web.url + "/", "ok"), (web.url + "/two", "ok")]
        assert rows(path, "SELECT count(*) FROM head") == [(2,)]

    on_web(tell)


def test_a_later_visit_tells_what_is_new_changed_and_gone(tmp_path: Path) -> None:
    path = tmp_path / "a.db"

    async def tell(web: SmallWeb) -> None:
        links = ("/same", "/changed", "/touched", "/gone", "/failing", "/moved")
        web.add("/", page("home", *links), ETag='"1"')
        for link in links:
            web.add(link, page(link, text="before"), **({"ETag": '"s"'} if link == "/same" else {}))
        await crawl(path, heads(Heads, web.url), store={"text": True})
        assert requeue.recrawl(path, "2020-01-01T00:00:00.000Z") == 0
        assert requeue.recrawl(path, LATER) == 7
        web.add("/changed", page("/changed", "/new", text="after"))
        web.add("/touched", page("/touched", text="before") + "<!-- 1 -->")
        web.add("/new", page("new"))
        web.add("/failing", "down", status=500)
        web.add("/moved", "", status=301, Location="/new")
        web.drop("/gone")
        web.asked.clear()
        await crawl(path, heads(Heads, web.url), store={"text": True})
        sent = {asked: headers.get("If-None-Match") for asked, headers in web.asked}
        assert (sent["/same"], sent["/changed"]) == ('"s"', None)
        kinds = dict(rows(path, "SELECT replace(url, ?, ''), kind FROM changes", web.url))
        assert kinds == {
            "/changed": "changed",
            "/touched": "touched",
            "/failing": "failed",
            "/moved": "redirected",
            "/gone": "gone",
            "/new": "new",
        }
        state = dict(rows(path, "SELECT replace(url, ?, ''), outcome FROM pages", web.url))
        assert state == {
            **dict.fromkeys(["/", "/same", "/changed", "/touched", "/failing", "/new"], "ok"),
            "/moved": "redirect",
            "/gone": "not_found",
        }
        old = rows(path, "SELECT count(*) FROM page_versions WHERE body IS NOT NULL")
        assert old == [(4,)]
        assert rows(path, "SELECT count(*) FROM links WHERE source = ?", web.url + "/") == [(6,)]
        assert rows(path, "SELECT value FROM crawl WHERE key = 'pages'") == [(6,)]
        assert rows(path, "SELECT text FROM texts WHERE title = '/changed'")[0][0] != "before"
        runs = {d.kind for d in diff.runs(path, 1, 2)}
        assert runs == {"changed", "touched", "failed", "redirected", "gone", "new", "added"}
        assert (
            requeue.bring_forward(path, [(web.url + "/same", LATER)], "2020-01-01T00:00:00Z") == 1
        )
        assert requeue.recrawl(path, "2020-01-02T00:00:00.000Z") == 1

    on_web(tell)


def test_a_page_is_visited_sooner_after_a_change_and_later_after_none() -> None:
    bounds = RevisitSettings(least=10, most=1000)
    assert interval(100, True, bounds) < 100 < interval(100, False, bounds)
    assert interval(10, True, bounds) == 10
    assert interval(1000, False, bounds) == 1000


# ---------------------------------------------------------------- health, reports


def test_a_broken_gate_says_what_there_is_instead(store: Path) -> None:
    expect = [
        "items.head >= 3",
        "items.nothing > 0",
        "error_rate < 2%",
        "filled(head.title) > 95%",
        "outcome.not_found == 1",
    ]
    with Reader(store) as reader:
        assert health.broken(reader, expect) == [
            "items.nothing > 0: it is 0",
            "error_rate < 2%: it is 25.0%",
        ]
    with pytest.raises(SpiderError, match="did you mean 'pages'"):
        health.gate("page > 1")
    with pytest.raises(SpiderError, match="write it like"):
        health.gate("items.head > many")


def test_a_report_is_one_page_that_needs_no_other(store: Path) -> None:
    with Reader(store) as reader:
        text = run_report.page(reader)
        with pytest.raises(UsageError, match="no run 9"):
            run_report.page(reader, 9)
    assert "<svg" in text and "/none" in text
    assert "src=" not in text and "<script" not in text and "<link" not in text


def test_two_stores_differ_by_page_and_by_item(store: Path, tmp_path: Path) -> None:
    copy = _copy(store, tmp_path)
    with _writing(copy) as db:
        db.execute("UPDATE head SET title = '<b>' WHERE title = 'ONE'")
        db.execute("UPDATE pages SET status = 410, outcome = 'not_found' WHERE title = 'two'")
        db.execute("DELETE FROM pages WHERE title = 'three'")
    found = {(d.kind, d.what) for d in diff.stores(store, copy)}
    assert found == {("changed", "head"), ("status", "page"), ("gone", "page")}
    assert "title=&lt;b&gt;" in diff.as_html(diff.stores(store, copy), "x")


# ---------------------------------------------------------------- what these tests use


def _copy(store: Path, folder: Path) -> Path:
    made = folder / "copy.db"
    source, target = sqlite3.connect(store), sqlite3.connect(made)
    source.backup(target)
    source.close()
    target.close()
    return made


class _writing:
    """A connection that commits and closes."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path)

    def __enter__(self) -> sqlite3.Connection:
        return self._db

    def __exit__(self, *exc: object) -> None:
        self._db.commit()
        self._db.close()
