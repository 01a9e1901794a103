"""Endless spaces. Only /trap/ links to them, and nothing links to /trap/."""

import calendar
import secrets

from aiohttp import web

from crawler.practice.layout import link_list, page

COLOURS = ("red", "blue", "green")
SIZES = ("small", "large")
ORDERS = ("price", "name", "newest")


def routes() -> list[web.RouteDef]:
    return [
        web.get("/trap/", index),
        web.get(r"/trap/calendar/{year:\d{1,9}}/{month:\d{1,9}}/", month),
        web.get("/trap/session/", session_ids),
        web.get("/trap/maze/{way:.*}", maze),
        web.get("/trap/filter/", permutations),
        web.get(r"/trap/count/{number:\d{1,9}}/", counting),
    ]


async def index(request: web.Request) -> web.Response:
    ways = {
        "/trap/calendar/2026/1/": "a calendar without a last page",
        "/trap/session/": "a new session id in every link",
        "/trap/maze/": "a path that repeats itself",
        "/trap/filter/": "every order of every filter",
        "/trap/count/1/": "the same text under every number",
    }
    return page("Traps", f"<p>No way out but patience.</p>\n{link_list(ways)}")


async def month(request: web.Request) -> web.Response:
    year, number = int(request.match_info["year"]), int(request.match_info["month"])
    if not (1 <= year <= 9999 and 1 <= number <= 12):
        raise web.HTTPNotFound
    following, preceding = _month_path(year, number, 1), _month_path(year, number, -1)
    ways = {following: "Next month", preceding: "Last month", f"/trap/calendar/{year + 1}/1/": "+1"}
    return page(f"{calendar.month_name[number]} {year}", "<p>Nothing on.</p>" + link_list(ways))


async def session_ids(request: web.Request) -> web.Response:
    """Three pages in truth; each visit gives their links another `sid`."""
    sid = secrets.token_hex(8)
    ways = {f"/trap/session/?page={n}&sid={sid}": f"Page {n}" for n in (1, 2, 3)}
    return page("Session ids", "<p>The same three pages, always.</p>" + link_list(ways))


async def maze(request: web.Request) -> web.Response:
    """Relative links that a careless server answers at any depth."""
    return page("The maze", link_list({"left/": "Left", "right/": "Right", "left/right/": "Both"}))


async def permutations(request: web.Request) -> web.Response:
    """Links that add a parameter to the query as it came, in every order, again and again."""
    query = request.query_string
    pairs = [f"colour={colour}" for colour in COLOURS]
    pairs += [f"size={size}" for size in SIZES] + [f"order={order}" for order in ORDERS]
    ways = {f"/trap/filter/?{query}&{pair}" if query else f"?{pair}": pair for pair in pairs}
    return page("Filters", "<p>Nothing matches.</p>" + link_list(ways))


async def counting(request: web.Request) -> web.Response:
    number = int(request.match_info["number"])
    ways = {f"/trap/count/{number + 1}/": "Next", f"/trap/count/{number + 2}/": "The one after"}
    return page("Counting", "<p>The same text as before.</p>" + link_list(ways))


def _month_path(year: int, month: int, step: int) -> str:
    months = year * 12 + month - 1 + step
    return f"/trap/calendar/{months // 12}/{months % 12 + 1}/"
