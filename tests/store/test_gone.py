"""A store that is moved, deleted or replaced under a command stops it, loudly and soon."""

import asyncio
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_story import Desk, ServedSite
from data_story import FAST, SmallWeb, on_web, page, rows

from crawler import Crawler, SiteSpider
from crawler.engine import committer
from crawler.errors import StoreGone, StoreRefused
from crawler.export import import_
from crawler.inspect import search
from crawler.store import open_store
from crawler.store.claim import Claim
from crawler.store.requeue import claimed

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="an open file stays there")

PAGES = 12


def beside(store: Path, ending: str) -> Path:
    return store.with_name(store.name + ending)


def replace_file(store: Path) -> None:
    other = store.with_name("other")
    shutil.copyfile(store, other)
    other.replace(store)


HARM: dict[str, tuple[Callable[[Path], object], str]] = {
    "deleted": (Path.unlink, "a.db: "),
    "renamed": (lambda store: store.rename(store.with_name("b.db")), "a.db: "),
    "replaced": (replace_file, "a.db: "),
    "emptied": (lambda store: store.write_bytes(b""), "a.db: "),
    "its folder deleted": (lambda store: shutil.rmtree(store.parent), "a.db: "),
    "its folder renamed": (lambda store: store.parent.rename(store.parent.parent / "x"), "a.db: "),
    "its log deleted": (lambda store: beside(store, "-wal").unlink(), "a.db-wal: "),
    "its index deleted": (lambda store: beside(store, "-shm").unlink(), "a.db-shm: "),
    "its claim deleted": (lambda store: beside(store, ".lock").unlink(), "a.db.lock: "),
}


def move(store: Path, to: Path) -> None:
    if store.exists():
        store.rename(to)


def chain(web: SmallWeb) -> SiteSpider:
    """A page after the other, so that there are many commits."""
    for number in range(PAGES):
        web.add(f"/{number}", page(str(number), f"/{number + 1}"))
    web.add(f"/{PAGES}", page("last"))
    return SiteSpider(web.url + "/0")


@pytest.mark.parametrize("harm", HARM)
def test_a_crawl_stops_at_the_next_commit_and_names_what_is_gone(tmp_path: Path, harm: str) -> None:
    do, named = HARM[harm]
    store = tmp_path / "data" / "a.db"
    commits: list[int] = []

    async def tell(web: SmallWeb) -> None:
        async with Crawler(chain(web), store=store, settings=FAST) as crawler:

            def note(visits: list, committed: object) -> None:
                commits.append(len(visits))
                if sum(commits) == 3:
                    do(store)

            crawler.on_commit(note)
            with pytest.raises(StoreGone, match=rf"{named}moved, deleted or replaced.*again"):
                await crawler.run()

    on_web(tell)
    assert sum(commits) == 3, "nothing more is shown as stored"


def test_a_store_that_was_moved_away_is_complete_where_it_is(tmp_path: Path) -> None:
    store, moved = tmp_path / "a.db", tmp_path / "b.db"

    async def tell(web: SmallWeb) -> None:
        with pytest.raises(StoreGone):
            async with Crawler(chain(web), store=store, settings=FAST) as crawler:
                crawler.on_commit(
                    lambda visits, _: visits and store.exists() and store.rename(moved)
                )
                await crawler.run()

    on_web(tell)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["b.db"]
    assert rows(moved, "SELECT count(*) > 0 FROM pages") == [(1,)]
    assert rows(moved, "PRAGMA integrity_check") == [("ok",)]


def test_a_store_put_back_is_crawled_to_its_end(tmp_path: Path) -> None:
    store, moved = tmp_path / "a.db", tmp_path / "b.db"

    async def tell(web: SmallWeb) -> None:
        with pytest.raises(StoreGone):
            async with Crawler(chain(web), store=store, settings=FAST) as crawler:
                crawler.on_commit(
                    lambda visits, _: visits and store.exists() and store.rename(moved)
                )
                await crawler.run()
        moved.rename(store)
        async with Crawler(chain(web), store=store, settings=FAST) as crawler:
            assert (await crawler.run()).total_pages == PAGES + 1

    on_web(tell)
    assert rows(store, "SELECT state FROM runs") == [("killed",), ("finished",)]


def test_it_is_noticed_while_there_is_nothing_to_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "_LOOK", 0.01)
    store = tmp_path / "a.db"

    async def tell(web: SmallWeb) -> None:
        settings = {**FAST, "politeness": {**FAST["politeness"], "delay": 600.0}}
        async with Crawler(chain(web), store=store, settings=settings) as crawler:
            crawler.on_commit(lambda visits, _: visits and store.unlink())
            async with asyncio.timeout(30):
                with pytest.raises(StoreGone):
                    await crawler.run()

    on_web(tell)


def test_the_command_ends_with_one_and_never_says_finished(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with ServedSite() as site:
        site.hold("/page/3/")
        words = ["run", "quotes", "-a", f"base={site.url}", "--store", "a.db"]
        fast = ["--set", "politeness.delay=0", "--log-level", "debug"]
        with desk.start(*words, *fast) as running:
            running.hear("/page/2/")
            (tmp_path / "a.db").unlink()
            site.let_go()
            done = running.end()
    assert done.code == 1
    assert done.out == ""
    assert done.err.splitlines()[-1].startswith("crawler: a.db: moved, deleted or replaced")


# ---------------------------------------------------------------- the other commands that write


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A small crawl."""
    store = tmp_path / "a.db"

    async def tell(web: SmallWeb) -> None:
        async with Crawler(chain(web), store=store, settings=FAST) as crawler:
            await crawler.run()

    on_web(tell)
    return store


def test_an_import_stops(tmp_path: Path) -> None:
    path = tmp_path / "a.db"

    async def bring() -> None:
        store = open_store(str(path))
        await store.open()
        try:
            await store.begin_run("site", "{}")
            answer = (200, {"Content-Type": "text/html"}, b"<title>x</title>", 0.0)
            found = ((f"http://a.example/{n}", *answer) for n in range(1000))
            with pytest.raises(StoreGone):
                await import_.pages(store, found, lambda number: path.unlink())
            with pytest.raises(StoreGone):
                await store.end_run("finished", "import")
        finally:
            await store.close()

    asyncio.run(bring())


def test_an_index_stops(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_BATCH", 2)
    with pytest.raises(StoreGone, match=r"a\.db: "):
        search.index(stored, lambda number: stored.unlink(missing_ok=True))


def test_what_queues_again_and_what_parses_again_stop(stored: Path) -> None:
    with pytest.raises(StoreGone), claimed(stored):  # as retry and recrawl do
        stored.unlink()
    assert not Claim(stored).path.exists()


def test_what_a_command_stored_before_its_file_was_moved_is_in_it(stored: Path) -> None:
    moved = stored.with_name("b.db")
    with pytest.raises(StoreGone), claimed(stored) as db:
        db.execute("UPDATE pages SET title = 'again'")
        stored.rename(moved)
        db.step()
    assert [file.name for file in stored.parent.iterdir()] == ["b.db"]
    assert rows(moved, "SELECT DISTINCT title FROM pages") == [("again",)]


def test_a_step_within_a_command_stops(stored: Path) -> None:
    with pytest.raises(StoreGone), claimed(stored) as db:  # as reparse --apply does
        replace_file(stored)
        db.step()


def test_a_claim_that_somebody_else_took_is_left_to_them(stored: Path) -> None:
    first, second = Claim(stored), Claim(stored)
    first.take()
    first.path.unlink()
    second.take()
    first.release()
    assert second.path.exists()
    second.release()
    assert not second.path.exists()


def test_an_index_says_what_is_wrong_with_a_store(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreRefused, match="no SQLite file"):
        search.index(tmp_path / "a.db")
