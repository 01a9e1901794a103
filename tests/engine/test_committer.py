"""What waits to be committed is bounded, whether it is many pages, long ones, or many links."""

import asyncio

import pytest
from model_store import ModelStore
from store_backends import candidate, visit

from crawler import Request, Response, ScrapedPage, SiteSpider
from crawler.engine.committer import Committer
from crawler.frontier import Frontier
from crawler.links.linker import Linker
from crawler.parse import fast_pass
from crawler.parsers.inline import Inline
from crawler.politeness.throttle import Pace
from crawler.spider.collector import Collector
from crawler.spider.discover import Discovery
from crawler.urls.scope import Scope
from crawler.web.outcome import Outcome
from crawler.web.request import Todo
from crawler.web.visit import Visit

TODO = Todo(1, 0, 1, 1, "http://a.example/", 0, 0, 0.0, None, None, None)


@pytest.mark.parametrize(
    ("links", "body", "is_room"), [(10, 10, True), (140_000, 10, False), (10, 70_000_000, False)]
)
def test_links_that_nobody_has_stored_count_like_bytes(
    links: int, body: int, is_room: bool
) -> None:
    async def story() -> None:
        committer = Committer(ModelStore(), Frontier(Pace(0.0, 1)), interval=60, size=200)
        page = visit(TODO, bytes(body))
        page.candidates = [candidate("http://a.example/x")] * links
        await committer.put(page)
        assert committer.room.is_set() is is_room

    asyncio.run(story())


def test_a_large_page_is_not_read_while_too_much_is_to_be_stored() -> None:
    async def story() -> None:
        discovery, room = Discovery(Linker(Scope("any"), ())), asyncio.Event()
        reader = Inline(discovery, Collector(SiteSpider(), discovery, timeout=9.0), 9.0, room)
        read = []
        for size in (10, fast_pass.LARGE):
            body = b"<title>x</title>" + b" " * size
            response = Response(TODO.url, 200, {"Content-Type": "text/html"}, body)
            found = Visit(TODO, Outcome.OK, 0.0)
            page = ScrapedPage(response, Request(response.url))
            read.append(asyncio.create_task(reader.parse(found, page, page.request)))
        small, large = read
        await asyncio.wait([small])
        await asyncio.sleep(0.05)
        assert not large.done()
        room.set()
        await asyncio.wait_for(large, 9)

    asyncio.run(story())
