"""The shop: all goods in pages, the same by category, and one page per product."""

import json
from html import escape

from aiohttp import web

from crawler.practice.catalog import THINGS, Product, by_slug, category, products
from crawler.practice.content import pages
from crawler.practice.layout import content, page, pager

PER_PAGE = 20
PER_CATEGORY_PAGE = 10


def routes() -> list[web.RouteDef]:
    return [
        web.get("/shop/", goods),
        web.get(r"/shop/page/{number:\d{1,9}}/", goods),
        web.get("/shop/category/{name}/", shelf),
        web.get(r"/shop/category/{name}/page/{number:\d{1,9}}/", shelf),
        web.get("/shop/product/{slug}/", product),
        web.get(r"/img/{name:[\w-]+}.svg", picture),
    ]


async def goods(request: web.Request) -> web.Response:
    number = int(request.match_info.get("number", 1))
    crumbs = _breadcrumb({"/": "Home"}, "Shop")
    return _listing("The harbour shop", crumbs, "/shop/", products(), number, PER_PAGE)


async def shelf(request: web.Request) -> web.Response:
    name, number = request.match_info["name"], int(request.match_info.get("number", 1))
    group = next((group for group in THINGS if group.lower() == name), None)
    if group is None:
        raise web.HTTPNotFound
    crumbs = _breadcrumb({"/": "Home", "/shop/": "Shop"}, group)
    return _listing(group, crumbs, _shelf_path(group), category(group), number, PER_CATEGORY_PAGE)


async def product(request: web.Request) -> web.Response:
    thing = by_slug().get(request.match_info["slug"])
    if thing is None:
        raise web.HTTPNotFound
    crumbs = {"/": "Home", "/shop/": "Shop", _shelf_path(thing.category): thing.category}
    return page(
        thing.name,
        f"""{_breadcrumb(crumbs, thing.name)}
<div class="product-page">
<img src="/img/{thing.number}.svg" alt="{escape(thing.name)}" width="240" height="150">
<p class="price">{thing.price}</p>
<p class="stock">{thing.availability}</p>
<p>Category: <a class="category" href="{_shelf_path(thing.category)}">{thing.category}</a></p>
<p class="description">{escape(thing.praise)}</p>
<table class="facts">
<tr><th>Number</th><td class="sku">SH-{thing.number:04}</td></tr>
<tr><th>Price</th><td>{thing.price}</td></tr>
<tr><th>Rating</th><td class="rating" data-rating="{thing.rating}">{"★" * thing.rating}</td></tr>
</table>
</div>
<h2>On the same shelf</h2>
<ul class="related">{_related(thing)}</ul>""",
        head=_linked_data(thing),
    )


async def picture(request: web.Request) -> web.Response:
    """A small drawing whose colours follow from its name."""
    name = request.match_info["name"]
    hue = sum(name.encode()) * 47 % 360
    return content(
        f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 240 150">
<rect width="240" height="150" fill="hsl({hue} 35% 88%)"/>
<circle cx="{60 + hue % 120}" cy="62" r="34" fill="hsl({hue} 45% 62%)"/>
<path d="M0 112q60-26 120 0t120 0v38H0z" fill="hsl({(hue + 40) % 360} 38% 45%)"/>
</svg>""".encode(),
        "image/svg+xml",
    )


def _listing(
    title: str, crumbs: str, path: str, things: tuple[Product, ...], number: int, per_page: int
) -> web.Response:
    last = pages(len(things), per_page)
    if not 1 <= number <= last:
        raise web.HTTPNotFound
    before = _page_path(path, number - 1) if number > 1 else None
    after = _page_path(path, number + 1) if number < last else None
    shown = "\n".join(_card(thing) for thing in things[(number - 1) * per_page :][:per_page])
    body = (
        f'{crumbs}\n{_shelves()}\n<section class="grid">\n{shown}\n</section>{pager(before, after)}'
    )
    return page(title if number == 1 else f"{title}, page {number}", body)


def _card(thing: Product) -> str:
    path = f"/shop/product/{thing.slug}/"
    return f"""<article class="product">
<a href="{path}"><img src="/img/{thing.number}.svg" alt="" width="240" height="150"></a>
<h3><a href="{path}" title="{escape(thing.name)}">{escape(thing.name)}</a></h3>
<p class="price">{thing.price}</p>
<p class="stock">{thing.availability}</p>
</article>"""


def _shelves() -> str:
    rows = " ".join(
        f'<a class="category" href="{_shelf_path(group)}">{group}</a>' for group in THINGS
    )
    return f'<p class="tags">Shelves: {rows}</p>'


def _breadcrumb(above: dict[str, str], here: str) -> str:
    rows = "".join(f'<li><a href="{path}">{text}</a></li>' for path, text in above.items())
    return f'<ul class="breadcrumb">{rows}<li class="active">{escape(here)}</li></ul>'


def _related(thing: Product) -> str:
    shelf = category(thing.category)
    place = shelf.index(thing)
    return "".join(
        f'<li><a href="/shop/product/{other.slug}/">{escape(other.name)}</a></li>'
        for other in (shelf[(place + step) % len(shelf)] for step in (1, 2, 3))
    )


def _linked_data(thing: Product) -> str:
    """The product for machines: JSON-LD with the vocabulary of schema.org."""
    offer = {"@type": "Offer", "price": f"{thing.cents / 100:.2f}", "priceCurrency": "EUR"}
    data = {
        "@context": "https://schema.org",
        "@type": "Product",
        "name": thing.name,
        "sku": f"SH-{thing.number:04}",
        "category": thing.category,
        "offers": offer,
    }
    return f'<script type="application/ld+json">{json.dumps(data)}</script>\n'


def _shelf_path(group: str) -> str:
    return f"/shop/category/{group.lower()}/"


def _page_path(path: str, number: int) -> str:
    return path if number == 1 else f"{path}page/{number}/"
