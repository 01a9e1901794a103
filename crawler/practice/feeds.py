"""What a site says of itself to machines: robots.txt, sitemaps and the feed."""

import gzip
from collections.abc import Iterable
from email.utils import format_datetime
from html import escape

from aiohttp import web

from crawler.practice.api import whole
from crawler.practice.catalog import THINGS, products
from crawler.practice.content import pages, quotes, tags, voices
from crawler.practice.layout import CHANGED, content, page
from crawler.practice.state import STATE

ROBOTS = """\
# The rules of the practice site (RFC 9309). /private/ is linked and not for crawlers.

User-agent: *
Disallow: /private/
Disallow: /archive/
Disallow: /*?print=
Allow: /private/notice/

# Our own crawler may read the archive, too.
User-agent: crawlkeep
Disallow: /private/
Disallow: /*?print=
Allow: /private/notice/
Allow: /*?print=yes$

User-agent: slowbot
Crawl-delay: 2
Disallow: /private/

User-agent: greedybot
User-agent: copybot
Disallow: /

Sitemap: {origin}/sitemap.xml
"""


def routes() -> list[web.RouteDef]:
    return [
        web.get("/robots.txt", robots),
        web.get("/sitemap.xml", sitemap_index),
        web.get("/sitemap-quotes.xml", quotes_sitemap),
        web.get("/sitemap-shop.xml.gz", shop_sitemap),
        web.get("/sitemap-other.txt", other_sitemap),
        web.get("/feed.xml", feed),
        web.get("/readings.jsonl", readings),
        web.get("/private/", private),
        web.get("/private/notice/", notice),
        web.get("/private/ledger/", ledger),
        web.get("/archive/", archive),
    ]


async def robots(request: web.Request) -> web.Response:
    rules = request.app[STATE].robots
    if rules is False:
        raise web.HTTPNotFound
    text = rules if isinstance(rules, str) else ROBOTS.format(origin=request.url.origin())
    return content(text.encode(), "text/plain; charset=utf-8")


async def sitemap_index(request: web.Request) -> web.Response:
    origin = request.url.origin()
    names = ("sitemap-quotes.xml", "sitemap-shop.xml.gz", "sitemap-other.txt")
    rows = "".join(f"<sitemap><loc>{origin}/{name}</loc>{_lastmod()}</sitemap>\n" for name in names)
    return _xml(f'<sitemapindex xmlns="{_NAMESPACE}">\n{rows}</sitemapindex>\n')


async def quotes_sitemap(request: web.Request) -> web.Response:
    listings = [f"/page/{number}/" for number in range(2, pages(len(quotes())) + 1)]
    about = [f"/author/{slug}/" for slug in voices()] + [f"/tag/{tag}/" for tag in tags()]
    return _xml(_urlset(request, ["/", *listings, *about]))


async def shop_sitemap(request: web.Request) -> web.Response:
    shelves = [f"/shop/category/{group.lower()}/" for group in THINGS]
    goods = [f"/shop/product/{product.slug}/" for product in products()]
    text = _DECLARATION + _urlset(request, ["/shop/", *shelves, *goods])
    return content(gzip.compress(text.encode(), mtime=0), "application/gzip")


async def other_sitemap(request: web.Request) -> web.Response:
    origin = request.url.origin()
    lines = [f"{origin}{path}" for path in ("/about/", "/api/", "/odd/", "/files/", "/ws/")]
    return content("\n".join(lines).encode() + b"\n", "text/plain; charset=utf-8")


async def feed(request: web.Request) -> web.Response:
    """The ten newest sayings in RSS 2.0."""
    origin, date = request.url.origin(), format_datetime(CHANGED)
    rows = "".join(
        f"<item><title>{escape(quote.voice.role)}</title>"
        f"<link>{origin}/author/{quote.voice.slug}/</link>"
        f"<description>{escape(quote.text)}</description>"
        f'<guid isPermaLink="false">saying-{quote.number}</guid><pubDate>{date}</pubDate></item>\n'
        for quote in reversed(quotes()[-10:])
    )
    head = f"<title>Sayings</title><link>{origin}/</link><description>The newest ten</description>"
    return content(
        f'{_DECLARATION}<rss version="2.0"><channel>{head}\n{rows}</channel></rss>\n'.encode(),
        "application/rss+xml; charset=utf-8",
    )


async def readings(request: web.Request) -> web.StreamResponse:
    """`count` records of a tide gauge as JSON lines, at most a million, streamed."""
    number = whole(request, "count", 1000, 0, 1_000_000)
    answer = web.StreamResponse(headers={"Content-Type": "application/jsonl"})
    await answer.prepare(request)
    for first in range(0, number, 10_000):
        lines = (
            f'{{"id": {n}, "station": "gauge-{n % 7}", "level": {n * 37 % 500 / 100}}}\n'
            for n in range(first, min(first + 10_000, number))
        )
        await answer.write("".join(lines).encode())
    return answer


async def private(request: web.Request) -> web.Response:
    return page(
        "Private",
        '<p>robots.txt asks crawlers to stay out.</p><p><a href="/private/notice/">The notice on '
        'the door</a> may be read; <a href="/private/ledger/">the ledger</a> may not.</p>',
    )


async def notice(request: web.Request) -> web.Response:
    return page("The notice on the door", "<p>Open to everyone: the longer rule wins.</p>")


async def ledger(request: web.Request) -> web.Response:
    return page("The ledger", '<p class="secret">No polite crawler has ever read this.</p>')


async def archive(request: web.Request) -> web.Response:
    return page("The archive", "<p>Only the crawler that robots.txt names comes here.</p>")


_NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'


def _urlset(request: web.Request, paths: Iterable[str]) -> str:
    origin = request.url.origin()
    rows = "".join(f"<url><loc>{origin}{escape(path)}</loc>{_lastmod()}</url>\n" for path in paths)
    return f'<urlset xmlns="{_NAMESPACE}">\n{rows}</urlset>\n'


def _lastmod() -> str:
    return f"<lastmod>{CHANGED.isoformat(timespec='seconds')}</lastmod>"


def _xml(text: str) -> web.Response:
    return content((_DECLARATION + text).encode(), "application/xml; charset=utf-8")
