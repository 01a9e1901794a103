"""The application: its routes, and what it starts and ends with."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources

from aiohttp import web

from crawler.dashboard import actions, layout, metrics, safety
from crawler.dashboard.live import ViewFeed, Watch
from crawler.dashboard.safety import Guard
from crawler.dashboard.sources import LIMIT, MOST_WAIT, Library, Look, ShownStore
from crawler.dashboard.state import WORDS, State
from crawler.dashboard.view import PagePart
from crawler.dashboard.views import BY_PATH, VIEWS, sql
from crawler.markup import Html, el, join, words
from crawler.markup.parts import section, styles
from crawler.store.address import StoreAddress

LIBRARY = web.AppKey("library", Library)
WATCH = web.AppKey("watch", Watch)
_LONGEST = 8192  # characters of what an address asks for
_TYPES = {"css": "text/css", "js": "text/javascript"}


def application(stores: Mapping[str, StoreAddress], guard: Guard) -> web.Application:
    """Return the page over some stores, by name."""
    app = web.Application(middlewares=[safety.guarded(guard)], client_max_size=1 << 20)
    app[LIBRARY] = Library(stores)
    app[WATCH] = Watch(app[LIBRARY])
    app.on_response_prepare.append(safety.put_headers)
    app.on_cleanup.append(_close)
    app.router.add_get("/", _front)
    app.router.add_get("/favicon.ico", _nothing)
    app.router.add_get("/assets/{name}", _asset)
    app.router.add_get("/healthz", _healthy)
    app.router.add_get("/readyz", _ready)
    app.router.add_get("/metrics", _metrics)
    app.router.add_get("/{crawl}/events", _events)
    app.router.add_get("/{crawl}", _bare)
    app.router.add_post("/{crawl}/control", _ask)
    app.router.add_get("/{crawl}/stored", _stored)
    app.router.add_get("/{crawl}/{view:[a-z]*}", _view)
    return app


async def _close(app: web.Application) -> None:
    await app[WATCH].close()
    app[LIBRARY].close()


# ---------------------------------------------------------------- what is small


async def _nothing(request: web.Request) -> web.Response:
    return web.Response(status=204)


@cache
def _assets() -> Mapping[str, bytes]:
    folder = resources.files("crawler.dashboard") / "assets"
    own = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    return {**own, "live.css": styles().encode()}


async def _asset(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    body = _assets().get(name)
    if body is None:
        raise web.HTTPNotFound
    kind = _TYPES.get(name.rpartition(".")[2], "application/octet-stream")
    return web.Response(body=body, content_type=kind, charset="utf-8")


async def _healthy(request: web.Request) -> web.Response:
    return web.Response(text="ok\n")


async def _ready(request: web.Request) -> web.Response:
    library = request.app[LIBRARY]
    wrong = []
    for source in library.sources.values():
        found = await library.look(source, lambda look: look.one("SELECT count(*) FROM crawl"))
        if found.error is not None:
            wrong.append(f"{source.name}: {found.error}")
    return web.Response(status=503 if wrong else 200, text="\n".join(wrong or ["ok"]) + "\n")


async def _metrics(request: web.Request) -> web.Response:
    library = request.app[LIBRARY]
    found = {}
    for name, source in library.sources.items():
        found[name] = (await library.look(source, metrics.figures)).value
    body = await asyncio.to_thread(metrics.exposition, found)
    return web.Response(body=body, headers={"Content-Type": metrics.CONTENT_TYPE})


# ---------------------------------------------------------------- pages


def source_of(request: web.Request) -> ShownStore:
    """Return the store that an address names; 404 for one that is not shown."""
    found = request.app[LIBRARY].sources.get(request.match_info["crawl"])
    if found is None:
        raise web.HTTPNotFound(reason="there is no crawl of that name")
    return found


def params_of(request: web.Request) -> dict[str, str]:
    """Return what an address asks for, each name once."""
    if len(request.query_string) > _LONGEST:
        raise web.HTTPBadRequest(reason="the address is too long")
    return {key: value for key, value in request.query.items() if value}


async def _front(request: web.Request) -> web.StreamResponse:
    library = request.app[LIBRARY]
    if len(library.sources) == 1:
        [source] = library.sources.values()
        raise web.HTTPSeeOther(Look(source, None, {}, 0.0).href(""))  # type: ignore[arg-type]
    rows = []
    for source in library.sources.values():
        found = await library.look(source, _short)
        told = found.value if found.error is None else el("span", str(found.error), class_="bad")
        rows.append(el("li", told))
    body = section("crawls", "Crawls", el("ul", *rows), level="h1")
    return safety.page(layout.document("Crawls · Crawlkeep", el("main", body, id="main")))


def _short(look: Look) -> Html:
    now = State(look)
    word = el("span", WORDS[now.state], class_="state", data_state=now.state)
    link = el("a", look.source.name, href=look.href(""))
    pages = words.plural(int(now.values.get("pages", 0)), "page")
    pages += f", {words.number(now.queued)} queued"
    return join([word, " ", el("b", link), " ", el("span", pages, class_="soft")])


async def _bare(request: web.Request) -> web.StreamResponse:
    source = source_of(request)
    raise web.HTTPSeeOther(Look(source, None, {}, 0.0).href(""))  # type: ignore[arg-type]


async def _view(request: web.Request) -> web.StreamResponse:
    source, view = source_of(request), BY_PATH.get(request.match_info["view"])
    if view is None:
        raise web.HTTPNotFound(reason="there is no such view")
    params = params_of(request)
    if view.path == "sql" and params.get("format") in ("csv", "json"):
        return await actions.rows(request, request.app[LIBRARY], source)
    many = len(request.app[LIBRARY].sources) > 1
    limit = sql.SECONDS if view.path == "sql" else _limit(params)

    def whole(look: Look) -> Html:
        now = State(look)
        body = join(_placed(look, now, part) for part in view.parts)
        live = any(part.every for part in view.all)
        return layout.page(look, now, view, body, views=VIEWS, live=live, many=many)

    found = await request.app[LIBRARY].look(source, whole, params, limit=limit)
    if found.error is not None:
        if actions.is_slow(found.error):
            raise web.HTTPServiceUnavailable(reason=f"Stopped after {limit:g} seconds")
        raise found.error
    return safety.page(found.value)


def _limit(params: Mapping[str, str]) -> float:
    wait = params.get("wait", "")
    return min(MOST_WAIT, float(wait)) if wait.isdecimal() and len(wait) < 4 else LIMIT * 5


def _placed(look: Look, now: State, part: PagePart | tuple[PagePart, PagePart]) -> Html:
    if isinstance(part, tuple):
        return el("div", *(one.make(look, now) for one in part), class_="pair")
    return part.make(look, now)


async def _ask(request: web.Request) -> web.StreamResponse:
    return await actions.ask(request, source_of(request))


async def _stored(request: web.Request) -> web.StreamResponse:
    return await actions.stored(request, request.app[LIBRARY], source_of(request))


async def _events(request: web.Request) -> web.StreamResponse:
    source, params = source_of(request), params_of(request)
    view = BY_PATH.get(params.get("view", ""))
    if view is None:
        raise web.HTTPNotFound
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
    )
    await response.prepare(request)
    watch = request.app[WATCH]
    watch.join(source)
    try:
        await ViewFeed(request.app[LIBRARY], source, view, VIEWS, params).run(response)
    except (ConnectionError, asyncio.CancelledError):
        pass  # the viewer has gone, or the page ends
    finally:
        watch.leave(source)
    return response


def stores_of(paths: Sequence[StoreAddress]) -> dict[str, StoreAddress]:
    """Return stores by the names that their addresses begin with."""
    from crawler.dashboard.sources import names_of

    return dict(names_of(paths))
