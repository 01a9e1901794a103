"""The development cache: answers from what an earlier crawl stored.

`record` asks the site for what is missing, `replay` never does: then a request that is not there
ends as `not_cached`. Only reading; the crawl itself stores what it fetches.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiosqlite
from multidict import CIMultiDict, CIMultiDictProxy

from crawler import urls
from crawler.config.cache import CacheSettings
from crawler.errors import ConfigError, FetchError
from crawler.store.address import file_of
from crawler.store.rows import unpack
from crawler.web.outcome import Outcome
from crawler.web.request import Request
from crawler.web.response import Response

_PAGE = """
SELECT p.status, p.headers, b.body FROM pages AS p LEFT JOIN bodies AS b USING (page_id)
WHERE p.url = ? AND p.url_hash = ? AND p.status IS NOT NULL AND p.status <> 304
    AND (b.body IS NOT NULL OR p.size = 0 OR p.status NOT BETWEEN 200 AND 299)
ORDER BY p.page_id DESC LIMIT 1
"""
_ROBOTS = """
SELECT r.status, r.body FROM robots AS r JOIN hosts USING (host_id)
WHERE name = ? AND r.status IS NOT NULL
"""


class Cache:
    """Finds stored answers by a request's URL, method and body."""

    def __init__(self, path: str | Path, *, mode: str) -> None:
        self._path, self._replay = file_of(path), mode == "replay"
        self._db: aiosqlite.Connection

    async def open(self) -> None:
        """Open the store that answers; ConfigError if there is no store."""
        try:
            uri = f"{self._path.resolve().as_uri()}?mode=ro"
            self._db = await aiosqlite.connect(uri, uri=True)
            await self._db.execute_fetchall("SELECT 1 FROM pages LIMIT 1")
        except sqlite3.Error as error:
            await self.close()
            raise ConfigError(
                f"cache.store: {self._path} holds no crawl to answer from ({error})"
            ) from None

    async def close(self) -> None:
        """Close the store."""
        if hasattr(self, "_db"):
            await self._db.close()

    async def find(self, request: Request) -> Response | None:
        """Return the stored answer; None if the site is to be asked, FetchError if it may not."""
        found = await self._page(request)
        if found is None and request.plain and urls.split(request.url)[1] == "/robots.txt":
            found = await self._robots(request.url)
        if found is None and self._replay:
            raise FetchError(
                f"{request.url} is not in {self._path}; set cache.mode to record",
                Outcome.NOT_CACHED,
                final=True,
            )
        return found

    async def _page(self, request: Request) -> Response | None:
        rows = list(await self._db.execute_fetchall(_PAGE, (request.url, request.identity)))
        if not rows:
            return None
        [(status, headers, body)] = rows
        named = CIMultiDict(json.loads(headers or "{}"))
        for name in ("Content-Encoding", "Content-Length", "Transfer-Encoding"):
            named.popall(name, None)  # they spoke of the body on the wire
        return _response(request.url, status, named, unpack(body) if body else b"")

    async def _robots(self, url: str) -> Response | None:
        rows = list(await self._db.execute_fetchall(_ROBOTS, (urls.host_of(url),)))
        if not rows and not self._replay:
            return None
        status, body = rows[0] if rows else (404, b"")  # in a replay nothing reaches the site
        return _response(url, status, CIMultiDict(), body or b"")


@asynccontextmanager
async def cached_answers(settings: CacheSettings, own: str) -> AsyncIterator[Cache | None]:
    """Return the cache that the settings ask for, None if it is off; `own` is the crawl's store.

    ConfigError where there is nothing to answer from.
    """
    if settings.mode == "off":
        yield None
        return
    cache = Cache(settings.store or own, mode=settings.mode)
    await cache.open()
    try:
        yield cache
    finally:
        await cache.close()


def _response(url: str, status: int, headers: CIMultiDict[str], body: bytes) -> Response:
    return Response(url, status, CIMultiDictProxy(headers), body, time.time(), 0.0, 0)
