"""Spiders for the tests of worker processes, in a file of their own that these can import."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from crawler import Request, Rule, ScrapedPage, SiteSpider, Spider, item
from crawler.pipelines import DropDuplicates, RequireFields, Webhook


@item(key="url")
class Sighting:
    """What a callback saw of a page."""

    url: str
    title: str | None
    heading: str | None
    number_of_links: int
    depth: int
    header: str | None
    process: int | None = None


def seen(page: ScrapedPage, *, process: bool = False) -> Sighting:
    heading = page.soup.find("h1") if page.response.is_html else None
    return Sighting(
        page.url,
        page.title,
        heading.get_text(" ", strip=True) if heading else None,
        len(page.links),
        page.depth,
        page.headers.get("content-type"),
        os.getpid() if process else None,
    )


class Everything(SiteSpider):
    """Follow every link, and see every page."""

    name = "everything"

    def parse(self, page):
        yield seen(page)


class Told(Spider):
    """Say in which process a callback runs, and what the spider knows there."""

    name = "told"
    rules = (Rule(),)
    word = "default"

    def parse(self, page):
        print("a print in a callback goes nowhere near the answers")
        assert sys.stdin.read() == ""
        yield seen(page, process=True)
        yield {"word": self.word, "set_later": getattr(self, "set_later", None)}


class Header(Spider):
    """Yield the bytes of a header that is no UTF-8."""

    name = "header"

    def parse(self, page):
        yield {"bytes": page.headers["X-Odd"].encode("utf-8", "surrogateescape").hex()}


class Waiting(Told):
    """A callback that waits runs beside the crawl, on its event loop."""

    name = "waiting"

    async def parse(self, page):
        await asyncio.sleep(0)
        yield seen(page, process=True)


class Weight(int):
    """A number that MessagePack does not know."""


@item
class Odd:
    """Values of subclasses, as soups give them."""

    text: str
    number: int
    anything: object


class Careless(Spider):
    """Yield what is no item, break off in the middle, ask for things with baggage."""

    name = "careless"

    def parse(self, page):
        first = page.soup.find("a").string
        yield Odd(first, Weight(7), {"a set": {3, 1}, "an object": Path("x")})
        yield Odd(None, "seven", None)
        yield Request(page.urljoin("/right"), callback="right", meta={"from": page.url}, priority=3)
        yield Request("http://elsewhere.test/")
        raise ValueError(f"after {first} \ud800")

    def right(self, page):
        yield {"from": page.meta["from"], "priority": page.request.priority}
        yield Request(page.urljoin("/unstorable"), meta={"thing": object()})


class Trouble(SiteSpider):
    """Hang on /hang, die on /die, and die on /once where the marker file is not there yet."""

    name = "trouble"
    marker = ""

    def parse(self, page) -> Iterator[Sighting]:
        path = page.url.rpartition("/")[2]
        if path == "hang":
            while True:
                pass
        if path == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if path == "once" and not Path(self.marker).exists():
            Path(self.marker).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        yield seen(page)


class Unmakeable(Spider):
    """Made without trouble in the first process only."""

    name = "unmakeable"
    start_urls = ("http://127.0.0.1:1/",)

    def __init__(self, **arguments: str) -> None:
        super().__init__(**arguments)
        if "crawler.processes.worker" in sys.modules:
            raise RuntimeError("not twice")


class Baker(Spider):
    """Use the cookie jars where they are, and where they are not."""

    name = "baker"

    def start(self):
        for url in self.start_urls:
            self.cookies[None].set("from", "start", url=url)
            yield Request(url)

    def parse(self, page):
        yield {"method": page.json()["method"]}
        self.cookies[None].set("from", "parse", url=page.url)


@item
class ShelfTea:
    """A tea on a shelf."""

    name: str
    price: float


class Shelf(Spider):
    """Yield the teas of a shelf, each name once, and send them to a webhook if there is one."""

    name = "shelf"
    hook = ""

    @property
    def pipelines(self):
        ready = [RequireFields("name"), DropDuplicates("name")]
        return [*ready, Webhook(self.hook, batch=1)] if self.hook else ready

    def parse(self, page):
        for text in page.css("li::text").getall():
            name, _, price = text.partition("=")
            yield ShelfTea(name, float(price))
        yield from page.follow_all("a")
