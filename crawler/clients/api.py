"""ApiClient: JSON over HTTP with retries, a rate, typed answers, typed errors and paging."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec
from msgspec import Struct
from yarl import URL

from crawler import urls
from crawler.clients.paging import PageQuery, Paging, items_of
from crawler.clients.ratelimit import RateLimit
from crawler.clients.retrying import Retries, with_retries
from crawler.clients.transport import Client, Transport
from crawler.config.load import Config
from crawler.errors import (
    ApiDenied,
    ApiFailed,
    ApiLimited,
    ApiNotFound,
    ApiStatus,
    ApiUnreachable,
    BadJson,
    BadUrl,
    FetchError,
    PagingLoop,
)
from crawler.web.body import with_params
from crawler.web.response import Response

Params = Mapping[str, Any]
_SHOWN = 200  # bytes of a body that an error shows
_KINDS: dict[int, type[ApiStatus]] = {
    401: ApiDenied,
    403: ApiDenied,
    404: ApiNotFound,
    410: ApiNotFound,
    429: ApiLimited,
}


class ApiResponse(Struct, frozen=True):
    """What an API answered: `data` is the parsed JSON, None for an empty body.

    `timestamp` is when the answer's request was sent, in UTC; `url` where redirects ended.
    """

    status: int
    data: Any
    headers: Mapping[str, str]
    timestamp: datetime
    url: str


class ApiClient(Client):
    """Calls a JSON API; use it as an async context manager.

        async with ApiClient("https://example.com/v1", api_key=key) as api:
            answer = await api.get("users", params={"page": 1})

    Paths are appended to `base_url`, an absolute URL stands for itself. `api_key` goes into
    `key_header`, `token` into `Authorization: Bearer`; both only ever to the host of `base_url`.
    A method raises ApiError when its last try fails. Connection errors, time-outs, 429 and 5xx
    are tried again (`retries`); a POST or PATCH then carries the same Idempotency-Key each time.
    `limit` spaces every try. `timeout` is in seconds for one try.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        key_header: str = "X-API-Key",
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30.0,
        retries: Retries | None = None,
        limit: RateLimit | None = None,
        config: Config | None = None,
    ) -> None:
        base = urls.parse(base_url)
        if base is None:
            raise BadUrl(f"{base_url!r} is no http(s) URL; give one like https://example.com/v1")
        self.base_url = base
        self._base, _, self._query = base.partition("?")
        self._retries, self._limit = retries or Retries(), limit
        private = {key_header: api_key} if api_key else {}
        if token:
            private["Authorization"] = f"Bearer {token}"
        self._caller = Transport(
            config,
            timeout=timeout,
            headers={"Accept": "application/json", **(headers or {})},
            home=urls.host_of(base),
            private=private,
            secrets=(api_key or "", token or ""),
        )

    def __repr__(self) -> str:
        return f"ApiClient({self.base_url!r})"

    async def get(
        self, path: str, *, params: Params | None = None, expect: type | None = None
    ) -> ApiResponse:
        """Read; `expect` (dict, list …) makes JSON of another type a BadJson."""
        return await self.request("GET", path, params=params, expect=expect)

    async def post(
        self,
        path: str,
        *,
        json: Any = None,
        params: Params | None = None,
        expect: type | None = None,
    ) -> ApiResponse:
        """Send JSON to be worked on, as a new thing for example."""
        return await self.request("POST", path, json=json, params=params, expect=expect)

    async def put(
        self,
        path: str,
        *,
        json: Any = None,
        params: Params | None = None,
        expect: type | None = None,
    ) -> ApiResponse:
        """Put JSON in the place of what is there."""
        return await self.request("PUT", path, json=json, params=params, expect=expect)

    async def patch(
        self,
        path: str,
        *,
        json: Any = None,
        params: Params | None = None,
        expect: type | None = None,
    ) -> ApiResponse:
        """Change a part of what is there."""
        return await self.request("PATCH", path, json=json, params=params, expect=expect)

    async def delete(self, path: str, *, params: Params | None = None) -> ApiResponse:
        """Delete what is there."""
        return await self.request("DELETE", path, params=params)

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        expect: type | None = None,
        retries: Retries | None = None,
    ) -> ApiResponse:
        """Call with any method; `retries` replaces the client's own for this call."""
        return await self._call(
            method, path, json=json, params=params, headers=headers, expect=expect, retries=retries
        )

    async def _call(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        expect: type | None = None,
        retries: Retries | None = None,
        found: bool = False,
    ) -> ApiResponse:
        """Call; `found` where a server has named the URL, whose host is not trusted then."""
        url = self.url_of(path, params)
        sent = dict(headers) if headers else {}
        body = None if json is None else _dumped(json)
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        if method in ("POST", "PATCH"):
            # draft-ietf-httpapi-idempotency-key-header: a server that knows it acts only once
            sent.setdefault("Idempotency-Key", str(uuid.uuid4()))

        fetch = partial(self._caller.fetch, method, url, headers=sent, body=body, found=found)
        try:
            answer = await with_retries(fetch, retries or self._retries, limit=self._limit)
        except FetchError as error:
            text = self._caller.redacted(f"{method} {url}: {error}")
            raise ApiUnreachable(text, error.outcome) from error
        return self._read(method, answer, expect)

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

    def _read(self, method: str, answer: Response, expect: type | None) -> ApiResponse:
        """Return the typed answer, or raise the typed error that it stands for."""
        if not 200 <= answer.status < 300:
            kind = ApiFailed if answer.status >= 500 else _KINDS.get(answer.status, ApiStatus)
            text = f"{method} {self._where(answer)}: {answer.status}: {_start(answer.body)}"
            raise kind(text, answer.status, answer.headers, answer.body[:2000])
        data = self._data(answer)
        if expect is not None and not isinstance(data, expect):
            found = f"{type(data).__name__}: {_start(answer.body)}"
            raise BadJson(f"{self._where(answer)}: wanted {expect.__name__}, got {found}")
        at = datetime.fromtimestamp(answer.started, UTC)
        return ApiResponse(answer.status, data, answer.headers, at, answer.url)

    def _data(self, answer: Response) -> Any:
        """Return the value of the body, None where it is empty; BadJson where it is no JSON."""
        try:
            return msgspec.json.decode(answer.body)  # what it takes, it reads as json does, sooner
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            if not answer.body.strip():
                return None
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError) as error:
            kind = answer.content_type or "no Content-Type"
            text = f"{self._where(answer)}: no JSON ({kind}; {error}): {_start(answer.body)}"
            raise BadJson(text) from None

    def _where(self, answer: Response) -> str:
        return self._caller.redacted(answer.url)

    # ------------------------------------------------------------ paging

    async def pages(
        self, path: str, paging: Paging, *, params: Params | None = None, most: int | None = None
    ) -> AsyncIterator[ApiResponse]:
        """Yield the pages of a collection, at most `most`; PagingLoop where it goes in a circle."""
        ask: PageQuery | None = paging.first(PageQuery(self.url_of(path, params)))
        seen: set[str] = set()
        while ask is not None and (most is None or len(seen) < most):
            url = self.url_of(ask.url, ask.params)
            if url in seen:
                raise PagingLoop(f"{self.base_url}: the page {url} comes again; is it the last?")
            seen.add(url)
            answer = await self._call("GET", url, found=len(seen) > 1)
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


def _start(body: bytes) -> str:
    shown = body[:_SHOWN].decode("utf-8", "replace")
    return repr(shown) + (f" and {len(body) - _SHOWN:,} bytes more" if len(body) > _SHOWN else "")


def _dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _texts(params: Params) -> dict[str, Any]:
    """Write booleans and None as APIs read them: true, false, and left out."""
    spelled = {True: "true", False: "false"}
    return {
        name: spelled[value] if isinstance(value, bool) else value
        for name, value in params.items()
        if value is not None
    }
