"""The spiders that `crawler new` writes, by what they are for; each runs as it is."""

from __future__ import annotations

SITE = '''"""{title}: what is worth knowing about each page of a site."""

from crawler import Rule, ScrapedPage, Spider, item


@item(key="url")
class {row}:
    """One page; the same URL again replaces the row."""

    url: str
    heading: str | None
    links: int


class {title}(Spider):
    """Every page of one site, with its first heading."""

    name = "{name}"
    base = "{url}"
    rules = [Rule()]  # follow every link of the site; Rule(allow=r"/news/") follows some

    @property
    def start_urls(self):
        return [self.base]  # -a base=URL sets another

    def parse(self, page: ScrapedPage):
        heading = page.css("h1::text").get()
        yield {row}(page.url, heading, len(page.links))
'''

RULES = '''"""{title}: rules say which links lead on, and which pages have what is wanted."""

from crawler import Rule, ScrapedPage, Spider, item


@item(key="url")
class {row}:
    """What a detail page says; the same URL again replaces the row."""

    url: str
    title: str
    description: str | None


class {title}(Spider):
    """The detail pages of one site."""

    name = "{name}"
    start_urls = ["{url}"]
    rules = [
        Rule(allow=r"/(product|article|item)s?/", callback="detail"),  # the first that fits counts
        Rule(allow=r"[/?&](page|p)[/=-]?\\d+", follow=True),  # the list, page after page
    ]

    def detail(self, page: ScrapedPage):
        description = page.css("meta[name=description]::attr(content), .description::text").get()
        yield {row}(page.url, page.css("h1::text").get(""), description)
'''

SITEMAP = '''"""{title}: the pages that a site lists in its sitemaps."""

from crawler import ScrapedPage, SitemapSpider, item


@item(key="url")
class {row}:
    """One page; the same URL again replaces the row."""

    url: str
    title: str | None
    heading: str | None


class {title}(SitemapSpider):
    """Every page of the sitemaps."""

    name = "{name}"
    sitemap_urls = ["{origin}/robots.txt"]  # the sitemaps that it names; or a sitemap's own URL
    # sitemap_rules = [Rule(allow=r"/product/", callback="product")]  # only these pages
    # sitemap_since = "2026-01-31"  # only what was changed since

    def parse(self, page: ScrapedPage):
        yield {row}(page.url, page.title, page.css("h1::text").get())
'''

API = '''"""{title}: a JSON API, page after page."""

from crawler import ScrapedPage, Spider


class {title}(Spider):
    """Every entry of the API, as a row of the table `item`."""

    name = "{name}"
    start_urls = ["{url}"]
    settings = {{"fetch": {{"headers": {{"Accept": "application/json"}}}}}}
    # A key: [auth."{origin}/"] in config.toml; POST: Request(url, method="POST", json={{…}})

    def parse(self, page: ScrapedPage):
        answer = page.json()
        yield from answer["items"]  # what the API calls its list
        if answer.get("next"):  # and its next page
            yield page.follow(answer["next"])
'''

FEED = '''"""{title}: the entries of a feed, RSS or Atom; or XML, CSV or JSON of any size."""

from crawler import FeedSpider, StoredFile, item


@item(key="url")
class {row}:
    """One entry; the same URL again replaces the row."""

    url: str
    title: str
    published: str | None


class {title}(FeedSpider):
    """Every entry of the feed."""

    name = "{name}"
    start_urls = ["{url}"]
    # at = "product"  # the elements of XML, or the array of JSON, that hold the records
    # record_type = {row}  # where the fields have the names of the feed: then parse_record may go

    def parse_record(self, record: dict, feed: StoredFile):
        url = feed.urljoin(str(record.get("link") or record.get("link@href") or ""))
        published = record.get("pubDate") or record.get("published")
        yield {row}(url or feed.url, str(record.get("title", "")), published)
        # yield Request(url, callback=self.article)
'''

LOGIN = '''"""{title}: what stands behind a login.

{variable}=… crawler run {name}
"""

from crawler import Request, Rule, ScrapedPage, Secret, Spider, item


@item(key="url")
class {row}:
    """A page that only members see."""

    url: str
    heading: str | None


class {title}(Spider):
    """Log in by the form, then follow the links behind it."""

    name = "{name}"
    start_urls = ["{url}"]
    user = "reader"  # -a user=…
    rules = [Rule(deny=r"logout|log-out|signout", callback="inside")]

    def parse(self, page: ScrapedPage):
        fields = {{"user": self.user, "password": Secret("{variable}")}}  # as the form names them
        options = {{"callback": "inside", "errback": "refused"}}
        return page.form("form").fill(fields, options=options)

    def refused(self, request: Request, outcome):
        self.crawl.stop(f"the login failed: {{outcome}}")

    def inside(self, page: ScrapedPage):
        yield {row}(page.url, page.css("h1::text").get())
'''

BROWSER = '''"""{title}: pages that are empty until their scripts have run.

It needs a browser: pip install 'crawlkeep[browser]' and playwright install chromium
"""

from crawler import Request, ScrapedPage, Spider, item
from crawler.web.steps import Scroll, Wait


@item(key="url")
class {row}:
    """One page as a reader sees it; the same URL again replaces the row."""

    url: str
    heading: str | None
    text: str


class {title}(Spider):
    """The start page, rendered; `[browser] mode = "auto"` renders what needs it, and no more."""

    name = "{name}"
    start_urls = ["{url}"]

    def start(self):
        steps = [Wait("h1"), Scroll(most=2)]  # also Click, Fill, Press, Screenshot …
        for url in self.start_urls:
            yield Request(url, browser=True, steps=steps)

    def parse(self, page: ScrapedPage):
        yield {row}(page.url, page.css("h1::text").get(), page.text)
'''

TEMPLATES = {
    "site": SITE,
    "rules": RULES,
    "sitemap": SITEMAP,
    "api": API,
    "feed": FEED,
    "login": LOGIN,
    "browser": BROWSER,
}
