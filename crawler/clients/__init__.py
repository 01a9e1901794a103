"""Clients: APIs, many URLs, files, uploads, sockets and rendering services, for any asyncio code.

    from crawler.clients import ApiClient, RateLimit, fetch_all, download, upload, WebSocket

Everything is imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crawler.clients.api import ApiClient
    from crawler.clients.api_response import ApiResponse
    from crawler.clients.downloads import Downloaded, download
    from crawler.clients.fetch_many import Fetched, fetch_all, fetch_each
    from crawler.clients.paging import Cursor, LinkHeader, NextLink, PageNumber
    from crawler.clients.ratelimit import RateLimit
    from crawler.clients.retrying import Retries
    from crawler.clients.scraper_api import Rendering, ScraperApi
    from crawler.clients.streaming import ByteStream, stream
    from crawler.clients.upload_source import File
    from crawler.clients.uploads import Uploaded, upload
    from crawler.clients.websocket import Backoff, Message, WebSocket

_HOMES = {
    "ApiClient": "api",
    "ApiResponse": "api_response",
    "Backoff": "websocket",
    "ByteStream": "streaming",
    "Cursor": "paging",
    "Downloaded": "downloads",
    "Fetched": "fetch_many",
    "File": "upload_source",
    "LinkHeader": "paging",
    "Message": "websocket",
    "NextLink": "paging",
    "PageNumber": "paging",
    "RateLimit": "ratelimit",
    "Rendering": "scraper_api",
    "Retries": "retrying",
    "ScraperApi": "scraper_api",
    "Uploaded": "uploads",
    "WebSocket": "websocket",
    "download": "downloads",
    "fetch_all": "fetch_many",
    "fetch_each": "fetch_many",
    "stream": "streaming",
    "upload": "uploads",
}

__all__ = [
    "ApiClient",
    "ApiResponse",
    "Backoff",
    "ByteStream",
    "Cursor",
    "Downloaded",
    "Fetched",
    "File",
    "LinkHeader",
    "Message",
    "NextLink",
    "PageNumber",
    "RateLimit",
    "Rendering",
    "Retries",
    "ScraperApi",
    "Uploaded",
    "WebSocket",
    "download",
    "fetch_all",
    "fetch_each",
    "stream",
    "upload",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'crawler.clients' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"crawler.clients.{home}"), name)
    globals()[name] = value
    return value
