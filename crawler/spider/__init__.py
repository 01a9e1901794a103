"""Spider: what a user writes. SiteSpider: what follows every link in scope."""

from __future__ import annotations

import sys
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self

from crawler import urls
from crawler.errors import SpiderError, UsageError
from crawler.items import table_of
from crawler.links.rule import Rule
from crawler.spider import attributes
from crawler.spider.arguments import refuse_unknown
from crawler.web.callback import HasCallbacks
from crawler.web.download_stream import FEED, StoredFile
from crawler.web.outcome import Outcome
from crawler.web.page import ScrapedPage
from crawler.web.request import Request

if TYPE_CHECKING:
    import logging

    from crawler.http.cookies import CookieJars
    from crawler.spider.running import RunningCrawl
    from crawler.web.records import Format
    from crawler.web.stats import Stats

Results = Any
"""What a callback may give: None, an item, a Request, or an iterable (also async) of these."""

Pipeline = Callable[..., Any] | type | object
"""A function item → item or None, sync or async, or what has such a method `item`."""


class Spider(HasCallbacks):
    """Subclass it, name it, give it `start_urls` and `parse`.

    Callbacks are `def`, `async def`, generators or async generators; they yield items and Requests.
    `-a name=value` on the command line arrives as attribute `name`, always a string. They are kept
    with the crawl, which goes on with the same ones alone.
    `pipelines` are functions item → item or None (which drops it), or classes with `item(item,
    page)`, `open(crawl)`, `close()`; sync or async. Every item goes through them in order. Name
    plain functions in a list; they get no `self`.
    `expect` lists what a healthy run fulfils, as in `items.quote >= 100` or `error_rate < 2%`.
    """

    name: ClassVar[str] = ""
    start_urls: Sequence[str] = ()
    allowed_domains: Sequence[str] = ()
    rules: Sequence[Rule] = ()
    sitemap_urls: Sequence[str] = ()
    """Sitemaps to start from; a robots.txt stands for those that it names."""
    sitemap_rules: Sequence[Rule] = ()
    """Which of their pages are visited and by which callback; empty: all that are in scope."""
    sitemap_follow: str | Sequence[str] = ()
    """Regular expressions for the sitemaps of an index that are read; empty: all."""
    sitemap_since: str | datetime | None = None
    """Leave out entries last modified before this date, like 2026-01-31."""
    sitemap_alternates: bool = False
    """Also visit the same pages in other languages (xhtml:link)."""
    settings: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    cookies: CookieJars
    """The crawl's cookie jars, `self.cookies["account-2"].set(…)`; there while a run goes on."""
    pipelines: Sequence[Pipeline] = ()
    hooks: Sequence[object] = ()
    """Objects or classes with `before_fetch(request)` → a Request, a Response that stands in place
    of the answer, or None for as it is; and `after_fetch(response)` → a Response, a Request for
    another try or another URL, or None. Methods of these names of the spider are hooks, too."""
    expect: Sequence[str] = ()

    _running: RunningCrawl | None = None

    made_with: tuple[tuple[Any, ...], dict[str, Any]]
    """The arguments it was made with; worker processes make it again from them."""

    def __new__(cls, *positional: Any, **named: Any) -> Self:
        """Remember the arguments, whatever `__init__` a subclass has."""
        spider = super().__new__(cls)
        spider.made_with = (positional, named)
        return spider

    def __init__(self, **arguments: str) -> None:
        """Take the `-a` arguments; SpiderError for one that is a method, private or unknown."""
        for name, value in arguments.items():
            taken = getattr(type(self), name, None)
            if not name.isidentifier() or name.startswith("_") or callable(taken):
                raise SpiderError(f"-a {name}={value}: {name!r} cannot be set; choose another name")
            refuse_unknown(type(self), Spider, name)
            if taken in _OF_CRAWL:
                raise SpiderError(
                    f"-a {name}={value}: {name!r} is the crawl's own; choose another name, or"
                    f" declare it in the class"
                )
            setattr(self, name, value)

    @property
    def crawl(self) -> RunningCrawl:
        """What the spider has of its crawl: `settings`, `stats`, `stop(reason)`, `add(request)`."""
        if self._running is None:
            from crawler.spider.running import RunningCrawl  # imports the configuration

            self._running = RunningCrawl(spider=self)
        return self._running

    @property
    def state(self) -> dict[str, Any]:
        """A dict of JSON values, committed with the pages; the next run begins with it."""
        return self.crawl.state

    @property
    def stats(self) -> Stats:
        """The counters of the run; `self.stats.count("x")` adds to one of your own."""
        return self.crawl.stats

    @property
    def logger(self) -> logging.Logger:
        """A logger of the spider's name, shown like the crawl's own lines."""
        import logging

        return logging.getLogger(f"crawler.spider.{self.name}")

    def opened(self) -> Any:
        """Begin a run, also a resumed one, before the first request; also `async def`.

        What it raises ends the run.
        """

    def start(self) -> Iterable[Request] | AsyncIterator[Request]:
        """Return the first requests; by default one for each of `start_urls`."""
        return (Request(urls.from_cli(url)) for url in self.start_urls)

    def parse(self, page: ScrapedPage) -> Results:
        """Return the items and requests of a page; by default nothing beyond the rules."""
        return None

    async def on_browser(self, tab: Any, request: Request) -> None:
        """Do in a page of the browser what the steps of a request cannot say, before it is read.

        `tab` is Playwright's page (https://playwright.dev/python/docs/api/class-page); what it is
        led to stays within the host and its robots.txt.
        """

    def on_error(
        self, request: Request, outcome: Outcome, status: int | None, page: ScrapedPage | None
    ) -> Results:
        """Return items or requests for a request that ended without a page, whatever its outcome.

        Also for one whose callback raised. `page` is the answer that came all the same, a 404,
        say; None without one. A fifth parameter, `error`, gets the text of what went wrong.
        Not of redirects, sitemaps and 304, which are no end; docs/faults.md has the table.
        """
        return None

    def closed(self, reason: str) -> Any:
        """Hear why the run ended: finished, a limit such as max_pages, interrupted, failed, or the
        reason of StopCrawl; also `async def`.

        What it raises is told in the summary; all that was found is stored by then.
        """


_OF_CRAWL = (Spider.crawl, Spider.state, Spider.stats, Spider.logger)


class SiteSpider(Spider):
    """Follow every link in scope from the given URLs, and keep every page."""

    name = "site"
    rules = (Rule(),)

    def __init__(self, *start_urls: str, **arguments: str) -> None:
        """Take the URLs to start from."""
        super().__init__(**arguments)
        if start_urls:
            self.start_urls = start_urls


class SitemapSpider(Spider):
    """Visit every page that the given sitemaps name; a robots.txt stands for those it names."""

    name = "sitemap"

    def __init__(self, *sitemap_urls: str, **arguments: str) -> None:
        """Take the URLs of the sitemaps."""
        super().__init__(**arguments)
        if sitemap_urls:
            self.sitemap_urls = sitemap_urls


class FeedSpider(Spider):
    """Store the records of feeds: XML, CSV, JSON lines and JSON, also gzipped; RSS and Atom, too.

    Each of `start_urls` is a feed. It is downloaded, of any size, and read from the disk: its
    records are committed by the thousand, each exactly once, and a run that was killed goes on
    behind the last that were. `parse_record` is called with each record. docs/feeds.md has it all.
    """

    record_type: type[Any] | None = None
    """What a record is made: an @item, a dataclass, pydantic, attrs or msgspec class; None: a
    dict. One that does not fit is refused alone, and kept among the problems."""
    at: str | None = None
    """The name of the elements of XML, or the path to an array of JSON, like `data.items`; None:
    the items of RSS and Atom, or what the root holds; of JSON the first array of objects."""
    format: Format | None = None
    """`xml`, `csv`, `jsonl` or `json`; None: by its first bytes."""
    delimiter: str | None = None
    """What parts the fields of CSV; None: what its header has most."""

    def start(self) -> Iterable[Request] | AsyncIterator[Request]:
        """Return the requests for the feeds; by default one for each of `start_urls`."""
        return (self.feed(urls.from_cli(url)) for url in self.start_urls)

    def feed(self, url: str, **fields: Any) -> Request:
        """Return the request for a feed; `fields` are those of Request. BadUrl where it is none.

        `args` are keyword arguments of `parse_record`.
        """
        return Request(url, kind=FEED, **fields)

    def parse_record(self, record: Any, feed: StoredFile) -> Results:
        """Return the items and requests of one record; by default the record itself.

        `feed` is the file that it stands in: `feed.url`, `feed.urljoin("/a")`, `feed.meta`. What
        it raises refuses this record alone.
        """
        return record


def on_browser_of(spider: Spider) -> Callable[[Any, Request], Awaitable[None]] | None:
    """Return the spider's `on_browser`, None where it has none of its own."""
    own = type(spider).on_browser is not Spider.on_browser
    return spider.on_browser if own else None


def seeds_of(spider: Spider) -> list[str]:
    """Return the canonical start URLs; UsageError names the one that is no URL."""
    found = []
    for url in (*spider.start_urls, *spider.sitemap_urls):
        try:
            found.append(urls.from_cli(url))
        except ValueError as error:
            raise UsageError(f"{error}; give one like https://example.com/") from None
    return found


def _item_classes(names: Mapping[str, Any]) -> Iterator[type]:
    """Yield the classes made by `@item` that names stand for, or lists and dicts of them."""
    for value in list(names.values()):
        held = list(value.values()) if isinstance(value, dict) else value
        for thing in (value, *(held if isinstance(held, (list, tuple, set)) else ())):
            if isinstance(thing, type) and "__item__" in vars(thing):
                yield thing


def check(spider: Spider) -> None:
    """Raise SpiderError for a spider that cannot run, before anything is touched.

    So for the item classes of its file too, rather than hours later on the page that yields one.
    """
    module = sys.modules.get(type(spider).__module__)
    for names in (vars(module) if module is not None else {}, vars(type(spider))):
        for item in _item_classes(names):
            _check_item(item)
    if not spider.name:
        raise SpiderError(f"{type(spider).__name__} has no `name`; give it one")
    if not isinstance(spider.name, str):
        raise SpiderError(f"{type(spider).__name__}: `name` is {spider.name!r}; write a string")
    attributes.look(spider)
    if spider.pipelines:
        from crawler.spider import pipelines

        pipelines.check(spider)
    if spider.hooks or hasattr(spider, "before_fetch") or hasattr(spider, "after_fetch"):
        from crawler.spider import hooks

        hooks.check(spider)
    for rule in spider.rules:
        name = rule.callback_name
        if name is not None and not callable(getattr(spider, name, None)):
            raise SpiderError(
                f"{spider.name}: a rule names the callback {name!r}, which is no method"
            )
    if type(spider).__module__.partition(".")[0] != "crawler":
        from crawler.spider import mistakes  # reads the source of what users write

        mistakes.look(spider)


def _check_item(kind: type) -> None:
    """Raise SpiderError with the line of an item class that makes no table."""
    try:
        table_of(kind)
    except SpiderError as error:
        import inspect

        from crawler.web.error_place import shown

        try:
            place = f"{shown(inspect.getfile(kind))}:{inspect.getsourcelines(kind)[1]}: "
        except (OSError, TypeError):  # made while running: there is no source
            place = ""
        raise SpiderError(f"{place}{error}") from None


def requests_of(spider: Spider) -> Iterator[Request]:
    """Yield the start requests of a spider whose `start` is not asynchronous."""
    started = spider.start()
    if not isinstance(started, Iterable):
        raise SpiderError(f"{spider.name}: `start` is asynchronous; run it in a crawl")
    yield from started
