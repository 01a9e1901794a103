"""Callbacks over stored pages: the difference, what is stored of it, and what goes wrong."""

import errno
import multiprocessing
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import reparse_story
from data_story import rows
from reparse_story import Asking, Fragile, Head, Parts, made, reparse

from crawler import Request, ScrapedPage, Spider
from crawler.cli import run
from crawler.errors import CrawlerError, QueryError, SpiderError, StoreClaimed
from crawler.inspect.query import Reader
from crawler.reparse import pages, work
from crawler.store.claim import Claim

OLD = partial(Parts, version="old")
STORY = Path(reparse_story.__file__)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Thirty pages with the items of the old version."""
    path = made(tmp_path / "a.db", 30)
    reparse(path, OLD)
    return path


def items(path: Path) -> dict[int, list[str]]:
    """Give the versions of the items of each page."""
    sql = (
        "SELECT page_id, version FROM part UNION ALL"
        " SELECT page_id, substr(title, -3) FROM head ORDER BY page_id"
    )
    found: dict[int, list[str]] = {}
    for page_id, version in rows(path, sql):
        found.setdefault(page_id, []).append(version)
    return found


def write(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(sql)


# ---------------------------------------------------------------- the difference


def test_the_difference_is_told_and_nothing_stored_until_it_is_applied(store: Path) -> None:
    before = store.read_bytes()
    diff = reparse(store, Parts, apply=False)
    assert (diff.pages, diff.same, diff.added, diff.removed, diff.changed) == (30, 0, 60, 60, 30)
    assert store.read_bytes() == before
    assert reparse(store, Parts).examples == diff.examples
    assert items(store) == {n: ["new"] * 3 for n in range(1, 31)}
    again = reparse(store, Parts)
    assert (again.same, again.added, again.removed, again.changed) == (90, 0, 0, 0)
    assert rows(store, "SELECT count(*), max(title) FROM head_history") == [(30, "9 old")]


def test_only_the_pages_that_are_asked_for_are_parsed(store: Path) -> None:
    assert reparse(store, Parts, where="depth = 1 AND title < '20'").pages == 5
    assert sum(versions == ["new"] * 3 for versions in items(store).values()) == 5
    with pytest.raises(QueryError, match="no stored body fits"):
        reparse(store, Parts, where="depth = 7")
    with pytest.raises(QueryError, match="did you mean depth"):
        reparse(store, Parts, where="deep = 7")


class Twins(Spider):
    """The same item on every page, as a site shows the same thing in several places."""

    name = "twins"

    def parse(self, page: ScrapedPage) -> Any:
        yield Head("http://site.example/one", "One")
        yield Head("http://site.example/one", "One")


def test_an_item_that_a_later_page_gave_too_is_no_difference(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db", 3)
    reparse(path, Twins)
    for where in ("", "page_id = 1"):
        diff = reparse(path, Twins, where=where, apply=False)
        assert (diff.same, diff.added, diff.removed, diff.changed) == (1, 0, 0, 0)


class Repeats(Spider):
    """Dicts, some of them equal, and on the last page another one."""

    name = "repeats"
    last = "x"

    def parse(self, page: ScrapedPage) -> Any:
        return [{"text": "a"}, {"text": "a"}, {"text": self.last if page.title == "3" else "b"}]


def test_items_without_a_key_are_compared_by_what_they_say_and_how_often(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db", 3)
    assert reparse(path, Repeats).added == 9
    diff = reparse(path, partial(Repeats, last="a"))
    assert (diff.same, diff.added, diff.removed) == (8, 1, 1)
    assert [(e.kind, e.url[-1], e.text) for e in diff.examples] == [
        ("added", "3", "text='a'"),
        ("removed", "3", "text='x'"),
    ]


# ---------------------------------------------------------------- callbacks


class Patient(Spider):
    """Asynchronous, with pipelines of both kinds."""

    name = "patient"

    async def parse(self, page: ScrapedPage) -> Any:
        import asyncio

        await asyncio.sleep(0)
        return [Head(page.url, page.title), Head(f"{page.url}?drop", None), Request(page.url)]

    async def _drop(item: Head) -> Head | None:  # type: ignore[misc]
        return None if item.title is None else item

    pipelines = (lambda item: item, _drop)


class Wrapped(Patient):
    """A plain function that gives a coroutine, as a decorator leaves it."""

    def parse(self, page: ScrapedPage) -> Any:
        return super().parse(page)


class Streaming(Patient):
    """An asynchronous generator."""

    async def parse(self, page: ScrapedPage) -> Any:
        for result in await super().parse(page):
            yield result


@pytest.mark.parametrize("kind", [Patient, Wrapped, Streaming])
def test_callbacks_and_pipelines_that_are_awaited_run_as_in_a_crawl(
    tmp_path: Path, kind: type[Spider]
) -> None:
    path = made(tmp_path / "a.db", 3)
    diff = reparse(path, kind)
    assert (diff.added, diff.requests, diff.errors) == (3, 3, 0)
    assert rows(path, "SELECT title FROM head ORDER BY page_id") == [("1",), ("2",), ("3",)]


def test_requests_are_counted_and_the_count_is_said(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reparse(store, Asking, apply=False).requests == 60
    assert run(["reparse", f"{STORY}:Asking", "--store", str(store)]) == 0
    said = capsys.readouterr()
    assert "60 requests yielded, not followed" in said.out
    assert "store it with --apply" in said.err


class Strict(Parts):
    """Fails on the second page."""

    def parse(self, page: ScrapedPage) -> Any:
        yield from super().parse(page)
        if page.title == "2":
            raise ValueError("no such luck")


def test_a_page_whose_callback_fails_keeps_its_items(store: Path) -> None:
    diff = reparse(store, Strict)
    assert (diff.errors, diff.changed) == (1, 29)
    assert diff.examples[0].text.endswith("test_reparse.py:182: ValueError: no such luck")
    assert items(store)[2] == ["old"] * 3
    found = rows(store, "SELECT page_id FROM pages WHERE outcome = 'spider_error' AND error <> ''")
    assert found == [(2,)]
    reparse(store, Parts)
    assert rows(store, "SELECT count(*) FROM pages WHERE outcome <> 'ok' OR error <> ''") == [(0,)]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE bodies SET body = x'00'",
        "UPDATE bodies SET body = substr(body, 1, length(body) / 2)",
        "UPDATE bodies SET body = 'text'",
        "UPDATE bodies SET body = (SELECT body FROM bodies WHERE page_id = 5)",
        "UPDATE pages SET headers = '{'",
        "UPDATE pages SET request = '{'",
        "UPDATE pages SET fetched_at = 'once'",
    ],
)
def test_a_damaged_page_is_reported_and_keeps_what_it_has(store: Path, damage: str) -> None:
    write(store, f"{damage} WHERE page_id = 3")
    diff = reparse(store, Parts)
    assert (diff.pages, diff.damaged, diff.errors, diff.changed) == (30, 1, 0, 29)
    assert (diff.examples[0].kind, diff.examples[0].url) == ("damaged", "http://site.example/3")
    assert items(store)[3] == ["old"] * 3
    assert rows(store, "SELECT outcome FROM pages WHERE page_id = 3") == [("ok",)]


# ---------------------------------------------------------------- processes


@pytest.fixture(params=["fork", "spawn"])
def start(request: pytest.FixtureRequest) -> Iterator[str]:
    """Whichever way a process starts: beside another thread it is never a fork."""
    if request.param == "fork" and not work.can_fork():
        pytest.skip("no fork here")
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    if request.param == "spawn":
        thread.start()
    yield request.param
    over.set()
    if thread.is_alive():
        thread.join()


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "CHUNK", 4)


@pytest.mark.usefixtures("small_chunks", "start")
def test_several_processes_give_what_one_gives_in_the_same_order(store: Path) -> None:
    with Reader(store) as reader:
        chunks = pages.choose(reader).chunks
    assert [len(chunk) for chunk in chunks] == [4] * 7 + [2]
    todo = work.ReparseJob(store, chunks, Parts, keep=True)
    given = []
    for processes in (1, 3):
        with work.results(todo, processes) as results:
            given.append([(r.diff, [(p.origin, p.records) for p in r.parsed]) for r in results])
    assert given[0] == given[1]
    assert reparse(store, Parts, processes=2).changed == 30
    assert items(store) == {n: ["new"] * 3 for n in range(1, 31)}


@pytest.mark.usefixtures("small_chunks")
def test_where_a_process_cannot_be_started_none_is_left_behind(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, started = BaseProcess.start, []

    def start_two(process: BaseProcess) -> None:
        if len(started) == 2:
            raise OSError(errno.EAGAIN, "no more processes")
        started.append(process)
        start(process)

    monkeypatch.setattr(BaseProcess, "start", start_two)
    with pytest.raises(OSError, match="no more processes"):
        reparse(store, Parts, processes=3)
    assert len(started) == 2 and not multiprocessing.active_children()


@pytest.mark.usefixtures("small_chunks")
def test_no_chunk_is_parsed_before_the_one_before_it_was_taken(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db", 12)
    parsed: list[str | None] = []

    class Watched(Spider):
        name = "watched"

        def parse(self, page: ScrapedPage) -> None:
            parsed.append(page.title)

    with Reader(path) as reader:
        chosen = pages.choose(reader)
    with work.results(work.ReparseJob(path, chosen.chunks, Watched), 1) as results:
        for number, _ in enumerate(results, 1):
            assert len(parsed) == 4 * number


@pytest.mark.usefixtures("small_chunks", "start")
def test_a_process_that_dies_is_named_and_what_was_stored_stays(store: Path) -> None:
    with pytest.raises(CrawlerError, match="code 7 while it parsed a page from page_id 25 to 28"):
        reparse(store, Fragile, processes=2)
    changed = {page_id for page_id, versions in items(store).items() if versions == ["new"] * 3}
    assert changed == set(range(1, 25))


def test_no_process_outlives_the_one_that_started_it(store: Path) -> None:
    # Each of them has its standard output: it ends when the last of them does.
    done = subprocess.run([sys.executable, STORY, store], stdout=subprocess.PIPE, timeout=60)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("processes", [1, 2])
def test_a_spider_that_cannot_be_made_is_said_by_the_command(
    store: Path, processes: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SpiderError):
        reparse(store, partial(Parts, parse="x"), processes=processes)
    command = ["reparse", f"{STORY}:Parts", "--store", str(store), "-a", "parse=x"]
    assert run([*command, "--processes", str(processes)]) == 2
    assert "-a parse=x" in capsys.readouterr().err


def test_processes_are_only_started_for_what_is_worth_them(store: Path) -> None:
    with Reader(store) as reader:
        assert work.processes_for(pages.choose(reader)) == 1
    assert work.processes_for(pages.ChosenPages([pages.array("q", [1])] * 9, 9, 10**9)) >= 1


# ---------------------------------------------------------------- storing


def test_each_page_has_its_old_items_or_its_new_ones_whenever_the_apply_is_killed(
    store: Path, tmp_path: Path
) -> None:
    write(store, "PRAGMA wal_checkpoint(TRUNCATE)")
    folder = tmp_path / "killed"
    folder.mkdir()
    subprocess.run([sys.executable, STORY, store, folder], check=True, timeout=60)
    killed = sorted(folder.glob("*.db"), key=lambda path: int(path.stem))
    assert len(killed) > 30
    changed = set()
    for path in killed:
        found = items(path)
        assert len(found) == 30
        assert {tuple(versions) for versions in found.values()} <= {("old",) * 3, ("new",) * 3}
        new = sum(versions[0] == "new" for versions in found.values())
        assert rows(path, "SELECT count(*) FROM head_history") == [(new,)]
        changed.add(new)
    assert changed == {0, 10, 20, 30}
    reparse(killed[15], Parts)
    everything = "SELECT item_id, title, page_id FROM head UNION ALL SELECT * FROM head_history"
    everything = everything.replace("*", "item_id, title, page_id")
    assert sorted(rows(killed[15], everything)) == sorted(rows(killed[-1], everything))


def test_a_store_that_is_crawled_into_is_not_touched(store: Path) -> None:
    claim = Claim(store)
    claim.take()
    try:
        assert reparse(store, Parts, apply=False).changed == 30
        with pytest.raises(StoreClaimed):
            reparse(store, Parts)
    finally:
        claim.release()
    assert items(store)[1] == ["old"] * 3


def test_items_that_do_not_fit_are_problems_and_replaced_like_items(tmp_path: Path) -> None:
    class Wrong(Parts):
        def parse(self, page: ScrapedPage) -> Any:
            yield {"text": "a"} if self.version == "new" else Head(None, "no key")  # type: ignore

    path = made(tmp_path / "a.db", 2)
    assert reparse(path, partial(Wrong, version="old")).invalid == 2
    assert rows(path, "SELECT page_id, item FROM problems") == [(1, "Head"), (2, "Head")]
    assert reparse(path, Wrong).invalid == 0
    assert rows(path, "SELECT count(*) FROM problems") == [(0,)]


def test_the_command_imports_neither_network_nor_event_loop(store: Path, tmp_path: Path) -> None:
    spider = tmp_path / "plain.py"
    spider.write_text(
        "from crawler import Spider\n"
        "class Plain(Spider):\n"
        "    name = 'plain'\n"
        "    def parse(self, page): yield {'title': page.css('title::text').get()}\n"
    )
    code = (
        "import sys; from crawler.cli import run\n"
        f"assert run(['reparse', {str(spider)!r}, '--store', {str(store)!r}]) == 0\n"
        "print({'asyncio', 'aiohttp', 'multiprocessing', 'rich', 'bs4'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert "30 added" in done.stdout
    assert done.stdout.splitlines()[-1] == "set()"
