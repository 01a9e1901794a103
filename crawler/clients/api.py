"""ApiClient: HTTP APIs with retries, a rate, typed answers, typed errors and paging."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from functools import partial
from ssl import SSLContext
from typing import Any, Literal, TypedDict, Unpack

from aiohttp import encode_basic_auth
from yarl import URL

from crawler import urls
from crawler.clients.api_response import ApiResponse as ApiResponse
from crawler.clients.api_response import read, refuse
from crawler.clients.call_body import Data, Files, body_of
from crawler.clients.paging import PageQuery, Paging, items_of
from crawler.clients.ratelimit import RateLimit
from crawler.clients.retrying import Retries, with_retries
from crawler.clients.transport import Client, Timeout, Transport
from crawler.config.layers import Config
from crawler.errors import ApiUnreachable, BadUrl, FetchError, PagingLoop, UsageError
from crawler.http.cookies import CookieJar
from crawler.http.credentials import Credential
from crawler.http.digest import DigestAuth
from crawler.urls.userinfo import userinfo
from crawler.web.body import with_params

Params = Mapping[str, Any]


class Call(TypedDict, total=False):
    """What one call may say beside its method and path.

    `json`, or `data` (text, bytes, form fields, a Path, an open file, an async iterator) and
    `files` (a multipart form: field → path, bytes, open file or `File`). `timeout` is the total in
    seconds for one try, or a mapping with `total`, `connect`, `read`. `expect` (dict, list …) makes
    JSON of another type a BadJson. `accept` asks for a content type and takes any: what is not
    declared as JSON is in `text` and `body`, and `data` is None. `retries` replaces the client's.
    """

    json: Any
    data: Data | None
    files: Files | None
    params: Params | None
    headers: Mapping[str, str] | None
    timeout: Timeout
    expect: type | None
    accept: str | None
    retries: Retries | int | None


class ApiClient(Client):
    """Calls an API; use it as an async context manager.

        async with ApiClient("https://example.com/v1", api_key=key) as api:
            answer = await api.get("users", params={"page": 1})

    Paths are appended to `base_url`, an absolute URL stands for itself. `api_key` goes into
    `key_header`, `token` into `Authorization: Bearer`, `basic` and `digest` are a user and a
    password; all go only ever to the host of `base_url`. Cookies are kept (`cookies`), and sent
    where they belong.
    A method raises ApiError when its last try fails. Connection errors, time-outs, 429 and 5xx
    are tried again (`retries`); a POST or PATCH then carries the same Idempotency-Key each time.
    `limit` spaces every try; None or 0 is no limit. At most `connections` are open, 0 for no limit.
    `timeout` is in seconds for one try. `ssl` stands in place of the TLS of the configuration.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        key_header: str = "X-API-Key",
        token: str | None = None,
        basic: tuple[str, str] | None = None,
        digest: tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        cookies: Mapping[str, str] | None = None,
        timeout: float = 30.0,
        retries: Retries | int | None = None,
        limit: RateLimit | Literal[0] | None = None,
        connections: int = 100,
        ssl: SSLContext | None = None,
        config: Config | None = None,
    ) -> None:
        base = urls.parse(base_url)
        if base is None:
            raise BadUrl(f"{base_url!r} is no http(s) URL; give one like https://example.com/v1")
        self.base_url = base
        self._base, _, self._query = base.partition("?")
        self._retries, self._limit = _policy(retries) or Retries(), _limit(limit)
        private = {key_header: api_key} if api_key else {}
        basic = basic or userinfo(base_url)
        if token:
            private["Authorization"] = f"Bearer {token}"
        elif basic:
            private["Authorization"] = encode_basic_auth(*basic)
        origin = urls.parse("/", base) or base
        self._caller = Transport(
            config,
            connections=connections,
            timeout=timeout,
            headers={"Accept": "application/json", **(headers or {})},
            home=urls.host_of(base),
            private=private,
            secrets=(api_key or "", token or "", *(pair[1] for pair in (basic, digest) if pair)),
            keys=[Credential(origin, digest=DigestAuth(*digest))] if digest else (),
            ssl=ssl,
        )
        for name, value in (cookies or {}).items():
            self.cookies.set(name, value, url=origin)

    def __repr__(self) -> str:
        return f"ApiClient({self.base_url!r})"

    @property
    def cookies(self) -> CookieJar:
        """The cookies that were set and came: iterate over them, `set` and `clear` some."""
        return self._caller.jars[None]

    async def get(self, path: str, **call: Unpack[Call]) -> ApiResponse:
        """Read."""
        return await self.request("GET", path, **call)

    async def head(self, path: str, **call: Unpack[Call]) -> ApiResponse:
        """Read the headers alone."""
        return await self.request("HEAD", path, **call)

    async def options(self, path: str, **call: Unpack[Call]) -> ApiResponse:
        """PageQuery what may be done."""
        return await self.request("OPTIONS", path, **call)

    async def post(self, path: str, **call: Unpack[Call]) -> ApiResponse:
        """Send something to be worked on, as a new thing for example."""
        return await self.request("POST", path, **call)

    async def put(self, path: str, **call: Unpack[Call]) -> ApiResponse:
        """Put something in the place of what is there."""
        return await self.request("PUT", path, **call)

    async def patch(self, path: str, **call: Unpack[Call]) -> ApiResponse:
        """Change a part of what is there."""
        return await self.request("PATCH", path, **call)

    async def delete(self, path: str, **call: Unpack[Call]) -> ApiResponse:
        """Delete what is there."""
        return await self.request("DELETE", path, **call)

    async def request(self, method: str, path: str, **call: Unpack[Call]) -> ApiResponse:
        """Call with any method."""
        return await self._call(method, path, call)

    async def _call(
        self, method: str, path: str, call: Call, *, found: bool = False
    ) -> ApiResponse:
        """Call; `found` where a server has named the URL, whose host is not trusted then."""
        method = method.upper()
        url = self.url_of(path, call.get("params"))
        body, kind, lasts = body_of(call.get("json"), call.get("data"), call.get("files"))
        sent = dict(call.get("headers") or {})
        accept = call.get("accept")
        if kind:
            _default(sent, "Content-Type", kind)
        if accept:
            _default(sent, "Accept", accept)
        if method in ("POST", "PATCH"):
            # draft-ietf-httpapi-idempotency-key-header: a server that knows it acts only once
            _default(sent, "Idempotency-Key", str(uuid.uuid4()))
        policy = _policy(call.get("retries")) or self._retries
        if not lasts:
            policy = replace(policy, tries=0)

        fetch = partial(
            self._caller.fetch,
            method,
            url,
            headers=sent,
            body=body,
            found=found,
            timeout=call.get("timeout"),
        )
        try:
            answer = await with_retries(fetch, policy, limit=self._limit)
        except FetchError as error:
            text = self._caller.redacted(f"{method} {url}: {error}")
            raise ApiUnreachable(text, error.outcome) from error
        where = self._caller.redacted(answer.url)
        refuse(method, where, answer)
        any_type = accept is not None or method == "HEAD"
        return read(where, answer, call.get("expect"), any_type=any_type)

    def url_of(self, path: str, params: Params | None = None) -> str:
        """Return the URL of a path below `base_url`, or of an absolute URL, with `params` set."""
        if path.startswith(("http://", "https://")):
            url = path
        else:
            url = f"{self._base.rstrip('/')}/{path.lstrip('/')}" if path else self._base
            url += f"?{self._query}" if self._query and "?" not in url else ""
        if not params:
            return url
        if "?" in url:  # replaces those of the same name
            return str(URL(url).update_query(_texts(params)))
        return with_params(url, params)

    # ------------------------------------------------------------ paging

    async def pages(
        self, path: str, paging: Paging, *, params: Params | None = None, most: int | None = None
    ) -> AsyncIterator[ApiResponse]:
        """Yield the pages of a collection, at most `most`; PagingLoop if they go in a circle."""
        ask: PageQuery | None = paging.first(PageQuery(self.url_of(path, params)))
        seen: set[str] = set()
        while ask is not None and (most is None or len(seen) < most):
            url = self.url_of(ask.url, ask.params)
            if url in seen:
                raise PagingLoop(f"{self.base_url}: the page {url} comes again; is it the last?")
            seen.add(url)
            answer = await self._call("GET", url, {}, found=len(seen) > 1)
            yield answer
            ask = paging.next(PageQuery(answer.url), answer.data, answer.headers)

    async def items(
        self,
        path: str,
        paging: Paging,
        *,
        at: str | None = None,
        params: Params | None = None,
        most: int | None = None,
    ) -> AsyncIterator[Any]:
        """Yield the entries of every page: the list under the key `at`, or the page itself."""
        async for answer in self.pages(path, paging, params=params, most=most):
            for entry in items_of(answer.data, at):
                yield entry


def _policy(retries: Retries | int | None) -> Retries | None:
    return Retries(retries) if isinstance(retries, int) else retries


def _limit(limit: RateLimit | Literal[0] | None) -> RateLimit | None:
    """Return the limit, None for none; UsageError for a number, which says no time."""
    if isinstance(limit, int) and limit != 0:
        raise UsageError(
            f"limit = {limit}: give RateLimit(calls, period) for calls in seconds,"
            " or `connections` for how many at once"
        )
    return limit or None


def _default(headers: dict[str, str], name: str, value: str) -> None:
    """Set a header unless it is there, in any case."""
    if name.lower() not in {known.lower() for known in headers}:
        headers[name] = value


def _texts(params: Params) -> dict[str, Any]:
    """Write booleans and None as APIs read them: true, false, and left out."""
    spelled = {True: "true", False: "false"}
    return {
        name: spelled[value] if isinstance(value, bool) else value
        for name, value in params.items()
        if value is not None
    }
