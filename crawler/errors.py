"""Every exception that Crawlkeep raises, in one tree.

CrawlerError
├── UsageError            what the user typed or wrote cannot work: exit code 2
│   ├── ConfigError       a key or value of the configuration
│   ├── SpiderError       no such spider, or its file does not load
│   ├── BadUrl            a text that is no http(s) URL
│   ├── QueryError        SQL that cannot run
│   └── OfflineOnly       a spider under test opens a socket
├── SpiderFailed          a spider's `start` or `opened` raised: exit code 1
├── StopCrawl             raised by a spider: the crawl ends, for this reason
├── DropItem              raised by a pipeline: the item is dropped, for this reason
├── DropRequest           raised by a hook: the request ends, for this reason
├── StoreError            the durable state: stops the crawl, loudly
│   ├── StoreRefused      not a store, of a newer version, or not writable
│   ├── StoreClaimed      another process is crawling into it, another download writing it
│   ├── StoreLocked       another program holds its file, for longer than we wait
│   ├── StoreDamaged      a row of it holds what it cannot
│   ├── StoreFenced       this worker process was silent for longer than its lease
│   ├── StoreGone         its file was moved, deleted or replaced under the crawl
│   └── StoreFull         the disk is full; nothing committed is lost
├── FetchError            one try of one request failed; carries the outcome
│   ├── AddressRefused    a private address that no seed names
│   ├── BodyTooLarge      the body passed its cap
│   ├── BadCoding         a content coding that does not decode
│   └── BadFile           a download of another length or digest than was promised
├── ApiError              a call of an API failed, after all its tries
│   ├── ApiUnreachable    no answer: connection, name, TLS, time-out; carries the outcome
│   ├── ApiStatus         an answer that says no; carries status, headers and body
│   │   ├── ApiDenied     401 or 403: the key or token is missing, wrong or not enough
│   │   ├── ApiNotFound   404 or 410
│   │   ├── ApiLimited    429: too many calls, also after waiting
│   │   └── ApiFailed     5xx
│   ├── BadJson           the body is no JSON, or JSON of another type than asked for
│   └── PagingLoop        a collection whose next page is one that was read already
└── SocketClosed          a WebSocket is closed and is not opened again
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_USERINFO = re.compile(r"(?<=[a-zA-Z0-9+.\-])(:[/\\]++)[^\s/\\?#<>]*@")  # of any scheme


def without_passwords(text: str) -> str:
    """Return a text in which no URL says "user:password@" any more."""
    return _USERINFO.sub(r"\1", text) if "@" in text else text


class CrawlerError(Exception):
    """Anything that Crawlkeep raises on purpose; its text names the thing and the way out.

    No URL in the text says "user:password@": errors are stored, logged and shown.
    """

    def __init__(self, *said: object) -> None:
        super().__init__(*(without_passwords(one) if isinstance(one, str) else one for one in said))


class UsageError(CrawlerError):
    """What the user typed or wrote cannot work."""


class ConfigError(UsageError):
    """A key or value of the configuration is wrong."""


class SpiderError(UsageError):
    """There is no such spider, or its file does not load."""


class BadUrl(UsageError, ValueError):
    """A text that is no absolute http(s) URL."""


class QueryError(UsageError):
    """SQL that cannot run."""


class SpiderFailed(CrawlerError):
    """A spider's own code raised outside of a page: its place and message, in one line."""


class OfflineOnly(UsageError):
    """A spider that crawls recorded answers, in a test, opens a socket."""


class StopCrawl(CrawlerError):
    """Raise it in a callback or a pipeline to end the run: `raise StopCrawl("quota reached")`.

    Nothing more is started, what is in flight ends, and all is committed; the next run goes on.
    """

    def __init__(self, reason: str = "stopped by the spider") -> None:
        super().__init__(reason)

    @property
    def reason(self) -> str:
        """What the summary and the table `runs` say of the end."""
        return str(self)


class DropItem(CrawlerError):
    """Raise it in a pipeline to drop an item: `raise DropItem("no price")`; counted by reason."""

    def __init__(self, reason: str = "no reason given") -> None:
        super().__init__(reason)


class DropRequest(CrawlerError):
    """Raise it in a hook to end a request, before or after its fetch, with the reason.

    Its outcome is `hook_dropped`, of which `on_error` hears.
    """

    def __init__(self, reason: str = "no reason given") -> None:
        super().__init__(reason)


class StoreError(CrawlerError):
    """The durable state failed; the crawl stops."""


class StoreRefused(StoreError, UsageError):
    """The file is no store, of a newer version, or not writable."""


class StoreClaimed(StoreError, UsageError):
    """Another live process crawls into this store, or another download writes this file."""


class StoreLocked(StoreError):
    """Another program holds the lock of the store's file, for longer than we wait."""


class StoreDamaged(StoreError):
    """A row of the store holds what it cannot; the text names it."""


class StoreGone(StoreError):
    """The file of the store was moved, deleted or replaced while it was written into."""


class StoreFenced(StoreError):
    """Other workers may have this one's hosts: it was silent for longer than its lease."""


class StoreFull(StoreError):
    """The disk is full: what was committed is safe, the crawl can be resumed."""


class FetchError(CrawlerError):
    """One try of one request failed; `outcome` names how (see `page.Outcome`)."""

    outcome = "connect_error"

    def __init__(self, text: str, outcome: str | None = None, *, final: bool = False) -> None:
        """`final`: trying again cannot help, whatever the outcome usually means."""
        super().__init__(text)
        self.final = final
        if outcome is not None:
            self.outcome = outcome


class AddressRefused(FetchError, OSError):
    """The host is, or resolves to, an address that no seed names and no setting allows."""

    outcome = "address_refused"


class BodyTooLarge(FetchError):
    """The body passed `fetch.max_body`, on the wire or after decompression."""

    outcome = "too_large"


class BadCoding(FetchError):
    """The body's Content-Encoding is broken, layered too deep, or known and not undone here."""

    outcome = "bad_coding"


class BadFile(FetchError):
    """A download has another length or digest than was promised."""

    outcome = "bad_file"


class ApiError(CrawlerError):
    """A call of an API failed, after all its tries."""


class ApiUnreachable(ApiError):
    """The API gave no answer; `outcome` names how (see `page.Outcome`)."""

    def __init__(self, text: str, outcome: str) -> None:
        super().__init__(text)
        self.outcome = outcome


class ApiStatus(ApiError):
    """The API said no; `body` holds the first 2,000 bytes of what it said."""

    def __init__(self, text: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(text)
        self.status, self.headers, self.body = status, headers, body


class ApiDenied(ApiStatus):
    """401 or 403: the key or token is missing, wrong or not enough."""


class ApiNotFound(ApiStatus):
    """404 or 410: there is no such thing."""


class ApiLimited(ApiStatus):
    """429: too many calls, also after waiting."""


class ApiFailed(ApiStatus):
    """5xx: the API itself is in trouble."""


class BadJson(ApiError):
    """The body is no JSON, or JSON of another type than was asked for."""


class PagingLoop(ApiError):
    """The next page of a collection is one that was read already."""


class SocketClosed(CrawlerError):
    """A WebSocket is closed and is not opened again; `code` is the server's (RFC 6455 7.4)."""

    def __init__(self, text: str, code: int | None = None) -> None:
        super().__init__(text)
        self.code = code
