"""Pages that mean harm to a browser: scripts without an end, bombs, floods, tricks with the DOM.

Each is listed with how a crawl in a browser should end with it; `docs/browser.md` tells why.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from aiohttp import web

from crawler.practice.layout import content, link_list, page


class HostilePage(NamedTuple):
    """A page, and the outcomes that it may end in; the first is the usual one."""

    body: str
    outcomes: tuple[str, ...] = ("ok",)
    headers: tuple[tuple[str, str], ...] = ()
    status: int = 200


def _script(code: str, *outcomes: str) -> HostilePage:
    words = "<p>" + "Words before the script. " * 3 + "</p>"
    return HostilePage(f"{words}<script>{code}</script>", outcomes or ("ok",))


HUNG, CRASHED, MEMORY = "tab_hung", "tab_crashed", "tab_out_of_memory"
BUSY = ("ok", "timeout", HUNG)  # it keeps its tab at work: a slow machine does not get to its end

PAGES: dict[str, HostilePage] = {
    # ---- what never ends
    "loop": _script("for (;;) {}", HUNG),
    "loop-later": _script("setTimeout(() => { for (;;) {} }, 30)", HUNG),
    "loop-of-promises": _script("(function on() { Promise.resolve().then(on) })()", HUNG),
    "loop-of-alerts": _script("for (;;) alert('again')", HUNG),
    "loop-at-the-end": _script("onbeforeunload = () => { for (;;) {} }"),
    "stream": _script("fetch('/hostile/endless').then((r) => r.text())"),
    "frames-in-frames": _script(
        "const f = document.createElement('iframe');"
        "f.src = location.pathname + '?' + Math.random(); document.body.append(f)",
        *BUSY,
    ),
    "changes-forever": _script("setInterval(() => document.body.append('more '), 20)"),
    "writes-forever": _script("setInterval(() => document.write('<p>more'), 20)"),
    "animates-forever": _script(
        "(function on() { document.body.dataset.at = performance.now();"
        "document.body.append('.'.repeat(64)); requestAnimationFrame(on) })()"
    ),
    # ---- what goes elsewhere
    "reloads": _script("location.reload()"),
    "refreshes": HostilePage('<meta http-equiv="refresh" content="0"><p>Soon</p>'),
    "wanders": _script("location = '/hostile/quiet?' + Math.random()"),
    "to-and-fro": _script("location = '/hostile/quiet'"),
    "to-a-blob": _script("location = URL.createObjectURL(new Blob(['x'], {type: 'text/html'}))"),
    "to-a-file": _script("location = 'file:///etc/passwd'"),
    "to-the-browser": _script("location = 'chrome://crash'"),
    "to-data": _script("location = 'data:text/html,<p>x'"),
    "hashes": _script("let n = 0; setInterval(() => location.hash = n++, 5)", *BUSY),
    "history": _script("for (let n = 0; n < 5000; n++) history.pushState(n, '', '?' + n)", *BUSY),
    # ---- what asks for too much
    "memory": _script("const a = []; for (;;) a.push(new Array(1e6).fill(1.1))", MEMORY, CRASHED),
    "long-text": _script("document.body.append('x'.repeat(6e7))", "too_large", MEMORY, CRASHED),
    "many-elements": _script(
        "const f = document.createDocumentFragment();"
        "for (let n = 0; n < 2e5; n++) f.append(document.createElement('p'));"
        "document.body.append(f)"
    ),
    "deep-elements": _script(
        "let at = document.body; for (let n = 0; n < 2e4; n++) {"
        "const one = document.createElement('div'); at.append(one); at = one }",
        *("ok", CRASHED, "tab_hung", "internal_error"),
    ),
    "many-requests": _script(
        "for (let n = 0; n < 1000; n++) fetch('/hostile/quiet?' + n).catch(() => 0)"
    ),
    "many-beacons": _script(
        "for (let n = 0; n < 1000; n++) navigator.sendBeacon('/hostile/quiet', '' + n)"
    ),
    "many-frames": HostilePage('<iframe srcdoc="<p>x"></iframe>' * 60),
    "many-sockets": _script("for (let n = 0; n < 50; n++) new WebSocket('ws://10.0.0.' + n + '/')"),
    # ---- what opens or asks for something
    "windows": _script("for (let n = 0; n < 50; n++) window.open('/hostile/quiet?' + n)"),
    "dialogs": _script("alert(1); confirm(2); prompt(3)"),
    "asks-to-stay": _script("onbeforeunload = (event) => { event.preventDefault(); return 'no' }"),
    "permissions": _script(
        "navigator.geolocation.getCurrentPosition(() => 0);"
        "window.Notification && Notification.requestPermission();"
        "navigator.mediaDevices && navigator.mediaDevices.getUserMedia({audio: true})"
        ".catch(() => 0)"
    ),
    "downloads": _script(
        "const a = document.createElement('a'); a.href = '/hostile/endless'; a.download = 'x';"
        "document.body.append(a); a.click()"
    ),
    "prints": _script("window.print()"),
    "service-worker": _script(
        "navigator.serviceWorker && navigator.serviceWorker.register('/scripts/shop.js')"
        ".catch(() => 0)"
    ),
    # ---- what lies to whoever reads it
    "no-document": _script("document.documentElement.remove()"),
    "clobbers": HostilePage(
        "<form name=documentElement></form><img name=links><img name=body>"
        "<form name=getElementsByTagName><input name=textContent></form><p>Still here</p>"
    ),
    "redefines": _script(
        "Object.defineProperty(document, 'documentElement', {get() { for (;;) {} }});"
        "Document.prototype.getElementsByTagName = () => { throw 1 };"
        "Object.prototype.toJSON = () => { throw 1 }; Array.prototype.map = null;"
        "window.Promise = null; window.setTimeout = null; JSON.stringify = null"
    ),
    "half-characters": _script("document.body.append('\\ud800 and \\udfff')"),
    "sandboxed": HostilePage(
        "<script>document.title = 'ran'</script><p>Words</p>",
        headers=(("Content-Security-Policy", "sandbox; default-src 'none'"),),
    ),
    "empty-error": HostilePage("", ("server_error",), status=500),
    "asks-for-a-password": HostilePage(
        "<p>No</p>", ("http_error",), (("WWW-Authenticate", 'Basic realm="x"'),), 401
    ),
}


def routes() -> list[web.RouteDef]:
    return [
        web.get("/hostile/", index),
        web.get("/hostile/quiet", quiet),
        web.post("/hostile/quiet", quiet),
        web.get("/hostile/endless", endless),
        web.get("/hostile/{name}", hostile),
    ]


async def index(request: web.Request) -> web.Response:
    links = {f"/hostile/{name}": name.replace("-", " ") for name in PAGES}
    return page("Hostile pages", link_list(links))


async def quiet(request: web.Request) -> web.Response:
    return page("A quiet page", "<p>Nothing happens here.</p>")


async def endless(request: web.Request) -> web.StreamResponse:
    """Send a byte now and then, without an end."""
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await response.prepare(request)
    while True:
        await response.write(b".")
        await asyncio.sleep(0.2)


async def hostile(request: web.Request) -> web.Response:
    found = PAGES.get(request.match_info["name"])
    if found is None:
        raise web.HTTPNotFound
    title = request.match_info["name"].replace("-", " ").capitalize()
    head = f"<!DOCTYPE html><html><head><title>{title}</title></head>"
    body = f"{head}<body>{found.body}</body></html>" if found.body else ""
    kind = "text/html; charset=utf-8"
    return content(body.encode(), kind, status=found.status, headers=dict(found.headers))
