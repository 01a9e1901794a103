"""Politeness as the server measures it: spacing, requests in flight, and hosts that do not care."""

import pytest
from crawl_story import Follow, crawl, crawler_of, outcomes, read, stored, story

from crawler.practice import PracticeSite

EPSILON = 0.02  # seconds by which a request may be late at a server on a busy machine


def fan(site: PracticeSite, pages: int) -> str:
    """Add /f with that many leaves."""
    site.add_links("/f", [f"/f/{n}" for n in range(pages)])
    for n in range(pages):
        site.add_links(f"/f/{n}", [f"/f/{(n + 1) % pages}"])
    return site.at("/f")


@pytest.mark.parametrize("delay", [0.02, 0.05])
@story(robots=True)
async def test_two_starts_on_a_host_are_never_closer_than_the_delay(site, path, delay):
    settings = {"politeness__delay": delay, "politeness__per_host": 8, "engine__workers": 16}
    await crawl(fan(site, 20), path / "s.db", **settings)
    gaps = site.spacing()
    assert len(gaps) == 21  # robots.txt and 21 pages
    assert min(gaps) >= delay - EPSILON


@pytest.mark.parametrize("per_host", [1, 2, 3])
@story(latency=0.02)
async def test_no_host_has_more_requests_in_flight_than_allowed(site, path, per_host):
    settings = {"politeness__per_host": per_host, "engine__workers": 16}
    await crawl(fan(site, 20), path / "s.db", **settings)
    assert site.max_in_flight() == per_host


@story(latency=0.05)
async def test_hosts_are_crawled_side_by_side_each_at_its_own_pace(site, path):
    async with PracticeSite("127.0.0.2", robots=False, latency=0.05) as other:
        seeds = fan(site, 8), fan(other, 8)
        settings = {"politeness__per_host": 1, "politeness__delay": 0.06}
        await crawl(Follow, path / "s.db", *seeds, **settings)
        for each in (site, other):
            assert each.max_in_flight() == 1
            assert min(each.spacing()) >= 0.06 - EPSILON
        first, last = site.hits[0].started, max(hit.ended for hit in site.hits)
        assert all(first - 0.1 < hit.started < last + 0.5 for hit in other.hits)


@story()
async def test_a_slow_host_never_holds_up_a_fast_one(site, path):
    """The slow one answers nothing at all until the fast one is done, with few workers to share."""
    async with PracticeSite("127.0.0.2", robots=False) as slow:
        seeds = fan(site, 40), fan(slow, 40)
        gates = [slow.hold(f"/f/{n}") for n in range(40)]

        class Opener(Follow):
            def parse(self, page):
                if page.url.startswith(site.url) and len(site.hits) > 40:
                    for gate in gates:
                        gate.set()

        settings = {"engine__workers": 3, "politeness__per_host": 2, "politeness__robots": False}
        summary = await crawl(Opener, path / "s.db", *seeds, **settings)
        assert summary.pages == 82
        assert slow.count("/f/39") == 1


@story()
async def test_a_429_makes_its_host_rest_and_no_other(site, path):
    """The busy host asks for a second; meanwhile the other is crawled to its end."""
    async with PracticeSite("127.0.0.2", robots=False) as busy:
        seed = fan(site, 30)
        busy.add_page("/busy", "later", status=429, headers={"Retry-After": "1"})
        busy.add_page("/next", "x")
        settings = {"fetch__retries": 1, "politeness__per_host": 1, "politeness__robots": False}
        await crawl(Follow, path / "s.db", busy.at("/busy"), busy.at("/next"), seed, **settings)
        gaps = busy.spacing()
        assert len(gaps) == 2  # /busy, /next, /busy again
        assert gaps[0] >= 1.0 - EPSILON
        assert max(hit.started for hit in site.hits) < busy.hits[1].started
    assert outcomes(path / "s.db", busy)["/busy"] == "rate_limited"
    assert read(path / "s.db", "SELECT count(*) FROM attempts") == [1]


@story(robots="User-agent: *\nCrawl-delay: 0.1\n")
async def test_the_crawl_delay_of_robots_txt_is_kept_from_the_first_page_on(site, path):
    await crawl(fan(site, 5), path / "s.db", politeness__per_host=4)
    assert min(site.spacing()) >= 0.1 - EPSILON
    assert len(stored(path / "s.db", site)) == 6


@story(robots=True, latency=0.02)
async def test_robots_txt_is_asked_for_once_before_anything_else(site, path):
    settings = {"politeness__per_host": 8, "engine__workers": 16}
    seeds = [site.at(f"/f/{n}") for n in range(10)]
    fan(site, 10)
    await crawl(Follow, path / "s.db", *seeds, engine__max_depth=0, **settings)
    assert [hit.path for hit in site.hits].index("/robots.txt") == 0
    assert site.count("/robots.txt") == 1
    first = site.hits[0]
    assert all(hit.started >= first.ended for hit in site.hits[1:])


@story(robots=True)
async def test_a_resumed_crawl_does_not_ask_for_robots_txt_again(site, path):
    url = fan(site, 4)
    await crawl(url, path / "s.db", engine__max_pages=2)
    await crawl(url, path / "s.db")
    assert site.count("/robots.txt") == 1
    assert len(stored(path / "s.db", site)) == 5


@story()
async def test_a_rest_that_a_host_asked_for_outlives_the_process(site, path):
    site.add_page("/busy", "later", status=503, headers={"Retry-After": "1"})
    site.add_page("/next", "x")
    urls = site.at("/busy"), site.at("/next")
    settings = {"politeness__per_host": 1, "fetch__retries": 1, "politeness__robots": False}
    async with crawler_of(Follow, path / "s.db", *urls, **settings) as crawler:
        crawler.on_commit(lambda *_: crawler.stop() if crawler.stats.retries else None)
        await crawler.run()
    assert len(site.hits) == 1
    await crawl(Follow, path / "s.db", *urls, **settings)
    assert site.spacing()[0] >= 1.0 - EPSILON


@story(robots="User-agent: *\nDisallow: /no/\n")
async def test_what_is_not_sent_takes_no_turn_of_its_host(site, path):
    """Thirty URLs that robots.txt denies lie between every two that it allows."""
    delay = 0.2
    links = []
    for group in range(5):
        links += [f"/no/{group}-{number}" for number in range(30)] + [f"/yes/{group}"]
        site.add_page(f"/yes/{group}", "<title>Yes</title>")
    site.add_links("/f", links)
    settings = {"politeness__delay": delay, "politeness__adaptive": False}
    summary = await crawl(site.at("/f"), path / "s.db", **settings)
    assert summary.outcomes == {"ok": 6, "robots_denied": 150}
    assert min(site.spacing()) >= delay - EPSILON
    assert summary.seconds < 15  # 150 turns would take 30
