"""The chain around every handler, from the outside in: count, errors, validate, added, session."""

import asyncio
import time
from html import escape
from secrets import token_urlsafe

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from crawler.practice.hits import Hit
from crawler.practice.layout import content, page
from crawler.practice.state import STATE, Session, SiteState

COOKIE = "harbour_session"
SESSION: web.RequestKey[Session] = web.RequestKey("practice_session", Session)


def chain() -> list[Middleware]:
    return [count, errors, validate, added, session]


@web.middleware
async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Record a Hit that ends before the last byte of a plain answer leaves."""
    target = request.raw_path
    hit = Hit(
        method=request.method,
        path=target.partition("?")[0],
        started=time.monotonic(),
        ended=None,
        host=request.host,
        headers=request.headers,
        target=target,
    )
    request.app[STATE].hits.append(hit)
    try:
        response = await handler(request)
        hit.status = response.status
        return response
    finally:
        hit.ended = time.monotonic()


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Return an error as a page to people and as JSON to clients of the API."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return error_answer(request, error)


@web.middleware
async def validate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer 304 where the client holds what we would send (RFC 9110, 13.2.2)."""
    response = await handler(request)
    if request.method not in ("GET", "HEAD") or response.status != 200 or response.prepared:
        return response
    if not _unchanged(request, response):
        return response
    kept = {
        name: response.headers[name]
        for name in (hdrs.ETAG, hdrs.LAST_MODIFIED, hdrs.CACHE_CONTROL, hdrs.VARY)
        if name in response.headers
    }
    return web.Response(status=304, headers=kept)


@web.middleware
async def added(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Wait where a test says so, then answer with the page that a test added, if any."""
    state = request.app[STATE]
    target = request.raw_path
    path = target.partition("?")[0]
    if wait := state.delays.get(target, state.delays.get(path, state.latency)):
        await asyncio.sleep(wait)
    gate = state.gates.get(target) or state.gates.get(path)
    if gate:
        await gate.wait()
    own = state.pages.get(target) or state.pages.get(path)
    if own is None:
        return await handler(request)
    return content(own.body, own.content_type, status=own.status, headers=own.headers)


@web.middleware
async def session(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Return the handler the session that the cookie names, if the server knows it."""
    known = request.app[STATE].sessions.get(request.cookies.get(COOKIE, ""))
    if known:
        request[SESSION] = known
    return await handler(request)


def open_session(state: SiteState, response: web.StreamResponse, opened: Session) -> None:
    """Remember `opened` under a new cookie that `response` sets."""
    key = token_urlsafe(18)
    state.sessions[key] = opened
    response.set_cookie(COOKIE, key, path="/", httponly=True, samesite="Lax")


def error_answer(request: web.Request, error: web.HTTPException) -> web.Response:
    """The error as JSON below /api/ or where JSON is all that is accepted, else as a page."""
    kept: dict[str, str] = {
        name: error.headers[name]
        for name in (hdrs.ALLOW, hdrs.WWW_AUTHENTICATE, hdrs.RETRY_AFTER, hdrs.CONTENT_RANGE)
        if name in error.headers
    }
    words = error.text if error.text and not error.text.startswith(str(error.status)) else ""
    if request.path.startswith("/api/") or request.headers.get("Accept") == "application/json":
        problem = {"status": error.status, "error": error.reason, "detail": words}
        return web.json_response(problem, status=error.status, headers=kept)
    detail = escape(words) or "This address has nothing better to say."
    return page(
        f"{error.status} {error.reason}",
        f'<p class="error">{detail}</p>\n<p><a href="/">Back to the quotes</a></p>',
        status=error.status,
        headers=kept,
    )


def _unchanged(request: web.Request, response: web.StreamResponse) -> bool:
    if request.if_none_match is not None:  # then If-Modified-Since is not looked at
        mine = response.etag.value if response.etag else None
        return any(tag.value in ("*", mine) for tag in request.if_none_match)
    since, changed = request.if_modified_since, response.last_modified
    return since is not None and changed is not None and changed <= since
