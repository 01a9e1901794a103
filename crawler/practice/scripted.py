"""Pages that are nothing without their scripts: a shop in a single page, fed by JSON.

One document answers for every path below `/app/`; its script reads the path and draws what belongs
there (history routing). No build step: the scripts stand beside this file as they are served.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from aiohttp import web

from crawler.practice.account import LETTERS, PASSWORD, USER
from crawler.practice.api import whole
from crawler.practice.catalog import THINGS, Product, by_slug, category, products
from crawler.practice.layout import content, link_list, page

PER_PAGE = 20
_COOKIE, _KEY = "scripted", "opened-by-script"
_SHELL_OF_PAGES = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<link rel="stylesheet" href="/style.css">
<script src="/scripts/pages.js" defer></script>
</head>
<body data-page="{name}"><main>{body}</main></body>
</html>
"""
_LOGIN = """<form><label>User <input name="user"></label>
<label>Password <input name="password" type="password"></label>
<button type="submit">Log in</button></form>"""
_BANNER = """<div id="banner" class="cookie-consent">We would like to set cookies.
<button id="agree">Agree</button></div>"""
_PAGES = {
    "login": ("A login by script", _LOGIN),
    "members": ("Letters by script", ""),
    "shadow": ("In the shadow", ""),
    "frames": ("In a frame", ""),
    "ticker": ("A ticker", ""),
    "more": ("More on a click", '<button class="more">More</button>'),
    "consent": ("Behind a banner", _BANNER),
    "slow": ("Late", ""),
}

_SHELL = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>The harbour shop</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/style.css">
<script src="/scripts/shop.js" defer></script>
</head>
<body>
<div id="app"></div>
<noscript>This shop needs JavaScript. Please enable it to see our goods.</noscript>
</body>
</html>
"""


def routes() -> list[web.RouteDef]:
    return [
        web.get("/app/", shop),
        web.get("/app/product/{slug}", shop),
        web.get("/app/category/{name}", shop),
        web.get("/app/api/categories", categories),
        web.get("/app/api/products", goods),
        web.get("/app/api/products/{slug}", product),
        web.get("/scripted/", index),
        web.get("/scripted/frame", frame),
        web.post("/scripted/api/login", log_in),
        web.get("/scripted/api/letters", letters),
        web.get("/scripted/{name}", scripted),
        web.get(r"/scripts/{name:[\w-]+}.js", script),
    ]


async def shop(request: web.Request) -> web.Response:
    """The one document of the shop, whatever the path."""
    return content(_SHELL.encode(), "text/html; charset=utf-8")


async def categories(request: web.Request) -> web.Response:
    return web.json_response(list(THINGS))


async def goods(request: web.Request) -> web.Response:
    """Twenty goods of a page, of one category or of all: `{items, next}`, `next` a page or null."""
    name = request.query.get("category")
    group = next((each for each in THINGS if each.lower() == name), None)
    if name and group is None:
        raise web.HTTPNotFound
    things = category(group) if group else products()
    number = whole(request, "page", 1, 1, 10**6)
    shown = things[(number - 1) * PER_PAGE :][:PER_PAGE]
    after = number + 1 if number * PER_PAGE < len(things) else None
    return web.json_response({"items": [_short(thing) for thing in shown], "next": after})


async def product(request: web.Request) -> web.Response:
    thing = by_slug().get(request.match_info["slug"])
    if thing is None:
        raise web.HTTPNotFound
    more = {"category": thing.category, "rating": thing.rating, "praise": thing.praise}
    return web.json_response({**_short(thing), **more})


async def index(request: web.Request) -> web.Response:
    links = {f"/scripted/{name}": title for name, (title, _) in _PAGES.items()}
    return page("What takes a script", link_list({"/app/": "A shop in a single page", **links}))


async def scripted(request: web.Request) -> web.Response:
    found = _PAGES.get(request.match_info["name"])
    if found is None:
        raise web.HTTPNotFound
    title, body = found
    text = _SHELL_OF_PAGES.format(name=request.match_info["name"], title=title, body=body)
    return content(text.encode(), "text/html; charset=utf-8")


async def frame(request: web.Request) -> web.Response:
    body = b'<title>Inside</title><p class="inside">A frame, <a href="../feed.xml">a feed</a>.</p>'
    return content(body, "text/html; charset=utf-8")


async def log_in(request: web.Request) -> web.Response:
    """Open a session for the right name and password, sent as JSON."""
    fields = await request.json()
    if (fields.get("user"), fields.get("password")) != (USER, PASSWORD):
        raise web.HTTPForbidden
    response = web.json_response({"user": USER})
    response.set_cookie(_COOKIE, _KEY, path="/scripted/", httponly=True)
    return response


async def letters(request: web.Request) -> web.Response:
    if request.cookies.get(_COOKIE) != _KEY:
        raise web.HTTPUnauthorized
    return web.json_response([text for _, text in LETTERS.values()])


async def script(request: web.Request) -> web.Response:
    body = _script(request.match_info["name"])
    if body is None:
        raise web.HTTPNotFound
    return content(body, "text/javascript; charset=utf-8")


@cache
def _script(name: str) -> bytes | None:
    file = Path(__file__).parent / "scripts" / f"{name}.js"
    return file.read_bytes() if file.is_file() else None


def _short(thing: Product) -> dict[str, object]:
    return {
        "number": thing.number,
        "slug": thing.slug,
        "name": thing.name,
        "price": thing.price,
        "stock": thing.availability,
    }
