"""Request: a URL to visit, with everything needed to visit it again after a restart.

`Candidate` and `Todo` are the same idea as plain tuples, before and after the store: a page has
hundreds of links of which few are new, so a Request is made only when its turn comes.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import Any, NamedTuple, Self

import xxhash
from msgspec import Struct
from msgspec.structs import force_setattr, replace

from crawler import urls
from crawler.config.secrets import Secret
from crawler.errors import AddressRefused, BadUrl, CrawlerError, SpiderError, UsageError
from crawler.urls.userinfo import userinfo
from crawler.web import body as bodies
from crawler.web import steps as browser_steps
from crawler.web.callback import Callback as Callback
from crawler.web.callback import name_of
from crawler.web.carried import carried, restored
from crawler.web.steps import Step

# What a Request may carry beside its URL, stored as one JSON object in `todo.extra`.
_EXTRA = (
    *("method", "headers", "json", "cookies", "meta", "session", "hops", "first_url"),
    *("kind", "via", "options", "files", "timeout", "proxy", "browser", "steps"),
    *("errback", "args", "accept_status", "not_before", "tries", "most_tries"),
)
Text = str | Secret
Data = str | bytes | PurePath | Mapping[str, Any] | Iterable[tuple[str, Text]]


def url_hash(url: str, method: str = "GET", body: bytes | None = None) -> int:
    """Return the signed 64-bit identity of a request within its host.

    A GET is its URL alone; any other method and any body make a different request.
    """
    if method == "GET" and not body:
        text = url
    else:
        text = f"{method} {url}\n{xxhash.xxh3_128_hexdigest(body or b'')}"
    number = xxhash.xxh3_64_intdigest(text.encode())
    return number - (1 << 64) if number >> 63 else number


HIGHEST = 1_000_000_000  # so that a priority and a depth fit in one 64-bit rank


class Request(Struct, frozen=True):
    """A canonical http(s) URL to visit.

    `url` is canonicalized on construction (`urls.parse`); BadUrl where it is none.
    `callback` is a method of the spider, or its name; None means `parse`. `args` are keyword
    arguments that it gets beside the page. `errback` hears in place of `on_error` of a request that
    ended without a page. SpiderError for what is no method of the spider.
    Higher `priority` comes first within a host; equal ones in order of discovery.
    `meta` and `args` are stored with the request and survive a restart: JSON values, and tuples,
    sets, bytes, dates and times, decimals; UsageError for anything else.
    `accept_status` are statuses, like 404, whose answers are pages all the same. `not_before`
    (Unix time, or a datetime with its zone) is when it starts at the earliest.
    `params` are added to the URL's query. `data` is text, bytes, form fields (a mapping or pairs)
    or the Path of a file, which is streamed; `files` (field → path) makes the form multipart.
    `timeout` is the total in seconds, or a mapping with `total`, `connect`, `read`, `pool`.
    `session` names a cookie jar of its own; `proxy` is a URL, or "direct" for none.
    Where a header, cookie or form field is a `Secret`, only its name is stored.
    `kind` is what is made of the answer: "" a page, "download" a file, "feed" a file whose records
    are read, "stream" messages; `via`
    names the fetch strategy, None for the crawl's own; both take their settings from `options`.
    `browser`: render the page in a browser, and see what its scripts make of it, after the `steps`
    (`Click`, `Fill`, `Scroll` …), which ask for the browser by themselves.
    """

    url: str
    method: str = "GET"
    headers: Mapping[str, Text] | None = None
    data: Data | None = None
    json: Any = None
    cookies: Mapping[str, Text] | None = None
    callback: Callback = None
    meta: Mapping[str, Any] = {}
    priority: int = 0
    depth: int = 0
    session: str | None = None
    dont_filter: bool = False
    hops: int = 0
    first_url: str | None = None
    kind: str = ""
    via: str | None = None
    options: Mapping[str, Any] | None = None
    params: Mapping[str, Any] | Iterable[tuple[str, str]] | None = None
    files: Mapping[str, str | PurePath] | None = None
    timeout: float | Mapping[str, float] | None = None
    proxy: str | None = None
    errback: Callback = None
    args: Mapping[str, Any] = {}
    accept_status: Collection[int] = ()
    not_before: float | datetime | None = None
    tries: int = 0
    most_tries: int | None = None
    retry_reason: str | None = None
    browser: bool = False
    steps: Sequence[Step] = ()

    def __post_init__(self) -> None:
        url = urls.parse(self.url)
        if url is None:
            shown = bodies.without_userinfo(self.url)
            way = "give one like https://example.com/"
            if shown.startswith(("/", "?", ".")) and not shown.startswith("//"):
                way = f"relative to a page it is page.follow({shown!r})"
            raise BadUrl(f"{shown!r} is no http(s) URL; {way}")
        if url is not self.url and userinfo(self.url) is not None:
            raise BadUrl(
                f"{url} was given with a user or password, which a request cannot keep secret; name"
                f' them in [auth."{urls.host_of(url)}/"], or use ApiClient'
            )
        if self.params is not None:
            url = urls.parse(bodies.with_params(url, self.params)) or url
            force_setattr(self, "params", None)
        if url is not self.url:
            force_setattr(self, "url", url)
        if self.method != "GET":
            if not isinstance(self.method, str):
                raise SpiderError(
                    f"Request(url, {self.method!r:.60}): the second is the method, like POST; write"
                    " callback=… by its name"
                )
            force_setattr(self, "method", self.method.upper())
        if self.steps:
            force_setattr(self, "steps", browser_steps.checked(self.steps))
            force_setattr(self, "browser", True)
        if self.callback is not None:
            force_setattr(self, "callback", name_of(self.callback))
        if self.errback is not None:
            force_setattr(self, "errback", name_of(self.errback, "errback"))
        if self.meta or self.args:
            carried("meta", self.meta)
            carried("args", self.args)
        if self.accept_status:
            force_setattr(self, "accept_status", _statuses(self.accept_status))
        if isinstance(self.not_before, datetime):
            force_setattr(self, "not_before", _unix(self.not_before))
        if not -HIGHEST <= self.priority <= HIGHEST:
            raise ValueError(f"priority {self.priority} is beyond ±{HIGHEST:,}")
        if self.data is not None and not isinstance(self.data, bodies.KEPT):
            force_setattr(self, "data", list(self.data))  # an iterator can be read only once

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.url}>"  # headers, cookies and fields may be secret

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed."""
        return replace(self, **changes)

    def retry(
        self, *, delay: float | timedelta = 0.0, reason: str = "", times: int | None = None
    ) -> Self:
        """Return this request to be yielded, for another try in `delay` seconds at the earliest.

        A callback gives it for the page that it got, `on_error` for the request that it hears of:
        then that answer was one try of several, is noted in `attempts` with `reason`, and no page
        is made of it, unless the callback gave items. Of one request `times` such tries are made,
        by default `fetch.retries`; what is beyond is counted as `retries_spent`.
        """
        seconds = delay.total_seconds() if isinstance(delay, timedelta) else delay
        return replace(
            self,
            dont_filter=True,
            not_before=time.time() + max(0.0, seconds),
            tries=self.tries + 1,
            most_tries=times if times is not None else self.most_tries,
            retry_reason=reason,
        )

    @property
    def plain(self) -> bool:
        """Whether it is a GET that says nothing but its URL: the life of most requests."""
        return (
            self.method == "GET"
            and self.data is None
            and self.json is None
            and self.files is None
            and not self.session
            and not self.kind
            and not self.browser
        )

    @property
    def body(self) -> bytes | None:
        """What `data`, `files` or `json` say, None for none of them; secrets by their names."""
        if self.json is not None:
            return json.dumps(self.json, separators=(",", ":")).encode()
        return bodies.identity(self.data, self.files)

    @property
    def identity(self) -> int:
        """The `url_hash` under which the frontier knows this request."""
        if self.plain:
            return url_hash(self.url)
        marker = (self.session or "").encode() + b"\0" if self.session else b""
        if self.browser:  # another look at what may have been fetched without one
            done = json.dumps(browser_steps.stored(self.steps), default=bodies.plain)
            marker += b"browser\0%b\0\0" % (done.encode() if self.steps else b"")
        if self.kind:
            marker += self.kind.encode() + b"\0\0"
        if self.kind in ("download", "feed") and (self.callback or self.meta):
            # Two that ask for one file are told of it each: it is theirs whom they ask for.
            asked = json.dumps([self.callback_name, dict(self.meta)], sort_keys=True, default=str)
            marker += asked.encode() + b"\0\0"
        return url_hash(self.url, self.method, marker + (self.body or b""))

    @property
    def has_secrets(self) -> bool:
        """Whether its body holds a Secret, which must not go to another host."""
        return any(isinstance(value, Secret) for _, value in bodies.pairs(self.data))

    @property
    def callback_name(self) -> str | None:
        """The callback as the store keeps it: a method name, None for `parse`."""
        return self.callback if isinstance(self.callback, str) else None

    def extra(self) -> str | None:
        """Return as JSON what is not URL, depth, priority or callback; None for a plain GET."""
        fields = {name: getattr(self, name) for name in _EXTRA}
        fields = {name: value for name, value in fields.items() if value and value != "GET"}
        if self.json is not None:
            fields["json"] = self.json
        for name in ("meta", "args"):
            if name in fields:
                fields[name] = carried(name, fields[name])
        if self.files is not None:
            fields["files"] = {name: str(path) for name, path in self.files.items()}
        if self.steps:
            fields["steps"] = browser_steps.stored(self.steps)
        if self.data is not None:
            fields |= bodies.stored(self.data)
        return json.dumps(fields, default=bodies.plain) if fields else None


_RECORDS = '"kind": "records"'  # as `Request.extra` writes it
_DAMAGED = (CrawlerError, ValueError, TypeError, LookupError, AttributeError)  # of a row


class Candidate(NamedTuple):
    """A URL that may be new. It becomes a row of `seen` and `todo` only if it is."""

    host: str
    url_hash: int
    url: str
    depth: int
    rank: int
    callback: str | None = None
    extra: str | None = None
    force: bool = False
    not_before: float = 0.0
    needed: bool = False


FIRST, REVISIT, RENEWAL, NEEDED = 0, 1, 2, 3
"""What a request is to its page (`todo.again`): the first visit as far as anybody knows; a visit
that a recrawl asked for; one whose page is stored, so that it adds none; or what a page needs to be
shown, or the next part of a feed, which comes before other pages, and also where there may be no
more of them."""

EARLY = -(1 << 61)
"""Added to the rank of what a recrawl queues: it comes before all else that its host has."""


def early(rank: int) -> int:
    """Return a rank that comes before all others; one that does already, as a redirect's may."""
    return rank if rank < EARLY >> 1 else rank + EARLY


class Todo(NamedTuple):
    """A row of `todo`: a request that is queued or in flight."""

    host_id: int
    rank: int
    seq: int
    url_hash: int
    url: str
    depth: int
    attempts: int
    not_before: float
    parent_id: int | None
    callback: str | None
    extra: str | None
    again: int = FIRST

    @property
    def key(self) -> tuple[int, int]:
        """Its place within its host."""
        return (self.rank, self.seq)


def refuse_foreign(url: str) -> None:
    """Raise AddressRefused for what is no http(s) URL, as a queue of somebody else may hold."""
    if not url.startswith(("http://", "https://")):
        raise AddressRefused(f"{url!r:.100} is no http(s) URL")


def from_todo(todo: Todo, priority: int) -> Request:
    """Make the Request of a stored row; its URL was canonical when it was stored."""
    fields = bodies.revived(bodies.read_extra(todo.extra)) if todo.extra else {}
    if "steps" in fields:
        fields["steps"] = browser_steps.revived(fields["steps"])
    if "origin" in fields:  # as an older version has stored it
        fields["first_url"] = fields.pop("origin")
    for name in ("meta", "args"):
        if name in fields:
            fields[name] = restored(fields[name])
    return Request(todo.url, depth=todo.depth, priority=priority, callback=todo.callback, **fields)


def request_of(todo: Todo, order: str) -> Request:
    """Return the Request of a stored row with its priority, by the `engine.order` of the crawl."""
    return from_todo(todo, priority_of(todo.rank, todo.depth, order))


def readable(todo: Todo, order: str) -> Request | None:
    """Return the request of a row, without what it carries where that is damaged."""
    for row in (todo, todo._replace(extra=None)):
        with contextlib.suppress(*_DAMAGED):
            return request_of(row, order)
    return None


def is_part(todo: Todo) -> bool:
    """Return whether a request is for a part of a feed that is on disk: nothing is sent for it.

    Only those of which `again` is set are, while a feed is read; ask that first, as it is cheaper.
    """
    extra = todo.extra
    if extra is None or _RECORDS not in extra:
        return False
    return bool(json.loads(extra).get("kind") == "records")


def feed_of(todo: Todo) -> int | None:
    """Return the `url_hash` of the feed that a request reads a part of, None for any other."""
    options = json.loads(todo.extra or "{}").get("options") or {}
    feed = options.get("feed") if is_part(todo) else None
    return feed if isinstance(feed, int) else None


def _statuses(given: Any) -> tuple[int, ...]:
    found = (given,) if isinstance(given, int) else tuple(given)
    if not all(isinstance(status, int) and 100 <= status <= 599 for status in found):
        raise UsageError(f"accept_status: {given!r:.80} are no HTTP statuses; give some like [404]")
    return found


def _unix(moment: datetime) -> float:
    if moment.tzinfo is None:
        raise UsageError(f"not_before: {moment} has no zone; give one like datetime.now(UTC)")
    return moment.timestamp()


_DEEPEST = 1 << 20  # of the depths that a rank tells apart


def rank_of(priority: int, depth: int, order: str) -> int:
    """Return the place of a request within its host: the lower, the earlier."""
    return -priority if order == "breadth" else -priority * _DEEPEST - min(depth, _DEEPEST - 1)


def priority_of(rank: int, depth: int, order: str) -> int:
    """Return the priority that `rank_of` was made from."""
    if rank < EARLY >> 1:
        rank -= EARLY
    return -rank if order == "breadth" else -((rank + min(depth, _DEEPEST - 1)) // _DEEPEST)
