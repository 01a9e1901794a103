"""The JSON API: one way of paging per collection, and the same goods behind a key."""

import base64
import hmac
from typing import Any

from aiohttp import web

from crawler.practice.catalog import Product, products
from crawler.practice.content import Quote, pages, quotes, voices
from crawler.practice.layout import page

API_KEY = "practice-key"
MOST_PER_PAGE = 50

DOCS = (
    ("/api/quotes", "page numbers", "?page=2&amp;per_page=10; the answer names its `next` page"),
    ("/api/products", "a cursor", "?cursor=…; the answer gives `next_cursor` until it is null"),
    ("/api/authors", "a Link header", "?page=2; a bare list, and rel=next in Link (RFC 8288)"),
    ("/api/private/products", "an API key", "as /api/products, with the header X-API-Key"),
    ("/api/notes", "reading and writing", "GET, POST; with an id GET, PUT, PATCH, DELETE"),
)


def routes() -> list[web.RouteDef]:
    return [
        web.get("/api/", docs),
        web.get("/api/quotes", quote_pages),
        web.get("/api/products", product_cursor),
        web.get("/api/authors", author_links),
        web.get("/api/private/products", private_products),
        web.post("/api/search", search),
    ]


async def docs(request: web.Request) -> web.Response:
    rows = "\n".join(
        f'<tr><td><a href="{path}"><code>{path}</code></a></td><td>{style}</td><td>{how}</td></tr>'
        for path, style, how in DOCS
    )
    return page(
        "The API",
        f"""<p>Everything on this site as JSON, paged in the ways that one meets.</p>
<table><tr><th>Collection</th><th>Shows</th><th>How</th></tr>
{rows}
</table>
<p class="hint">The key is <code>{API_KEY}</code>. An error is an object with
<code>status</code>, <code>error</code> and <code>detail</code>.</p>""",
    )


async def quote_pages(request: web.Request) -> web.Response:
    """Page numbers: `{page, pages, total, next, items}`, `next` a path or null."""
    per_page = whole(request, "per_page", 10, 1, MOST_PER_PAGE)
    last = pages(len(quotes()), per_page)
    number = whole(request, "page", 1, 1, 10**6)
    items = [_quote(quote) for quote in quotes()[(number - 1) * per_page :][:per_page]]
    after = f"/api/quotes?page={number + 1}&per_page={per_page}" if number < last else None
    total = len(quotes())
    return web.json_response(
        {"page": number, "pages": last, "total": total, "next": after, "items": items}
    )


async def product_cursor(request: web.Request) -> web.Response:
    """A cursor: `{items, next_cursor}`; the cursor is opaque, and 400 where it is not ours."""
    limit = whole(request, "limit", 20, 1, MOST_PER_PAGE)
    start = _position(request.query.get("cursor", ""))
    items = [_product(product) for product in products()[start : start + limit]]
    after = _cursor(start + limit) if start + limit < len(products()) else None
    return web.json_response({"items": items, "next_cursor": after})


async def author_links(request: web.Request) -> web.Response:
    """A bare list, its neighbours in `Link` (RFC 8288) as absolute URLs."""
    per_page = whole(request, "per_page", 6, 1, MOST_PER_PAGE)
    last = pages(len(voices()), per_page)
    number = whole(request, "page", 1, 1, 10**6)
    neighbours = {"first": 1, "prev": number - 1, "next": number + 1, "last": last}
    links = ", ".join(
        f'<{request.url.with_query(page=near, per_page=per_page)}>; rel="{rel}"'
        for rel, near in neighbours.items()
        if 1 <= near <= last and near != number
    )
    shown = list(voices().values())[(number - 1) * per_page :][:per_page]
    items = [{"role": v.role, "since": v.since, "place": v.place, "slug": v.slug} for v in shown]
    return web.json_response(items, headers={"Link": links} if links else None)


async def private_products(request: web.Request) -> web.Response:
    given = request.headers.get("X-API-Key", "")
    if not hmac.compare_digest(API_KEY.encode(), given.encode()):
        raise web.HTTPUnauthorized(
            text="Send the key in the header X-API-Key.", headers={"WWW-Authenticate": "ApiKey"}
        )
    return await product_cursor(request)


async def search(request: web.Request) -> web.Response:
    """Products by a word of their name, asked in JSON: `{page, pages, items}`."""
    try:
        asked = await request.json()
        word, number = str(asked.get("query", "")).lower(), int(asked.get("page", 1))
    except (ValueError, TypeError, AttributeError):
        raise web.HTTPBadRequest(text='send {"query": "…", "page": 1} as JSON') from None
    found = [product for product in products() if word in product.name.lower()]
    last = max(1, pages(len(found), 20))
    if not 1 <= number <= last:
        raise web.HTTPBadRequest(text=f"page must be from 1 to {last}")
    items = [_product(product) for product in found[(number - 1) * 20 :][:20]]
    return web.json_response({"page": number, "pages": last, "items": items})


def whole(request: web.Request, name: str, default: int, least: int, most: int) -> int:
    """The whole number of a query parameter; HTTPBadRequest where it is none or out of range."""
    text = request.query.get(name, str(default))
    readable = text.isascii() and text.isdigit() and len(text) <= 12
    if not (readable and least <= int(text) <= most):
        raise web.HTTPBadRequest(text=f"{name} must be a whole number from {least} to {most}")
    return int(text)


def _cursor(position: int) -> str:
    return base64.urlsafe_b64encode(f"after:{position}".encode()).decode().rstrip("=")


def _position(cursor: str) -> int:
    if not cursor:
        return 0
    try:
        known = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        return int(known.removeprefix("after:"))
    except ValueError:
        raise web.HTTPBadRequest(text="cursor is not one that this API gave") from None


def _quote(quote: Quote) -> dict[str, Any]:
    return {
        "id": quote.number,
        "text": quote.text,
        "author": quote.voice.role,
        "tags": list(quote.tags),
    }


def _product(product: Product) -> dict[str, Any]:
    return {
        "id": product.number,
        "name": product.name,
        "category": product.category,
        "price": product.cents / 100,
        "stock": product.stock,
        "url": f"/shop/product/{product.slug}/",
    }
