"""Stories of crawls over small webs: which pages, in which order, with which outcome."""

import asyncio
import time

import pytest
from crawl_story import Follow, crawl, crawler_of, outcomes, read, stored, story

from crawler import Request, Rule, Spider, item
from crawler.practice import PracticeSite

# ---------------------------------------------------------------- which pages


@story()
async def test_every_page_is_fetched_once_however_it_is_linked_to(site, path):
    site.add_links("/a", ["/b", "/b#part", "b", "./b?", "../b", "/a#top", "/%62"])
    site.add_links("/b", ["/a", "#here", ""])
    summary = await crawl(site.at("/a"), path / "s.db")
    assert summary.state == "finished"
    assert sorted(stored(path / "s.db", site)) == ["/a", "/b", "/b?"]
    assert site.count("/a") == 1


@story()
async def test_urls_that_differ_in_case_or_in_a_trailing_slash_are_different_pages(site, path):
    site.add_links("/a", ["/Page", "/page", "/page/", "/page/?x=1&y=2", "/page/?y=2&x=1"])
    for target in ("/Page", "/page", "/page/"):
        site.add_page(target, f"<title>{target}</title>")
    await crawl(site.at("/a"), path / "s.db")
    assert len(stored(path / "s.db", site)) == 6


@pytest.mark.parametrize("limit", [1, 2, 5, 7])
@story(latency=0.01)
async def test_max_pages_is_exact_however_many_workers_there_are(site, path, limit):
    site.add_links("/0", [f"/{n}" for n in range(60)] + [f"/moved/{n}" for n in range(60)])
    for n in range(60):
        site.add_links(f"/{n}", [f"/{m}" for m in range(60)])
        site.add_redirect(f"/moved/{n}", f"/{n}")
    settings = {"politeness__per_host": 20, "engine__workers": 20}
    summary = await crawl(site.at("/0"), path / "s.db", engine__max_pages=limit, **settings)
    assert (summary.pages, summary.reason) == (limit, "max_pages")
    assert len(stored(path / "s.db", site)) == limit
    more = await crawl(site.at("/0"), path / "s.db", engine__max_pages=limit + 4, **settings)
    assert (more.pages, more.total_pages) == (4, limit + 4)
    same = await crawl(site.at("/0"), path / "s.db", engine__max_pages=limit + 4, **settings)
    assert same.pages == 0


@story()
async def test_max_depth_counts_links_from_a_seed(site, path):
    for n in range(6):
        site.add_links(f"/{n}", [f"/{n + 1}"])
    await crawl(site.at("/0"), path / "s.db", engine__max_depth=3)
    assert stored(path / "s.db", site) == ["/0", "/1", "/2", "/3"]
    assert read(path / "s.db", "SELECT depth FROM pages ORDER BY url") == [0, 1, 2, 3]


@story()
async def test_a_crawl_of_one_host_asks_no_other(site, path):
    async with PracticeSite("127.0.0.2", robots=False) as other:
        site.add_links("/a", [other.at("/b"), other.at("/c"), "/d"])
        summary = await crawl(site.at("/a"), path / "s.db")
        assert other.hits == []
    assert summary.refused == {"out_of_scope": 2}
    assert read(path / "s.db", "SELECT count(*) FROM links") == [3]


@story()
async def test_a_prefix_keeps_a_crawl_below_the_directory_of_its_seed(site, path):
    site.add_links("/docs/index", ["/docs/a", "/docs/a/b", "/doc", "/docs", "/docsx/c", "/"])
    for inside in ("/docs/a", "/docs/a/b"):
        site.add_links(inside, ["/docs/../blog"])
    await crawl(site.at("/docs/index"), path / "s.db", engine__scope="prefix")
    assert sorted(stored(path / "s.db", site)) == ["/docs/a", "/docs/a/b", "/docs/index"]


@story()
async def test_allowed_domains_end_at_a_dot(site, path):
    """`example.test` allows www.example.test, but never evilexample.test."""
    names = ["example.test", "www.example.test", "evilexample.test", "example.test.evil.test"]
    site.add_links("/a", [f"http://{name}/" for name in names])

    class Named(Follow):
        allowed_domains = ("example.test", "127.0.0.1")

    settings = {"fetch__retries": 0, "fetch__connect_timeout": 1.0, "politeness__robots": False}
    await crawl(Named, path / "s.db", site.at("/a"), **settings)
    asked = read(path / "s.db", "SELECT name FROM hosts WHERE name LIKE '%.test%'")
    assert sorted(asked) == ["http://example.test", "http://www.example.test"]


# ---------------------------------------------------------------- in which order


ONE = {"politeness__per_host": 1, "engine__workers": 4}


def tree(site: PracticeSite) -> str:
    """Add /t with children /t/1 and /t/2, and four grandchildren."""
    site.add_links("/t", ["/t/1", "/t/2"])
    for child in "12":
        site.add_links(f"/t/{child}", [f"/t/{child}/1", f"/t/{child}/2"])
        for grandchild in "12":
            site.add_links(f"/t/{child}/{grandchild}", [])
    return site.at("/t")


@story()
async def test_breadth_first_takes_the_oldest_discovery(site, path):
    await crawl(tree(site), path / "s.db", **ONE)
    wanted = ["/t", "/t/1", "/t/2", "/t/1/1", "/t/1/2", "/t/2/1", "/t/2/2"]
    assert stored(path / "s.db", site) == wanted


@story()
async def test_depth_first_takes_the_deepest_that_it_knows(site, path):
    site.add_links("/s", [f"/{n}" for n in range(20)])
    for n in range(20):
        site.add_links(f"/{n}", [f"/{n}/deep"])
        site.add_links(f"/{n}/deep", [])
    await crawl(site.at("/s"), path / "s.db", engine__order="depth", store__flush_visits=1, **ONE)
    order = stored(path / "s.db", site)
    assert len(order) == 41
    assert order.index("/0/deep") < order.index("/5")
    assert order.index("/10/deep") < order.index("/15")


@pytest.mark.parametrize("order", ["breadth", "depth"])
@story()
async def test_a_higher_priority_goes_first_in_any_order(site, path, order):
    class Choosy(Spider):
        name = "choosy"

        def parse(self, page):
            for n in range(5) if page.depth == 0 else ():
                yield page.follow(f"/{n}", priority=n)

    for n in range(5):
        site.add_page(f"/{n}", "x")
    site.add_page("/s", "x")
    await crawl(Choosy, path / "s.db", site.at("/s"), engine__order=order, **ONE)
    assert stored(path / "s.db", site) == ["/s", "/4", "/3", "/2", "/1", "/0"]


# ---------------------------------------------------------------- redirects


@story()
async def test_a_redirect_goes_back_through_the_frontier_hop_by_hop(site, path):
    site.add_redirect("/1", "/2", status=301)
    site.add_redirect("/2", "/3", status=308)
    site.add_page("/3", "<title>Here</title>")
    summary = await crawl(site.at("/1"), path / "s.db")
    assert outcomes(path / "s.db", site) == {"/1": "redirect", "/2": "redirect", "/3": "ok"}
    assert summary.pages == 1
    [row] = read(path / "s.db", "SELECT requested_url, depth FROM pages WHERE status = 200")
    assert row == (site.at("/1"), 0)


@story()
async def test_a_loop_of_redirects_ends(site, path):
    site.add_redirect("/1", "/2")
    site.add_redirect("/2", "/1")
    summary = await crawl(site.at("/1"), path / "s.db")
    assert summary.state == "finished"
    assert set(outcomes(path / "s.db", site)) == {"/1", "/2"}
    assert summary.pages == 0


@story()
async def test_an_endless_chain_of_redirects_is_cut_off_by_name(site, path):
    for n in range(30):
        site.add_redirect(f"/{n}", f"/{n + 1}")
    await crawl(site.at("/0"), path / "s.db", fetch__max_redirects=4)
    ends = outcomes(path / "s.db", site)
    assert ends["/4"] == "too_many_redirects"
    assert "/5" not in ends


@story()
async def test_a_redirect_off_the_site_is_told_and_not_followed(site, path):
    async with PracticeSite("127.0.0.2", robots=False) as other:
        site.add_redirect("/1", other.at("/x"))
        summary = await crawl(site.at("/1"), path / "s.db")
        assert other.hits == []
    assert summary.refused == {"out_of_scope": 1}
    assert read(path / "s.db", "SELECT redirect_to FROM pages") == [other.at("/x")]


@story()
async def test_a_seed_that_moved_within_its_domain_takes_the_scope_along(site, path):
    """As example.com does that redirects to www.example.com; also after a resume."""
    async with PracticeSite(robots=False) as moved:  # another port: another host
        site.add_redirect("/", moved.at("/home"), status=301)
        moved.add_links("/home", ["/more"])
        moved.add_links("/more", ["/most"])
        moved.add_links("/most", [site.at("/back")])
        site.add_page("/back", "x")
        first = await crawl(site.url, path / "s.db", engine__max_pages=1)
        assert first.pages == 1
        await crawl(site.url, path / "s.db")
        assert len(read(path / "s.db", "SELECT url FROM pages WHERE outcome = 'ok'")) == 4


# ---------------------------------------------------------------- trouble


@story()
async def test_a_flaky_page_is_tried_again_when_its_host_said_and_then_kept(site, path):
    """The practice site's 503 asks for one second with Retry-After."""
    began = time.monotonic()
    summary = await crawl(site.at("/flaky/story"), path / "s.db", engine__max_depth=0)
    starts = [hit.started for hit in site.hits if hit.path == "/flaky/story"]
    assert len(starts) == 2
    assert starts[1] - starts[0] >= 0.99
    assert time.monotonic() - began < 10
    assert (summary.pages, summary.retries, summary.errors) == (1, 1, 0)
    [(status, outcome)] = read(path / "s.db", "SELECT status, outcome FROM attempts")
    assert (status, outcome) == (503, "server_error")


@story()
async def test_a_retry_waits_in_the_store_not_in_a_worker(site, path):
    """A crawl that is stopped in between has the retry, with its later time, still to do."""
    site.add_links("/a", ["/down", "/b", "/c"])
    site.add_page("/down", "no", status=500)
    site.add_page("/b", "x")
    site.add_page("/c", "x")
    async with crawler_of(site.at("/a"), path / "s.db", fetch__retry_delay=600.0) as crawler:
        crawler.on_commit(lambda *_: crawler.stop() if crawler.stats.pages == 3 else None)
        summary = await crawler.run()
    assert summary.state == "interrupted"
    assert sorted(stored(path / "s.db", site)) == ["/a", "/b", "/c"]
    [(url, attempts, not_before)] = read(
        path / "s.db", "SELECT url, attempts, not_before FROM todo"
    )
    assert (url, attempts) == (site.at("/down"), 1)
    assert not_before > time.time() + 250


@story()
async def test_a_page_that_keeps_failing_ends_after_its_tries_with_its_last_status(site, path):
    site.add_page("/down", "no", status=500)
    summary = await crawl(site.at("/down"), path / "s.db", fetch__retries=2)
    assert site.count("/down") == 3
    assert outcomes(path / "s.db", site) == {"/down": "server_error"}
    assert (summary.retries, summary.errors) == (2, 1)
    assert read(path / "s.db", "SELECT attempts FROM pages") == [3]


@story()
async def test_missing_and_forbidden_pages_end_by_name_and_are_not_tried_again(site, path):
    site.add_links("/a", ["/status/404", "/status/410", "/status/403", "/status/418"])
    await crawl(site.at("/a"), path / "s.db")
    ends = outcomes(path / "s.db", site)
    assert ends.pop("/a") == "ok"
    assert ends.pop("/status/404") == ends.pop("/status/410") == "not_found"
    assert set(ends.values()) == {"http_error"}
    assert len(site.hits) == 6  # robots.txt among them


@item
class Note:
    text: str


class Clumsy(Spider):
    name = "clumsy"
    rules = (Rule(),)

    def parse(self, page):
        yield Note(page.url)
        if page.url.endswith("/bad"):
            raise ValueError("cannot read this page")


@story()
async def test_a_spider_that_raises_on_a_page_loses_neither_page_nor_links_nor_crawl(site, path):
    site.add_links("/a", ["/bad", "/c"])
    site.add_links("/bad", ["/behind"])
    site.add_links("/behind", [])
    site.add_links("/c", [])
    summary = await crawl(Clumsy, path / "s.db", site.at("/a"))
    assert (summary.state, summary.pages, summary.errors) == ("finished", 4, 1)
    assert outcomes(path / "s.db", site)["/bad"] == "spider_error"
    [error] = read(path / "s.db", "SELECT error FROM pages WHERE outcome = 'spider_error'")
    assert "ValueError: cannot read this page" in error
    assert "engine/test_stories.py" in error
    assert read(path / "s.db", "SELECT count(*) FROM bodies") == [4]
    assert read(path / "s.db", "SELECT count(*) FROM note") == [4]


class Cancels(Follow):
    async def parse(self, page):
        task = asyncio.create_task(asyncio.sleep(60))
        task.cancel()
        await task


@story()
async def test_a_callback_whose_own_task_was_cancelled_takes_no_worker_along(site, path):
    for n in range(8):
        site.add_links(f"/{n}", [f"/{n + 1}"] if n < 7 else [])
    summary = await crawl(Cancels, path / "s.db", site.at("/0"), engine__workers=2)
    assert (summary.state, summary.pages, summary.errors) == ("finished", 8, 8)
    assert set(outcomes(path / "s.db", site).values()) == {"spider_error"}


class OwnStart(Spider):
    name = "own"
    base = ""

    async def start(self):
        yield Request(self.base + "a")
        yield Request(self.base + "b")

    def parse(self, page):
        yield from page.follow_all("a")


@story()
async def test_links_are_in_scope_of_the_seeds_that_start_gives(site, path):
    site.add_links("/a", ["/c"])
    site.add_links("/b", [])
    site.add_links("/c", ["/d"])
    site.add_links("/d", [])
    spider = OwnStart(base=site.url)
    await crawl(spider, path / "s.db", engine__max_pages=2)
    await crawl(spider, path / "s.db")  # resumed: `start` is not asked again
    assert sorted(stored(path / "s.db", site)) == ["/a", "/b", "/c", "/d"]


# ---------------------------------------------------------------- robots.txt


@story(robots="User-agent: *\nDisallow: /no\n")
async def test_what_robots_txt_forbids_is_an_outcome_and_never_asked_for(site, path):
    site.add_links("/a", ["/no/1", "/yes"])
    site.add_redirect("/yes", "/no/2")
    await crawl(site.at("/a"), path / "s.db")
    ends = outcomes(path / "s.db", site)
    assert ends["/no/1"] == ends["/no/2"] == "robots_denied"
    assert site.count("/no/1") == site.count("/no/2") == 0
    assert site.hits[0].path == "/robots.txt"
    assert site.count("/robots.txt") == 1
