"""Answers other than a plain 200: redirects of every kind, any status, flaky, slow, echo."""

import asyncio
import hashlib
from http import HTTPStatus

from aiohttp import web

from crawler.practice.api import whole
from crawler.practice.layout import page
from crawler.practice.state import STATE

REDIRECTS = (301, 302, 303, 307, 308)
SLOWEST = 10.0
LONGEST_CHAIN = 50


def routes() -> list[web.RouteDef]:
    return [
        web.get(r"/redirect/{left:\d{1,9}}", chain),
        web.get("/redirect/done", landed),
        web.get("/redirect/loop", loop),
        web.get("/redirect/loop/back", loop_back),
        web.get("/redirect/self", itself),
        web.get("/redirect/offsite", offsite),
        web.route("*", r"/redirect/status/{code:\d{1,9}}", redirect),
        web.route("*", "/echo", echo),
        web.route("*", r"/status/{code:\d{1,9}}", status),
        web.get("/gone/", gone),
        web.get("/flaky/{key}", flaky),
        web.delete("/flaky/{key}", forget),
        web.get("/slow/", slow),
    ]


async def chain(request: web.Request) -> web.Response:
    """/redirect/3 leads over 2 and 1 to /redirect/done."""
    left = int(request.match_info["left"])
    if left > LONGEST_CHAIN:
        raise web.HTTPNotFound(text=f"The chain has at most {LONGEST_CHAIN} links.")
    raise web.HTTPFound(f"/redirect/{left - 1}" if left > 1 else "/redirect/done")


async def landed(request: web.Request) -> web.Response:
    return page("The end of the chain", "<p>Every redirect has led here.</p>")


async def loop(request: web.Request) -> web.Response:
    raise web.HTTPFound("/redirect/loop/back")


async def loop_back(request: web.Request) -> web.Response:
    raise web.HTTPFound("/redirect/loop")


async def itself(request: web.Request) -> web.Response:
    raise web.HTTPFound("/redirect/self")


async def offsite(request: web.Request) -> web.Response:
    """To the other host that the site was started with; without one, 404."""
    elsewhere = request.app[STATE].offsite
    if elsewhere is None:
        raise web.HTTPNotFound(text="This site was started without another host.")
    raise web.HTTPFound(elsewhere)


async def redirect(request: web.Request) -> web.Response:
    """The redirect of that very status, to the path in `to` (/echo by default)."""
    code, target = int(request.match_info["code"]), request.query.get("to", "/echo")
    if code not in REDIRECTS or not target.startswith("/") or target.startswith("//"):
        raise web.HTTPBadRequest(text=f"one of {REDIRECTS}, to a path of this site")
    return web.Response(status=code, headers={"Location": target})


async def echo(request: web.Request) -> web.Response:
    """What arrived, as JSON: method, target, headers, and the body's size, digest and text."""
    body = await request.read()
    return web.json_response(
        {
            "method": request.method,
            "target": request.raw_path,
            "headers": [[name, value] for name, value in request.headers.items()],
            "size": len(body),
            "sha256": hashlib.sha256(body).hexdigest(),
            "text": body[:10_000].decode("utf-8", "replace"),
        }
    )


async def status(request: web.Request) -> web.Response:
    """An answer of any status from 200 to 599."""
    code = int(request.match_info["code"])
    if not 200 <= code <= 599:
        raise web.HTTPBadRequest(text="a status from 200 to 599")
    if code in (204, 205, 304):
        return web.Response(status=code)
    names = {known.value: known.phrase for known in HTTPStatus}
    name = names.get(code, "Without a name")
    return page(f"{code} {name}", "<p>You asked for this status.</p>", status=code)


async def gone(request: web.Request) -> web.Response:
    raise web.HTTPGone(text="There was a page here. It has been taken down for good.")


async def flaky(request: web.Request) -> web.Response:
    """503 with Retry-After for the first `fail` visits (1) of this key, from then on 200.

    DELETE on the same path, or `PracticeSite.reset`, forgets the visits.
    """
    key, fail = request.match_info["key"], whole(request, "fail", 1, 0, 1000)
    after = whole(request, "after", 1, 0, 3600)
    refused = request.app[STATE].refused
    if refused[key] < fail:
        refused[key] += 1
        raise web.HTTPServiceUnavailable(
            text="Not now; please come again.", headers={"Retry-After": str(after)}
        )
    return page("Steady at last", "<p>This page failed before it answered.</p>")


async def forget(request: web.Request) -> web.Response:
    request.app[STATE].refused.pop(request.match_info["key"], None)
    return web.Response(status=204)


async def slow(request: web.Request) -> web.Response:
    """Answer after `seconds` (0.5), at most after ten."""
    text = request.query.get("seconds", "0.5")
    try:
        seconds = min(max(0.0, float(text)), SLOWEST)  # in this order, "nan" becomes 0
    except ValueError:
        raise web.HTTPBadRequest(text="seconds must be a number") from None
    await asyncio.sleep(seconds)
    return page("Worth the wait", f"<p>This answer took {seconds:g} s on purpose.</p>")
