"""The contract of a store: what every backend must keep, whatever comes."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_store import ModelStore
from store_backends import BACKENDS, Backend, Saying, candidate, visit

from crawler.errors import StoreClaimed, StoreError
from crawler.items import record_of
from crawler.store import Batch, HostRow, RobotsRow, Store
from crawler.store.rows import unpack
from crawler.web.outcome import Outcome

A, B = "http://a.example", "http://b.example"


@pytest.fixture(params=BACKENDS)
def backend(request, tmp_path) -> Backend:
    return BACKENDS[request.param](tmp_path)


def on(backend: Backend, story: Callable[[Store], Awaitable[None]], **options) -> None:
    """Tell a story on an open store."""

    async def run() -> None:
        store = backend.store(**options)
        await store.open()
        await store.begin_run("test", "{}")
        try:
            await story(store)
        finally:
            await store.close()

    asyncio.run(run())


async def queued(store: Store) -> list[str]:
    """Every queued URL, host by host."""
    found = []
    for host in await store.hosts(0, 1000):
        found += [todo.url for todo in await store.queue(host.host_id, (-(1 << 62), 0), 1000)]
    return found


def seeds(*urls: str, **options) -> Batch:
    return Batch(seeds=[candidate(url, **options) for url in urls])


def test_a_new_store_is_empty_and_not_seeded(backend):
    async def story():
        store = backend.store()
        state = await store.open()
        await store.close()
        assert (state.spider, state.seeded, state.pending) == (None, False, 0)
        assert (state.pages, state.runs) == (0, 0)

    asyncio.run(story())


def test_what_was_committed_is_there_when_the_store_is_opened_again(backend):
    async def story(store):
        committed = await store.commit(seeds(f"{A}/1", f"{A}/2", f"{B}/1"))
        await store.commit(Batch(visits=[visit(committed.added[0])], seeded=True))

    on(backend, story)

    async def again():
        store = backend.store()
        state = await store.open()
        assert (state.spider, state.seeded, state.pending) == ("test", True, 2)
        assert (state.pages, state.runs) == (1, 1)
        assert await queued(store) == [f"{A}/2", f"{B}/1"]
        await store.close()

    asyncio.run(again())


def test_a_url_is_queued_once_however_often_it_is_found(backend):
    async def story(store):
        first = await store.commit(seeds(f"{A}/1", f"{A}/1"))
        assert (len(first.added), first.new) == (1, 1)
        again = await store.commit(seeds(f"{A}/1", f"{A}/2"))
        assert [todo.url for todo in again.added] == [f"{A}/2"]
        done = await store.commit(Batch(visits=[visit(first.added[0])]))
        assert (done.added, done.new) == ([], 0)
        assert (await store.commit(seeds(f"{A}/1"))).added == []

    on(backend, story)


def test_a_forced_request_is_queued_although_it_was_seen(backend):
    async def story(store):
        await store.commit(seeds(f"{A}/1"))
        forced = await store.commit(seeds(f"{A}/1", force=True))
        assert forced.new == 1
        assert await queued(store) == [f"{A}/1", f"{A}/1"]

    on(backend, story)


def test_a_visit_ends_its_request_and_queues_what_is_new_with_its_parent(backend):
    async def story(store):
        [todo] = (await store.commit(seeds(f"{A}/1"))).added
        links = [candidate(f"{A}/{n}", depth=1) for n in (1, 2, 3)]
        committed = await store.commit(
            Batch(visits=[visit(todo, candidates=links, links=[link.url for link in links])])
        )
        assert [todo.url for todo in committed.added] == [f"{A}/2", f"{A}/3"]
        [(page_id,)] = backend.read("SELECT page_id FROM pages")
        assert {todo.parent_id for todo in committed.added} == {page_id}
        assert {todo.depth for todo in committed.added} == {1}
        found = backend.read("SELECT source, target FROM links ORDER BY position")
        assert found == [(f"{A}/1", f"{A}/{n}") for n in (1, 2, 3)]

    on(backend, story)


def test_a_retry_goes_back_behind_the_queue_with_its_time_and_is_no_page(backend):
    async def story(store):
        first, _ = (await store.commit(seeds(f"{A}/1", f"{A}/2"))).added
        failed = visit(first, outcome=Outcome.SERVER_ERROR, status=503, retry_at=1_900_000_000.5)
        committed = await store.commit(Batch(visits=[failed]))
        [again] = committed.added
        assert (again.attempts, again.not_before, committed.new) == (1, 1_900_000_000.5, 0)
        assert await queued(store) == [f"{A}/2", f"{A}/1"]
        assert backend.read("SELECT count(*) FROM pages") == [(0,)]
        assert backend.read("SELECT url, attempt, outcome FROM attempts") == [
            (f"{A}/1", 1, "server_error")
        ]
        [host] = await store.hosts(0, 10)
        assert host.pending == 2

    on(backend, story)


def test_a_queue_is_read_by_rank_and_then_by_discovery_piece_by_piece(backend):
    async def story(store):
        for rank in (0, -3, 5, -3):
            await store.commit(
                Batch(seeds=[candidate(f"{A}/{rank}/{n}/{id(rank)}", rank=rank) for n in range(3)])
            )
        whole = await store.queue(1, (-(1 << 62), 0), 100)
        assert [todo.key for todo in whole] == sorted(todo.key for todo in whole)
        pieces, after = [], (-(1 << 62), 0)
        while piece := await store.queue(1, after, 4):
            pieces += piece
            after = piece[-1].key
        assert pieces == whole

    on(backend, story)


def test_hosts_with_work_are_read_by_id_piece_by_piece(backend):
    async def story(store):
        added = (await store.commit(seeds(*(f"http://h{n}.example/" for n in range(9))))).added
        await store.commit(Batch(visits=[visit(todo) for todo in added[::2]]))
        ids, after = [], 0
        while rows := await store.hosts(after, 2):
            ids += [row.host_id for row in rows]
            after = ids[-1]
        assert ids == [todo.host_id for todo in added[1::2]]

    on(backend, story)


def test_a_visit_of_something_that_was_not_to_do_is_refused_whole(backend):
    async def story(store):
        [first, second] = (await store.commit(seeds(f"{A}/1", f"{A}/2"))).added
        await store.commit(Batch(visits=[visit(first)]))
        links = [candidate(f"{A}/new")]
        with pytest.raises(StoreError, match="bug"):
            await store.commit(Batch(visits=[visit(second, candidates=links), visit(first)]))
        assert await queued(store) == [f"{A}/2"]
        assert backend.read("SELECT url FROM pages") == [(f"{A}/1",)]

    on(backend, story)


def test_a_failed_commit_leaves_nothing_behind_and_the_store_usable(backend):
    async def story(store):
        [first, second] = (await store.commit(seeds(f"{A}/1", f"{A}/2"))).added
        await store.commit(Batch(visits=[visit(first)]))
        items = [record_of(Saying("well begun", 1))]
        links = [candidate(f"{B}/1")]
        bad = Batch(visits=[visit(second, items=items, candidates=links), visit(first)])
        with pytest.raises(StoreError):
            await store.commit(bad)
        good = await store.commit(Batch(visits=[visit(second, items=items, candidates=links)]))
        assert [todo.url for todo in good.added] == [f"{B}/1"]
        assert backend.read("SELECT text, times FROM saying") == [("well begun", 1)]
        [host] = await store.hosts(0, 10)
        assert host.pending == 1

    on(backend, story)


def test_a_page_its_body_and_its_items_come_back_as_they_were(backend):
    body = bytes(range(256)) * 1000

    async def story(store):
        [todo] = (await store.commit(seeds(f"{A}/1"))).added
        items = [record_of(Saying("half done", 2)), record_of(Saying("half done", 3))]
        made = visit(todo, body, title="Ein Häuschen 🏠", items=items)
        made.problems.append(("Saying", "no text", "Saying(None)"))
        await store.commit(Batch(visits=[made]))

    on(backend, story)
    [(title, size, outcome)] = backend.read("SELECT title, size, outcome FROM pages")
    assert (title, size, outcome) == ("Ein Häuschen 🏠", len(body), "ok")
    [(stored,)] = backend.read("SELECT body FROM bodies")
    assert unpack(stored) == body
    assert backend.read("SELECT text, times, page_url FROM saying") == [("half done", 3, f"{A}/1")]
    assert backend.read("SELECT item, reason FROM problems") == [("Saying", "no text")]


HARD_TEXTS = ["a\x00b", "\ud800", "𝕏 \U0010ffff", "\x01\x1f\x7f", "'; DROP TABLE todo; --", ""]


@pytest.mark.parametrize("text", HARD_TEXTS, ids=ascii)
def test_no_text_from_the_web_stops_a_commit_or_spoils_a_row(backend, text):
    async def story(store):
        [todo] = (await store.commit(seeds(f"{A}/1"))).added
        made = visit(todo, title=text, error=text)
        made.response.headers = {"Content-Type": f"text/{text}", "X-Odd": text}
        made.problems.append((text, text, text))
        await store.commit(Batch(visits=[made]))

    on(backend, story)
    [(title, headers)] = backend.read("SELECT title, headers FROM pages")
    expected = text.encode("utf-8", "replace").decode()
    assert title == backend.kept(expected)
    assert "X-Odd" in headers
    assert len(backend.read("SELECT * FROM problems")) == 1
    assert backend.read("SELECT count(*) FROM todo") == [(0,)]


@pytest.mark.parametrize("number", [0, 1, -1, (1 << 63) - 1, -(1 << 63), 1 << 53, -(1 << 53) - 1])
def test_a_hash_of_64_bits_is_told_from_its_neighbours(backend, number):
    async def story(store):
        near = number - 1 if number > 0 else number + 1
        rows = [candidate(f"{A}/1")._replace(url_hash=each) for each in (number, near, number)]
        assert (await store.commit(Batch(seeds=rows))).new == 2
        assert (await store.commit(Batch(seeds=rows))).new == 0
        found = {todo.url_hash for todo in await store.queue(1, (-(1 << 62), 0), 10)}
        assert found == {number, near}

    on(backend, story)


def test_a_hosts_rest_pace_and_robots_txt_survive(backend):
    row = RobotsRow(1, 1_700_000_000.0, 200, b"User-agent: *\nDisallow: /\xff")
    dead = RobotsRow(2, 1_700_000_001.0, None, None)

    async def story(store):
        await store.commit(seeds(f"{A}/1", f"{B}/1"))
        rest = HostRow(1, A, 0, 1_900_000_000.25, 2.5, 3)
        await store.commit(Batch(hosts=[rest], robots=[row, dead]))

    on(backend, story)

    async def again(store):
        [host, other] = await store.hosts(0, 10)
        # Over PostgreSQL it went through the server's clock, and is never sooner for it.
        assert host.next_at == pytest.approx(1_900_000_000.25, abs=0.2 * backend.shared)
        assert (host.delay, host.failures) == (2.5, 3)
        # Over PostgreSQL this worker left without ending its run: its hosts rest for a delay.
        assert other.next_at <= (time.time() + 1.0 if backend.shared else 0.0)
        assert await store.robots(1) == row
        assert await store.robots(2) == dead
        assert await store.robots(3) is None
        met = (await store.commit(seeds(f"{A}/2"))).hosts
        assert met[1].next_at == pytest.approx(1_900_000_000.25, abs=0.2 * backend.shared)

    on(backend, again)


def test_where_seeds_were_redirected_to_is_remembered(backend):
    async def story(store):
        [seed, deep] = (await store.commit(seeds(f"{A}/1", f"{A}/2"))).added
        moved = {"outcome": Outcome.REDIRECT, "status": 301}
        later = deep._replace(depth=2)
        visits = [
            visit(seed, redirect_to=f"{B}/1", **moved),
            visit(later, redirect_to=f"{B}/2", **moved),
        ]
        await store.commit(Batch(visits=visits))
        assert await store.seed_redirects() == [f"{B}/1"]

    on(backend, story)


def test_a_run_that_was_killed_is_said_to_be_when_the_next_begins(backend):
    async def story():
        for end in (False, True):
            store = backend.store()
            await store.open()
            await store.begin_run("test", "{}")
            if end:
                await store.end_run("finished", "finished", 7.0)
            await store.close()

    asyncio.run(story())
    found = backend.read("SELECT state, reason, seconds FROM runs ORDER BY run_id")
    assert found == [("killed", None, 0), ("finished", "finished", 7)]


def test_a_second_crawl_into_one_store_is_refused_until_the_first_has_closed(backend):
    if backend.shared:
        pytest.skip("it takes part: see test_workers.py")

    async def story():
        first, second = backend.store(), backend.store()
        await first.open()
        with pytest.raises(StoreClaimed, match=r"process \d+ .*--store"):
            await second.open()
        with contextlib.suppress(StoreClaimed):
            await second.open()  # the refusal has not taken the claim away
        await first.commit(seeds(f"{A}/1"))
        await first.close()
        assert (await second.open()).pending == 1
        await second.close()

    asyncio.run(story())


def test_bodies_and_links_are_kept_only_where_asked(backend):
    async def story(store):
        [todo] = (await store.commit(seeds(f"{A}/1"))).added
        await store.commit(Batch(visits=[visit(todo, links=[f"{A}/2"])]))

    on(backend, story, bodies=False, links=False)
    assert backend.read("SELECT count(*) FROM pages") == [(1,)]
    assert backend.read("SELECT count(*) FROM bodies") == [(0,)]
    assert backend.read("SELECT count(*) FROM links") == [(0,)]


STEPS = st.lists(
    st.tuples(
        st.lists(st.tuples(st.integers(0, 2), st.integers(0, 15), st.integers(-1, 1)), max_size=8),
        st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=4),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
@pytest.mark.parametrize("name", BACKENDS)
def test_a_store_does_what_the_model_does(tmp_path_factory, name, steps):
    """Each step finds links and ends or retries some of what is queued; then all is compared."""
    backend = BACKENDS[name](tmp_path_factory.mktemp(name))

    async def story(store):
        model = ModelStore()
        for found, ends, forced in steps:
            links = [
                candidate(f"http://h{host}.example/{page}", rank=rank, force=forced and page == 3)
                for host, page, rank in found
            ]
            todo = [row for rows in model.todo.values() for row in rows.values()]
            chosen = {number % len(todo): retry for number, retry in ends} if todo else {}
            visits = [
                visit(todo[number], retry_at=5.0 if retry else None)
                for number, retry in sorted(chosen.items())
            ]
            batch = Batch(visits=visits, seeds=links)
            made, expected = await store.commit(batch), await model.commit(batch)
            ours = [row._replace(parent_id=None) for row in made.added]
            assert sorted(ours, key=lambda row: row.seq) == sorted(
                expected.added, key=lambda row: row.seq
            )
            assert made.new == expected.new
            rows = [(row.name, row.pending) for row in await store.hosts(0, 10)]
            assert rows == [(row.name, row.pending) for row in await model.hosts(0, 10)]
            for host_id in model.ids.values():
                assert await store.queue(host_id, (-9, 0), 99) == await model.queue(
                    host_id, (-9, 0), 99
                )
        assert sorted(backend.read("SELECT url, outcome FROM pages")) == sorted(model.ended)

    on(backend, story)
