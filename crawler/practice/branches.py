"""The branches of the shop: one page each, with JSON-LD, which a sitemap of their own lists."""

import json
from html import escape

from aiohttp import web

from crawler.practice.layout import page

TOWNS = (
    ("Quayside", "1 Harbour Street", 54.97, -1.61),
    ("Millbrook", "22 Weir Lane", 50.35, -4.21),
    ("Saltmarsh", "7 Dyke Road", 52.95, 0.86),
    ("Highcombe", "3 Moor View", 51.21, -2.98),
    ("Lowfield", "19 Barley Row", 53.24, -0.54),
    ("Ferrybridge", "5 Toll House", 53.71, -1.27),
)


def routes() -> list[web.RouteDef]:
    return [
        web.get("/sitemap-branches.xml", sitemap),
        web.get(r"/branches/{town:[\w-]+}/", branch),
    ]


async def sitemap(request: web.Request) -> web.Response:
    urls = "".join(
        f"<url><loc>{request.url.origin()}/branches/{town.lower()}/</loc></url>"
        for town, *_ in TOWNS
    )
    text = f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{urls}</urlset>'
    return web.Response(text=text, content_type="application/xml")


async def branch(request: web.Request) -> web.Response:
    """A page with the vocabulary of schema.org; every second branch has no telephone."""
    names = [town.lower() for town, *_ in TOWNS]
    if request.match_info["town"] not in names:
        raise web.HTTPNotFound
    number = names.index(request.match_info["town"])
    town, street, latitude, longitude = TOWNS[number]
    name = f"The harbour shop, {town}"
    data = {
        "@context": "https://schema.org",
        "@type": "Store",
        "branchCode": f"B{number + 1:02}",
        "name": name,
        "address": {
            "@type": "PostalAddress",
            "streetAddress": street,
            "addressLocality": town,
            "addressCountry": "GB",
        },
        "geo": {"@type": "GeoCoordinates", "latitude": latitude, "longitude": longitude},
        "openingHours": ["Mo-Fr 09:00-18:00", "Sa 10:00-16:00"],
    }
    if number % 2 == 0:
        data["telephone"] = f"+44 1632 960{number:03}"
    return page(
        name,
        f'<p class="address">{escape(street)}, {escape(town)}</p>',
        head=f'<script type="application/ld+json">{json.dumps(data)}</script>\n',
    )
