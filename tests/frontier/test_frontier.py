"""The laws of the frontier, tried on imagined webs in virtual time; a hang is an error at once."""

import asyncio
from collections import Counter
from contextlib import suppress

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_store import ModelStore
from simulated_crawl import Page, SimulatedCrawl, Web
from virtual_clock import run_virtually

from crawler.frontier.host_queue import QueueLimits
from crawler.politeness.throttle import Pace

TRIED = settings(
    max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)


@st.composite
def webs(draw, *, failing: bool = True, hopeless: bool = False) -> Web:
    number = draw(st.integers(1, 30))
    numbers = st.integers(0, number - 1)
    pages = draw(
        st.lists(
            st.builds(
                Page,
                host=st.integers(0, draw(st.integers(0, 5))),
                links=st.lists(numbers, max_size=6).map(tuple),
                priority=st.integers(-2, 2),
                failures=st.sampled_from([0, 0, 0, 1, 3]) if failing else st.just(0),
                backs=st.sampled_from([0, 0, 0, 1]),
                latency=st.sampled_from([0.0, 0.0, 0.01, 0.3, 5.0]),
                rest=st.sampled_from([0.0, 0.0, 0.0, 2.0]),
                hopeless=st.sampled_from([False, False, False, hopeless]),
                denied=st.sampled_from([False, False, hopeless]),
            ),
            min_size=number,
            max_size=number,
        )
    )
    least = draw(st.integers(1, 3))
    return Web(
        tuple(pages),
        seeds=tuple(draw(st.lists(numbers, min_size=1, max_size=number))),
        pace=Pace(draw(st.sampled_from([0.0, 0.1, 1.0])), draw(st.integers(1, 3))),
        room=QueueLimits(
            requests=draw(st.integers(1, 20)),
            least=least,
            most=least + draw(st.integers(0, 4)),
            hosts=draw(st.integers(1, 6)),
        ),
        workers=draw(st.integers(1, 6)),
        flush=draw(st.integers(1, 5)),
        latency=draw(st.sampled_from([0.0, 0.02])),
        seed_gap=draw(st.sampled_from([0.0, 0.0, 3.0])),
    )


def crawl(web: Web, **options) -> tuple[SimulatedCrawl, ModelStore]:
    async def story():
        store = ModelStore(web.latency)
        run = SimulatedCrawl(web, store, **options)
        await run.run()
        return run, store

    return run_virtually(story())


def each_once(store: ModelStore) -> set[str]:
    """The URLs that ended, after a look that none ended twice."""
    times = Counter(url for url, _ in store.ended)
    assert set(times.values()) <= {1}
    return set(times)


@TRIED
@given(webs())
def test_every_reachable_page_ends_exactly_once_and_every_law_holds_on_the_way(web):
    run, store = crawl(web)
    assert run.frontier.stopped == "finished"
    assert each_once(store) == web.reachable()
    for url in web.reachable():
        assert run.tries[url] == web.page(url).failures + 1


@TRIED
@given(webs(failing=False))
def test_within_a_host_priority_comes_first_and_then_the_order_of_discovery(web):
    _, store = crawl(web)  # the order is checked at every start
    assert each_once(store) == web.reachable()


@TRIED
@given(webs(), st.lists(st.floats(0.0, 20.0), min_size=1, max_size=4))
def test_nothing_is_lost_or_ended_twice_when_a_crawl_is_cut_off_and_resumed(web, lives):
    async def story():
        store = ModelStore(web.latency)
        for seconds in lives:
            try:
                async with asyncio.timeout(seconds):
                    await SimulatedCrawl(web, store).run()
            except TimeoutError:
                each_once(store)
        assert await SimulatedCrawl(web, store).run() == "finished"
        return store

    assert each_once(run_virtually(story())) == web.reachable()


@TRIED
@given(webs(hopeless=True))
def test_what_is_not_sent_ends_once_and_costs_nobody_a_turn_or_a_promise(web):
    """Pages that are denied, and whatever was queued of a host when it was given up."""
    run, store = crawl(web)
    assert run.frontier.stopped == "finished"
    assert len(each_once(store)) == len(store.seen)


@TRIED
@given(webs(hopeless=True), st.lists(st.floats(0.0, 5.0), min_size=1, max_size=3))
def test_a_crawl_cut_off_while_hosts_are_given_up_loses_nothing_either(web, lives):
    async def story():
        store = ModelStore(web.latency)
        for seconds in lives:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await SimulatedCrawl(web, store).run()
        assert await SimulatedCrawl(web, store).run() == "finished"
        assert len(each_once(store)) == len(store.seen)

    run_virtually(story())


def test_a_long_queue_of_a_host_that_is_given_up_ends_without_delays_and_window_by_window():
    """Its retries too, which wait far ahead, and what another host leads to afterwards."""
    queue = [Page(host=0, failures=9) for _ in range(20)] + [Page(host=0)] * 500
    late = Page(host=1, latency=50.0, links=(522, 523))
    web = Web(
        (Page(host=0, hopeless=True, latency=10.0), late, *queue, Page(), Page()),
        seeds=tuple(range(522)),
        pace=Pace(1.0, 4),
        room=QueueLimits(requests=8, least=4, most=8, hosts=2),
    )
    run, store = crawl(web)
    assert len(each_once(store)) == len(store.seen) == 524
    assert run.unsent > 500
    assert max(at for starts in run.starts.values() for at in starts) < 1012.0


@TRIED
@given(webs(), st.floats(0.0, 20.0))
def test_a_stopped_crawl_ends_and_leaves_the_rest_to_the_next_run(web, seconds):
    async def story():
        store = ModelStore(web.latency)
        run = SimulatedCrawl(web, store)
        asyncio.get_running_loop().call_later(seconds, run.frontier.stop, "interrupted")
        reason = await run.run()
        assert reason == "interrupted" or not store.pending
        assert await SimulatedCrawl(web, store).run() == "finished"
        return store

    assert each_once(run_virtually(story())) == web.reachable()


@TRIED
@given(webs(), st.integers(1, 12), st.integers(1, 12))
def test_max_pages_is_exact_with_any_number_of_workers_and_over_several_runs(web, first, more):
    async def story():
        store = ModelStore(web.latency)
        there = len(web.reachable())
        for limit in (first, first + more, first + more):
            run = SimulatedCrawl(web, store, max_pages=limit)
            assert await run.run() in ("max_pages", "finished")
            assert len(each_once(store)) == min(limit, there)

    run_virtually(story())


@TRIED
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=200), st.integers(1, 5))
def test_a_long_queue_of_one_host_is_taken_in_order_through_a_small_window(priorities, most):
    pages = tuple(Page(priority=priority) for priority in priorities)
    web = Web(
        pages,
        seeds=tuple(range(len(pages))),
        pace=Pace(0.0, 1),
        room=QueueLimits(requests=5, least=1, most=most, hosts=2),
        workers=3,
    )
    run, _ = crawl(web)
    order = sorted(range(len(pages)), key=lambda number: (-priorities[number], number))
    assert run.started == [web.candidate(number).url for number in order]
    assert run.most_in_memory <= 2 * most + 1


def test_depth_first_keeps_no_more_in_memory_than_breadth_first():
    """Each page leads to 20 deeper ones, which come before all that is queued."""
    pages = [Page(links=tuple(range(1, 21)))]
    pages += [
        Page(priority=number // 20 + 1, links=tuple(range(number * 20 + 1, number * 20 + 21)))
        for number in range(1, 100)
    ]
    pages += [Page(priority=6) for _ in range(2000 - 79)]
    room = QueueLimits(requests=20, least=4, most=20, hosts=2)
    run, store = crawl(Web(tuple(pages), room=room))
    assert len(store.ended) == len(Web(tuple(pages)).reachable()) > 1900
    assert run.most_in_memory <= 2 * room.most + 2


def test_many_more_hosts_than_memory_holds_are_all_crawled_politely():
    hosts = 60
    pages = [Page(host=0, links=tuple(range(hosts * 3)))]
    pages += [Page(host=number % hosts, links=(number % 7,)) for number in range(1, hosts * 3)]
    web = Web(
        tuple(pages), pace=Pace(1.0, 1), room=QueueLimits(requests=10, least=1, most=4, hosts=5)
    )
    run, store = crawl(web)
    assert each_once(store) == web.reachable()
    assert len(run.frontier.hosts) <= 5


def test_a_retry_far_ahead_does_not_hold_up_what_is_found_afterwards():
    """A host that waits for a retry at 63 s gets links from another host's page at 35 s."""
    finder = Page(host=0, latency=35.0, links=tuple(range(2, 12)))
    fails = Page(host=1, failures=9)
    found = [Page(host=1) for _ in range(10)]
    web = Web((finder, fails, *found), seeds=(0, 1))
    run, _ = crawl(web)
    assert sum(1034 < start < 1037 for start in run.starts[2]) >= 10


def test_a_request_put_back_after_memory_has_let_go_of_its_place_is_not_started_twice():
    """While page 2 is in flight, page 1 leads to so much of higher priority that the rest goes."""
    leads = Page(priority=3, links=tuple(range(3, 60)))
    put_back = Page(priority=2, backs=1, latency=1.0)
    better = [Page(priority=5, latency=0.5) for _ in range(57)]
    web = Web(
        (Page(), leads, put_back, *better),
        seeds=(0, 1, 2),
        room=QueueLimits(requests=4, least=2, most=4, hosts=2),
        flush=1,
    )
    run, store = crawl(web)
    assert each_once(store) == web.reachable()
    assert run.tries.total() == 60


def test_a_slow_host_never_holds_up_a_fast_one():
    slow = [Page(host=0, latency=60.0) for _ in range(20)]
    fast = [Page(host=1) for _ in range(200)]
    web = Web((*slow, *fast), seeds=tuple(range(220)), workers=6, pace=Pace(0.0, 2))
    run, _ = crawl(web)
    fast_starts = run.starts[2]
    assert len(fast_starts) == 200
    assert fast_starts[-1] - fast_starts[0] < 1.0


def test_a_host_put_to_rest_while_it_stands_in_line_is_left_alone():
    async def story():
        web = Web((Page(), Page()), seeds=(0, 1))
        run = SimulatedCrawl(web, ModelStore())
        frontier = run.frontier
        frontier.seeding = True
        writer = asyncio.create_task(run.committer.run())
        run.committer.put_seed(web.candidate(0))
        run.committer.put_seed(web.candidate(1))
        await run.committer.put_seeded()
        [host] = frontier.hosts.values()
        frontier.rest(host, frontier.now() + 7.0)
        started = frontier.now()
        first = await frontier.next()
        assert frontier.now() == started + 7.0
        assert first.url.endswith("/0")
        writer.cancel()

    run_virtually(story())


def test_a_cancelled_worker_passes_its_wake_up_on():
    async def story():
        web = Web((Page(),))
        run = SimulatedCrawl(web, ModelStore())
        run.frontier.seeding = True
        run.committer.put_seed(web.candidate(0))
        await run.committer.flush()
        todo = await run.frontier.next()
        waiting = [asyncio.create_task(run.frontier.next()) for _ in range(2)]
        await asyncio.sleep(0)
        run.frontier.put_back(todo)  # calls the first of the two
        waiting[0].cancel()
        assert await waiting[1] == todo

    run_virtually(story())


def test_a_crawl_is_not_finished_while_more_seeds_are_to_come():
    pages = tuple(Page() for _ in range(5))
    run, store = crawl(Web(pages, seeds=(0, 1, 2, 3, 4), seed_gap=100.0))
    assert len(store.ended) == 5
    times = run.starts[1]
    assert times[0] - 1000 < 1.0  # the first seed did not wait for the last
    assert times[-1] - times[0] > 390


def test_a_crawl_delay_learnt_on_the_way_spaces_the_very_next_start():
    async def story():
        web = Web(tuple(Page() for _ in range(4)), seeds=(0, 1, 2, 3), pace=Pace(0.5, 4))
        run = SimulatedCrawl(web, ModelStore())
        frontier = run.frontier
        writer = asyncio.create_task(run.committer.run())
        for number in web.seeds:
            run.committer.put_seed(web.candidate(number))
        await run.committer.put_seeded()
        first = await frontier.next()
        started = frontier.now()
        frontier.slow_to(frontier.hosts[first.host_id], 10.0)
        await frontier.next()
        assert frontier.now() == started + 10.0
        writer.cancel()

    run_virtually(story())
