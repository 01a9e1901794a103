"""The quotes: the front page, its following pages, a page per voice, and pages per tag.

The markup answers to the selectors that quotes spiders use everywhere:
`div.quote`, `span.text`, `small.author`, `div.tags a.tag` and `li.next a`.
"""

from html import escape

from aiohttp import web

from crawler.practice.content import PER_PAGE, Quote, pages, quotes, tags, voices
from crawler.practice.layout import page, pager

TITLE = "Sayings of people at work"


def routes() -> list[web.RouteDef]:
    return [
        web.get("/", front),
        web.get(r"/page/{number:\d{1,9}}/", listing),
        web.get("/author/{slug}/", author),
        web.get("/tag/{tag}/", tagged),
        web.get(r"/tag/{tag}/page/{number:\d{1,9}}/", tagged),
        web.get("/quotes/", to_front),
    ]


async def front(request: web.Request) -> web.Response:
    return _listing(1)


async def to_front(request: web.Request) -> web.Response:
    raise web.HTTPMovedPermanently("/")


async def listing(request: web.Request) -> web.Response:
    number = int(request.match_info["number"])
    if number == 1:
        raise web.HTTPMovedPermanently("/")
    return _listing(number)


async def author(request: web.Request) -> web.Response:
    voice = voices().get(request.match_info["slug"])
    if voice is None:
        raise web.HTTPNotFound
    said = [quote for quote in quotes() if quote.voice == voice]
    return page(
        voice.role,
        f"""<div class="author-details">
<h3 class="author-title">{voice.role}</h3>
<p>Heard since: <span class="author-born-date">{escape(voice.since)}</span>,
at <span class="author-born-location">{escape(voice.place)}</span></p>
<div class="author-description">{escape(voice.description)}</div>
</div>
<h2>Said</h2>
{_boxes(said)}""",
        head=f'<meta name="description" content="{escape(voice.description)}">\n',
    )


async def tagged(request: web.Request) -> web.Response:
    tag, number = request.match_info["tag"], int(request.match_info.get("number", 1))
    found = [quote for quote in quotes() if tag in quote.tags]
    if not found or not 1 <= number <= pages(len(found)):
        raise web.HTTPNotFound
    body = _boxes(found[(number - 1) * PER_PAGE : number * PER_PAGE])
    title = f"Sayings about {tag}" + (f", page {number}" if number > 1 else "")
    return page(title, body + _pager(f"/tag/{tag}/", number, pages(len(found))))


def _listing(number: int) -> web.Response:
    last = pages(len(quotes()))
    if not 1 <= number <= last:
        raise web.HTTPNotFound
    shown = _boxes(quotes()[(number - 1) * PER_PAGE : number * PER_PAGE])
    body = f"{shown}\n{_pager('/', number, last)}"
    title = TITLE if number == 1 else f"{TITLE}, page {number}"
    return page(
        title,
        f'<div class="columns">\n<div>{body}</div>\n{_aside()}\n</div>',
        head=f'<link rel="canonical" href="{_page_path("/", number)}">\n',
    )


def _boxes(shown: tuple[Quote, ...] | list[Quote]) -> str:
    return "\n".join(_box(quote) for quote in shown)


def _box(quote: Quote) -> str:
    labels = " ".join(f'<a class="tag" href="/tag/{tag}/">{tag}</a>' for tag in quote.tags)
    return f"""<div class="quote" itemscope itemtype="https://schema.org/CreativeWork">
<span class="text" itemprop="text">“{escape(quote.text, quote=False)}”</span>
<span>by <small class="author" itemprop="author">{quote.voice.role}</small>
<a href="/author/{quote.voice.slug}/">(about)</a></span>
<div class="tags">Tags: <meta class="keywords" itemprop="keywords" content="{",".join(quote.tags)}">
{labels}</div>
</div>"""


def _aside() -> str:
    rows = "\n".join(
        f'<span class="tag-item"><a class="tag" href="/tag/{tag}/">{tag}</a></span>'
        for tag in list(tags())[:12]
    )
    return f'<aside class="tags-box"><h2>Often said about</h2>\n{rows}</aside>'


def _pager(path: str, number: int, last: int) -> str:
    before = _page_path(path, number - 1) if number > 1 else None
    after = _page_path(path, number + 1) if number < last else None
    return pager(before, after)


def _page_path(path: str, number: int) -> str:
    return path if number == 1 else f"{path}page/{number}/"
