"""What a visit found before something went wrong is queued all the same: it is known as found."""

from pathlib import Path
from typing import Any

from crawl_story import crawl, outcomes, read, stored, story

from crawler import Request, Rule, Spider, Stream
from crawler.store.requeue import recrawl


def poisoned(url: str) -> str:
    if "poison" in url:
        raise RuntimeError("a rule of the spider broke")
    return url


class Transforming(Spider):
    """Follows links through a function that fails on one of them."""

    name = "transforming"
    rules = (Rule(transform=poisoned),)


@story()
async def test_links_before_the_one_that_breaks_a_rule_are_crawled_in_the_same_run(site, path):
    """The second page has all of them once more, which is no news."""
    links = [f"/leaf/{number}" for number in range(700)]
    site.add_links("/first", [*links[:650], "/poison", *links[650:]])
    site.add_links("/second", links)
    for link in links:
        site.add_page(link, "<title>Leaf</title>")
    seeds = site.at("/first"), site.at("/second")
    settings = {"engine__workers": 1, "politeness__per_host": 1, "traps__endless_after": 0}
    summary = await crawl(Transforming, path / "s.db", *seeds, **settings)
    ends = outcomes(path / "s.db", site)
    assert ends["/first"] == "spider_error" and ends["/second"] == "ok"
    assert summary.queued == 0 and summary.outcomes["ok"] == 701
    assert (
        "a rule of the spider broke"
        in read(path / "s.db", "SELECT error FROM pages WHERE outcome = 'spider_error'")[0]
    )


class Sidestepping(Spider):
    """Asks elsewhere for what cannot be had."""

    name = "sidestepping"

    def on_error(self, request: Request, outcome: Any, status: int | None) -> Any:
        return [Request(request.url.replace("/page", "/elsewhere")), {"missed": request.url}]


@story()
async def test_what_on_error_asks_for_is_crawled_where_a_known_page_fails_as_well(site, path):
    site.add_page("/page", "<title>Here</title>")
    site.add_page("/elsewhere", "<title>There</title>")
    seed = site.at("/page")
    store: Path = path / "s.db"
    await crawl(Sidestepping, store, seed)
    assert stored(store, site) == ["/page"]
    site.add_page("/page", "gone for today", status=500)
    assert recrawl(store, "2999-01-01", all_=True) == 1
    await crawl(Sidestepping, store, seed, fetch__retries=0)
    assert stored(store, site) == ["/page", "/elsewhere"]
    assert read(store, "SELECT missed FROM item") == [seed]


class Counting(Spider):
    """Makes items and a request of messages, until its cursor cannot be read."""

    name = "counting"
    url = elsewhere = ""

    def start(self) -> Any:
        return [Stream(self.url, callback=self.tick, cursor=self.number)]

    def tick(self, message: Any) -> Any:
        yield {"n": message.json()["n"]}
        yield Request(self.elsewhere)

    def number(self, message: Any) -> int:
        if message.json()["n"] == 3:
            raise RuntimeError("no cursor")
        return 0


@story()
async def test_what_messages_gave_before_the_spider_raised_is_stored(site, path):
    site.add_page("/elsewhere", "<title>There</title>")
    spider, store = Counting(), path / "s.db"
    spider.url = site.at("/ws/ticker?until=50").replace("http://", "ws://")
    spider.elsewhere = site.at("/elsewhere")
    summary = await crawl(spider, store)
    assert summary.outcomes == {"spider_error": 1, "ok": 1}
    assert read(store, "SELECT n FROM item ORDER BY item_id") == [1, 2, 3]
