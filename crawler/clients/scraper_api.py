"""ScraperApi: a rendering-proxy service that fetches a page for us, elsewhere or in a browser."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec
from yarl import URL

from crawler import urls
from crawler.clients.retrying import Retries, with_retries
from crawler.clients.transport import Client, Transport
from crawler.config.layers import Config
from crawler.config.secrets import may_leave, revealed
from crawler.errors import ConfigError, FetchError
from crawler.web.outcome import Outcome
from crawler.web.request import Request
from crawler.web.response import Response

KEY = "SCRAPER_API_KEY"
BASE = "https://api.scraperapi.com/"
TIMEOUT = 70.0
"""Seconds: the service tries for a minute itself and asks its clients to wait longer than that."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """How the service is to fetch: in a browser, from which country, as which device."""

    render: bool = False
    country_code: str | None = None
    device_type: Literal["desktop", "mobile"] | None = None
    premium: bool = False

    def params(self) -> dict[str, str]:
        """Return what is not at its default as query parameters."""
        found: dict[str, str] = {}
        for name in ("render", "premium"):
            if getattr(self, name):
                found[name] = "true"
        for name in ("country_code", "device_type"):
            if getattr(self, name):
                found[name] = getattr(self, name)
        return found


class ScraperApi(Client):
    """Fetches through the service; use it as an async context manager.

        async with ScraperApi(render=True) as service:
            response = await service.get("https://example.com/")

    The key comes from SCRAPER_API_KEY unless given; it shows in no error, log or repr. At most
    `concurrency` requests are with the service at once, whatever else is in flight. 429 (too many
    at once) and 5xx are tried again with backoff. 401 and 403 speak of the account, and raise
    ConfigError. Any other status is the site's own.
    """

    def __init__(
        self,
        key: str | None = None,
        *,
        base_url: str = BASE,
        render: bool = False,
        country_code: str | None = None,
        device_type: Literal["desktop", "mobile"] | None = None,
        premium: bool = False,
        concurrency: int = 5,
        timeout: float = TIMEOUT,
        retries: Retries | None = None,
        config: Config | None = None,
    ) -> None:
        key = key or os.environ.get(KEY, "")
        if not key:
            raise ConfigError(f"the rendering service needs a key; set {KEY} in the environment")
        self._key = key
        self._base = base_url
        self.rendering = Rendering(render, country_code, device_type, premium)
        self._retries = retries or Retries(3, first=1.0)
        self._slots = asyncio.Semaphore(concurrency)
        # The service answers when it is done: until then nothing is to be read.
        # What the configuration sends to sites is not for the service.
        known = config or Config()
        headers = {k: v for k, v in known.fetch.headers.items() if may_leave(k)}
        known = msgspec.structs.replace(
            known, fetch=msgspec.structs.replace(known.fetch, headers=headers)
        )
        self._caller = Transport(
            known, connections=concurrency, timeout=timeout, patience=timeout, secrets=(key,)
        )

    def __repr__(self) -> str:
        return f"ScraperApi({self._base!r}, {self.rendering!r})"

    async def get(self, url: str, **options: Any) -> Response:
        """Return what the service says of a URL; `options` replace fields of the Rendering."""
        return await with_retries(lambda: self.try_once(url, options), self._retries)

    async def try_once(
        self,
        url: str,
        options: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Try once; FetchError for no answer, ConfigError for 401 and 403 of the service."""
        try:
            rendering = replace(self.rendering, **(options or {}))
        except TypeError:
            known = ", ".join(Rendering.__slots__)
            raise ConfigError(
                f"rendering options are {known}; got {sorted(options or {})}"
            ) from None
        params = {"api_key": self._key, "url": url, **rendering.params()}
        if headers:
            params["keep_headers"] = "true"
        asked = str(URL(self._base).update_query(params))
        async with self._slots:
            answer = await self._caller.fetch("GET", asked, headers=headers)
        if answer.status in (401, 403) and urls.host_of(answer.url) == urls.host_of(asked):
            raise ConfigError(
                f"the rendering service refuses ({answer.status}): {self._said(answer)};"
                f" check {KEY} and the account"
            )
        return replace(answer, url=url)

    async def fetch(self, request: Request, *, keep: int | None = None) -> Response:
        """Try one request of a crawl once: the way of a spider with `via = "scraper_api"`."""
        if request.method != "GET":
            raise FetchError(
                f"the rendering service takes GET, not {request.method}", Outcome.PROTOCOL_ERROR
            )
        headers = {name: revealed(value) for name, value in (request.headers or {}).items()}
        answer = await self.try_once(request.url, request.options, headers)
        return answer if keep is None else replace(answer, body=answer.body[:keep])

    def _said(self, answer: Response) -> str:
        return self._caller.redacted(repr(answer.body[:200].decode("utf-8", "replace")))
