"""Who may ask what: the name of the host, where a request comes from, the token, and what a page
may load. Middlewares of the application, and the headers of every answer.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import urlencode, urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

from crawler.dashboard.layout import document
from crawler.errors import CrawlerError
from crawler.markup import Html, el

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: with it a browser sends our own forms with `Origin: null` (Fetch standard,
    # "append a request Origin header"), and none of them would be taken.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
COOKIE = "crawlkeep"
OPEN = frozenset({"/healthz", "/readyz"})
_TRIES, _MINUTE = 10, 60.0
_CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Guard:
    """Decides over each request before any view sees it."""

    def __init__(self, names: Iterable[str], token: str | None = None) -> None:
        """`names` are those of the Host header that are ours; `token` None asks for none."""
        self.names = frozenset(name.lower() for name in names)
        self.token = token
        self._tries: deque[float] = deque(maxlen=_TRIES)

    def refusal_of(self, request: web.Request) -> tuple[int, str] | None:
        """Return the status and the reason with which a request is refused; None if it is not."""
        host = request.headers.get("Host", "").lower()
        if host not in self.names:
            return 421, "this page is not served under that name; open the address that was printed"
        if request.headers.get("Sec-Fetch-Site") == "cross-site":
            return 403, "this request comes from another site"
        if request.method in _CHANGING and not self._is_ours(request, host):
            return 403, "this request comes from another site"
        return None

    def _is_ours(self, request: web.Request, host: str) -> bool:
        origin = request.headers.get("Origin")
        if origin is None:
            return False
        parts = urlsplit(origin)
        return parts.scheme == request.scheme and parts.netloc.lower() == host

    def knows(self, request: web.Request) -> bool:
        """Return whether a request may see anything: by its cookie, or without any token."""
        given = request.cookies.get(COOKIE, "")
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return self.token is None or any(_same(one, self.token) for one in (given, bearer))

    def try_token(self, given: str) -> bool | None:
        """Return whether a token is ours; None where too many were tried within a minute."""
        now = time.monotonic()
        while self._tries and now - self._tries[0] > _MINUTE:
            self._tries.popleft()
        if len(self._tries) >= _TRIES:
            return None
        if self.token is not None and _same(given, self.token):
            return True
        self._tries.append(now)
        return False


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())


def new_token() -> str:
    """Return a token that nobody guesses."""
    return secrets.token_urlsafe(24)


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def names_of(host: str, port: int, more: Iterable[str] = ()) -> list[str]:
    """Return the Host headers under which the page is reached."""
    own = ["127.0.0.1", "localhost", "[::1]"] if is_loopback(host) else [host]
    if ":" in host:
        own.append(f"[{host}]")
    named = [f"{name}:{port}" for name in own] + list(own if port == 80 else ())
    return [*named, *more]


def guarded(guard: Guard) -> Middleware:
    """Return the middleware that refuses, asks for the token, and sets the headers."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        refused = guard.refusal_of(request)
        if refused is not None:
            return _plain(*refused)
        if not guard.knows(request) and request.path not in OPEN:
            return _asked(guard, request)
        try:
            return await handler(request)
        except web.HTTPException as error:
            if error.status < 400:
                raise
            return told(error.status, error.reason)
        except CrawlerError as error:
            return told(400, str(error))

    return middleware


async def put_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Set what every answer says; a signal of the application."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.pop("Server", None)


def _asked(guard: Guard, request: web.Request) -> web.Response:
    """Take the token from the address into a cookie, or say that one is needed."""
    given = request.query.get("token")
    if given is None:
        return _plain(401, "open the address with the token that was printed at the start")
    known = guard.try_token(given)
    if known is None:
        return _plain(429, "too many tokens were tried; wait a minute")
    if not known:
        return _plain(401, "this is not the token that was printed at the start")
    rest = [(key, value) for key, value in request.query.items() if key != "token"]
    place = request.path + (f"?{urlencode(rest)}" if rest else "")
    answer = web.Response(status=303, headers={"Location": "/" + place.lstrip("/")})
    answer.set_cookie(COOKIE, given, httponly=True, samesite="Strict", path="/")
    return answer


def _plain(status: int, reason: str) -> web.Response:
    return web.Response(status=status, text=f"{reason}\n")


def told(status: int, reason: str) -> web.Response:
    """Return a page that says in a sentence what is wrong."""
    said = el("section", el("div", el("h1", reason), class_="lead"))
    back = el("p", el("a", "To the overview", href="/"))
    body = el("main", said, back, id="main")
    return page(document(f"{reason} · Crawlkeep", body), status)


def page(html: Html, status: int = 200) -> web.Response:
    """Return HTML as an answer."""
    return web.Response(
        status=status,
        body=html.encode("utf-8", "replace"),
        content_type="text/html",
        charset="utf-8",
    )
