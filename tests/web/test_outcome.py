"""One table of outcomes: all who ask what an error is, or what is done about it, hear the same."""

import asyncio
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from crawl_story import crawl, crawler_of, outcomes, read, story
from store_backends import sqlite_backend, visit

from crawler import Crawler, Request, SiteSpider, Spider
from crawler.cli import ending
from crawler.inspect import health, run_report
from crawler.inspect.query import Reader
from crawler.inspect.status import overview
from crawler.inspect.why import why
from crawler.store import Batch, open_store, requeue, views
from crawler.store.schema import MIGRATIONS
from crawler.web import outcome
from crawler.web.outcome import COLUMNS, MEANINGS, Outcome
from crawler.web.request import Candidate, url_hash
from crawler.web.stats import Stats

DOCS = Path(__file__).parents[2] / "docs"
PAGE = "http://h.example/page"


def store_of(path: Path, ended: Outcome) -> Stats:
    """Make a store, `crawl.db`, in which one request ended so; give what the run counted."""

    async def tell() -> Stats:
        store, stats = sqlite_backend(path).store(), Stats()
        await store.open()
        await store.begin_run("s", "{}")
        seed = Candidate("http://h.example", url_hash(PAGE), PAGE, 0, 0, None)
        done = await store.commit(Batch(seeds=[seed], seeded=True))
        batch = [visit(done.added[0], outcome=ended)]
        done = await store.commit(Batch(visits=batch))
        stats.add(batch, done.new)
        await store.end_run("finished", None)
        await store.close()
        return stats

    return asyncio.run(tell())


def errors_of(report: str) -> str:
    """Return what a report lists as errors."""
    return report.partition("<h2>Errors</h2>")[2].partition("</section>")[0]


@pytest.mark.parametrize("ended", Outcome)
def test_summary_status_view_gates_report_and_retry_agree(ended: Outcome, tmp_path: Path) -> None:
    stats, store = store_of(tmp_path, ended), tmp_path / "crawl.db"
    meaning = MEANINGS[ended]
    found = overview(store)
    with Reader(store) as reader:
        view = len(list(reader.query("SELECT * FROM errors").rows))
        joined = "SELECT outcomes.error FROM pages JOIN outcomes ON name = outcome"
        [(table,)] = reader.query(joined).rows
        broken = health.broken(reader, ["errors == 0", "error_rate == 0"])
        without = health.broken(reader, ["pages == 0"])
        html = run_report.page(reader)
    listed = PAGE in errors_of(html)
    asked = [stats.errors, found.errors, found.runs[0].errors, view, table]
    assert asked == [int(meaning.error)] * 5
    assert (len(broken), listed) == (2 * meaning.error, meaning.error)
    assert requeue.retry(store) == meaning.requeued
    assert meaning.requeued == meaning.error or ended is Outcome.BLOCKED  # `retry` brings it back
    assert (stats.pages, found.pages, len(without)) == (int(meaning.stored),) * 3


@pytest.mark.parametrize("ended", Outcome)
def test_what_recrawl_visits_and_what_is_a_page_is_in_the_table(
    ended: Outcome, tmp_path: Path
) -> None:
    store_of(tmp_path, ended)
    store = tmp_path / "crawl.db"
    assert len(read(store, "SELECT * FROM orphans")) == MEANINGS[ended].stored
    assert len(read(store, "SELECT * FROM link_counts")) == MEANINGS[ended].stored
    assert requeue.recrawl(store, "2999-01-01", all_=True) == MEANINGS[ended].recrawled


def test_every_outcome_has_a_row_and_nothing_contradicts_another() -> None:
    assert set(MEANINGS) == set(Outcome)
    for ended, row in MEANINGS.items():
        assert row.requeued == row.error or ended is Outcome.BLOCKED, ended
        assert row.told or not row.error, ended
        assert row.error or not (row.stored and row.told), ended
        assert row.error or not (row.retried or row.broken or row.gone or row.slows), ended
        assert row.error or row.weight is None, ended


@story(robots="User-agent: *\nSitemap: /map.xml\n")
async def test_a_clean_crawl_with_a_sitemap_and_a_noindex_page_has_no_errors(site, path):
    for name in ("/", "/a"):
        site.add_page(name, "<title>Page</title><a href=/hidden>h</a><a href=/moved>m</a>")
    site.add_page("/hidden", "<meta name=robots content=noindex><title>Hidden</title>")
    site.add_redirect("/moved", "/a")
    entry = f"<urlset><url><loc>{site.at('/a')}</loc></url></urlset>"
    site.add_page("/map.xml", entry, content_type="application/xml")
    store = path / "s.db"
    settings = {"links__sitemaps": True, "links__noindex": "skip", "politeness__robots": True}
    summary = await crawl(SiteSpider(site.at("/")), store, **settings)
    assert summary.outcomes == {"ok": 2, "redirect": 1, "sitemap": 1, "noindex": 1}
    with Reader(store) as reader:
        assert health.broken(reader, ["errors == 0"]) == []
        assert list(reader.query("SELECT * FROM errors").rows) == []
        assert "<p>None.</p>" in errors_of(run_report.page(reader))
    assert (summary.errors, overview(store).errors, requeue.retry(store)) == (0, 0, 0)


# ---------------------------------------------------------------- on_error


class Hearing(Spider):
    """Remembers what `parse` and `on_error` were told of."""

    name = "hearing"

    def __init__(self) -> None:
        super().__init__()
        self.parsed: list[str] = []
        self.heard: dict[str, str] = {}

    def parse(self, page: Any) -> None:
        self.parsed.append(page.url)

    def on_error(self, request: Request, ended: Outcome, status: int | None) -> None:
        assert request.url not in self.heard
        self.heard[request.url] = str(ended)


ROBOTS = "User-agent: *\nDisallow: /private"


@story(robots=ROBOTS)
async def test_on_error_hears_of_every_request_that_ended_without_a_page(site, path):
    site.add_page("/a", "<title>A</title>")
    site.add_page("/copy", "<title>A</title>")
    site.add_page("/hidden", "<meta name=robots content=noindex>")
    site.add_page("/wall", "<title>Just a moment...</title>", headers={"cf-mitigated": "challenge"})
    site.add_redirect("/moved", "/target")
    site.add_page("/target", "<title>T</title>")
    site.add_redirect("/nowhere", "file:///etc/hosts")
    paths = ("/a", "/copy", "/hidden", "/wall", "/moved", "/nowhere", "/private", "/none")
    spider, store = Hearing(), path / "s.db"
    seeds = [*map(site.at, paths), "http://nothing.invalid/", "http://127.77.1.1:1/down"]
    await crawl(
        spider,
        store,
        *seeds,
        engine__workers=1,
        fetch__retries=0,
        politeness__robots=True,
        links__noindex="skip",
        traps__duplicates="skip",
    )
    ended = dict(read(store, "SELECT url, outcome FROM pages"))
    told = {url: name for url, name in ended.items() if MEANINGS[Outcome(name)].told}
    assert spider.heard == told
    assert set(told.values()) == {
        *("duplicate", "noindex", "walled", "bad_redirect", "robots_denied", "not_found"),
        *("dns_error", "robots_unreachable"),
    }
    assert sorted(spider.parsed) == [site.at("/a"), site.at("/target")]


@story()
async def test_on_error_hears_of_the_queue_of_a_host_that_is_given_up(site, path):
    names = [site.add_page(f"/{number}", "no", status=500) for number in range(8)]
    spider, store = Hearing(), path / "s.db"
    limits = {"politeness__give_up_after": 3, "politeness__per_host": 1, "politeness__max_delay": 0}
    await crawl(spider, store, *names, fetch__retries=0, **limits)
    assert sorted(spider.heard.values()) == ["host_given_up"] * 5 + ["server_error"] * 3


@story()
async def test_on_error_hears_of_a_row_that_cannot_be_read(site, path):
    site.add_page("/a", "<title>A</title>")
    site.add_page("/b", "<title>B</title>")
    spider, store = Hearing(), path / "s.db"
    await crawl(spider, store, site.at("/a"), site.at("/b"), engine__max_pages=1, engine__workers=1)
    with closing(sqlite3.connect(store)) as db:
        db.execute("UPDATE todo SET extra = '{no json'")
        db.commit()
    await crawl(spider, store, site.at("/a"), site.at("/b"))
    assert spider.heard == {site.at("/b"): "internal_error"}


# ---------------------------------------------------------------- in the store


def opened(path: Path) -> None:
    async def tell() -> None:
        store = open_store(str(path))
        await store.open()
        await store.close()

    asyncio.run(tell())


def test_the_table_in_the_store_is_that_of_the_code_after_each_open(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    opened(path)
    with closing(sqlite3.connect(path)) as db:
        head = [row[1] for row in db.execute("PRAGMA table_info(outcomes)")]
        assert head == ["name", *COLUMNS]
        db.executescript(
            "UPDATE outcomes SET error = 1; DELETE FROM outcomes WHERE name = 'ok';"
            "DROP VIEW orphans; DROP VIEW errors; CREATE VIEW errors AS SELECT 1 AS old"
        )
    opened(path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT * FROM outcomes ORDER BY name").fetchall() == outcome.rows()
        made = dict(db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'view'"))
        assert made == views.views()
        [before] = db.execute("PRAGMA schema_version").fetchone()
    opened(path)  # which has nothing to do
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA schema_version").fetchone() == (before,)


def test_a_table_of_outcomes_of_another_version_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    opened(path)
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            "DROP TABLE outcomes;"
            "CREATE TABLE outcomes (name TEXT PRIMARY KEY, about TEXT NOT NULL) WITHOUT ROWID"
        )
    opened(path)
    assert read(path, "SELECT * FROM outcomes ORDER BY name") == outcome.rows()


@pytest.mark.parametrize("name", ["outcomes", "Errors", "broken_links", "links"])
def test_an_item_type_of_an_older_store_keeps_the_name_of_a_view(name: str, tmp_path: Path) -> None:
    store_of(tmp_path, Outcome.NOT_FOUND)
    path = tmp_path / "crawl.db"
    kind = "TABLE" if name == "outcomes" else "VIEW"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            f"DROP {kind} {name}; CREATE TABLE {name} (item_id INTEGER PRIMARY KEY, url, run_id);"
            f"INSERT INTO {name} VALUES (1, 'mine', 1);"
            f"INSERT INTO item_types (name, columns, key, history)"
            f" VALUES ('{name}', '{{\"url\": \"TEXT\"}}', '[]', 0)"
        )
    opened(path)
    assert read(path, f"SELECT item_id, url, run_id FROM {name}") == [(1, "mine", 1)]
    with Reader(path) as reader:  # and all that tells of errors goes on
        assert len(health.broken(reader, ["errors == 0"])) == 1
        assert PAGE in run_report.page(reader)
    assert (overview(path).errors, requeue.retry(path)) == (1, 1)


def test_no_migration_makes_a_view() -> None:
    """It would die where an item type has its name; store/views.sql is the place."""
    for file in MIGRATIONS:
        assert "CREATE VIEW" not in file.read_text(encoding="utf-8").upper(), file.name


# ---------------------------------------------------------------- in the documentation

_MARKS = (
    *("stored", "error", "retried", "requeued", "recrawled"),
    *("told", "broken", "gone", "sent", "slows"),
)


def test_the_documentation_has_the_same_table() -> None:
    text = (DOCS / "faults.md").read_text(encoding="utf-8").partition("## Outcomes")[2]
    wanted = []
    for ended, row in MEANINGS.items():
        cells = ["yes" if getattr(row, mark) else "" for mark in _MARKS]
        weight = "" if row.weight is None else f"{row.weight:g}"
        wanted.append(f"| `{ended}` | {row.about} | {' | '.join(cells)} | {weight} |")
    shown = [line for line in text.splitlines() if line.startswith("| `")]
    assert shown == wanted, "write these rows:\n" + "\n".join(wanted)


def test_the_documentation_knows_every_outcome_and_no_other() -> None:
    glossary = (DOCS / "glossary.md").read_text(encoding="utf-8")
    table = glossary.partition("\n## Outcomes\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(Outcome)
    schema = (DOCS / "schema.md").read_text(encoding="utf-8")
    assert [name for name in COLUMNS if f"`{name}`" not in schema] == []
    faults = (DOCS / "faults.md").read_text(encoding="utf-8")
    ends = " ".join(re.findall(r"^\| fault-\d+ \| .*? \| (.*?) \|", faults, re.MULTILINE))
    words = set(re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", ends))
    assert words - set(Outcome) <= {"on_error", "url_too_long"}


# ---------------------------------------------------------------- walls in a crawl

WALL = "<title>Just a moment...</title><a href=/deeper>d</a><script>window._cf_chl_opt={}</script>"


@story()
async def test_a_wall_is_counted_named_not_followed_and_slows_its_host(site, path):
    site.add_page("/", "<title>Home</title><a href=/walled>w</a><a href=/shut>s</a>")
    site.add_page("/walled", WALL)
    site.add_page("/shut", WALL, status=403)
    store = path / "s.db"
    summary = await crawl(site.at("/"), store, politeness__max_delay=0.01)
    assert summary.outcomes == {"ok": 1, "walled": 1, "http_error": 1}
    assert summary.errors == 2
    assert "/deeper" not in outcomes(store, site)
    errors = read(store, "SELECT error FROM pages WHERE error IS NOT NULL ORDER BY url DESC")
    assert [text.partition(",")[0] for text in errors] == [
        "Cloudflare challenge",
        "wall: Cloudflare challenge",
    ]
    assert read(store, "SELECT count(*) FROM bodies") == [1]
    with Reader(store) as reader:
        assert health.broken(reader, ["walled == 0"]) == ["walled == 0: it is 1"]
        [sign] = [
            line.text for line in why(reader, site.at("/walled"), ()) if line.about == "error"
        ]
    assert "_cf_chl_opt" in sign
    assert read(store, "SELECT failures > 0 FROM hosts") == [1]
    assert "1 walled: a bot check" in ending.story(summary)


@story()
async def test_a_wall_that_is_kept_is_a_page_like_any_other(site, path):
    site.add_page("/walled", WALL)
    site.add_page("/deeper", "<title>Deeper</title>")
    async with crawler_of(site.at("/walled"), path / "s.db", fetch__walls="keep") as crawler:
        assert isinstance(crawler, Crawler)
        summary = await crawler.run()
    assert summary.outcomes == {"ok": 2}
