"""Request: a URL to visit, with everything needed to visit it again after a restart.

`Candidate` and `Todo` are the same idea as plain tuples, before and after the store: a page has
hundreds of links of which few are new, so a Request is made only when its turn comes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePath
from typing import Any, NamedTuple, Self

import xxhash
from msgspec import Struct
from msgspec.structs import force_setattr, replace

from crawler import urls
from crawler.config.secrets import Secret
from crawler.errors import BadUrl
from crawler.urls.userinfo import userinfo
from crawler.web import body as bodies

Callback = Callable[..., Any] | str | None

# What a Request may carry beside its URL, stored as one JSON object in `todo.extra`.
_EXTRA = (
    *("method", "headers", "json", "cookies", "meta", "session", "hops", "first_url"),
    *("kind", "via", "options", "files", "timeout", "proxy"),
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


_HIGHEST = 1_000_000_000  # so that a priority and a depth fit in one 64-bit rank


class Request(Struct, frozen=True):
    """A canonical http(s) URL to visit.

    `url` is canonicalized on construction (`urls.parse`); BadUrl where it is none.
    `callback` is a method of the spider, or its name; None means `parse`.
    Higher `priority` comes first within a host; equal ones in order of discovery.
    `meta` must be JSON: it is stored with the request and survives a restart.
    `params` are added to the URL's query. `data` is text, bytes, form fields (a mapping or pairs)
    or the Path of a file, which is streamed; `files` (field → path) makes the form multipart.
    `timeout` is the total in seconds, or a mapping with `total`, `connect`, `read`, `pool`.
    `session` names a cookie jar of its own; `proxy` is a URL, or "direct" for none.
    Where a header, cookie or form field is a `Secret`, only its name is stored.
    `kind` is what is made of the answer: "" a page, "download" a file, "stream" messages; `via`
    names the fetch strategy, None for the crawl's own; both take their settings from `options`.
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

    def __post_init__(self) -> None:
        url = urls.parse(self.url)
        if url is None:
            shown = bodies.without_userinfo(self.url)
            raise BadUrl(f"{shown!r} is no http(s) URL; give one like https://example.com/")
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
            force_setattr(self, "method", self.method.upper())
        if callable(self.callback):
            force_setattr(self, "callback", self.callback.__name__)
        if not -_HIGHEST <= self.priority <= _HIGHEST:
            raise ValueError(f"priority {self.priority} is beyond ±{_HIGHEST:,}")
        if self.data is not None and not isinstance(self.data, bodies.KEPT):
            force_setattr(self, "data", list(self.data))  # an iterator can be read only once

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.url}>"  # headers, cookies and fields may be secret

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed."""
        return replace(self, **changes)

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
        if self.kind:
            marker += self.kind.encode() + b"\0\0"
        if self.kind == "download" and (self.callback or self.meta):
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
        if self.files is not None:
            fields["files"] = {name: str(path) for name, path in self.files.items()}
        if self.data is not None:
            fields |= bodies.stored(self.data)
        return json.dumps(fields, default=bodies.plain) if fields else None


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


FIRST, REVISIT, RENEWAL = 0, 1, 2
"""What a request is to its page (`todo.again`): the first visit as far as anybody knows; a visit
that a recrawl asked for; or one whose page is stored, so that it adds none."""

EARLY = -(1 << 61)
"""Added to the rank of what a recrawl queues: it comes before all else that its host has."""


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


def from_todo(todo: Todo, priority: int) -> Request:
    """Make the Request of a stored row; its URL was canonical when it was stored."""
    fields = bodies.revived(json.loads(todo.extra)) if todo.extra else {}
    if "origin" in fields:  # as an older version has stored it
        fields["first_url"] = fields.pop("origin")
    return Request(todo.url, depth=todo.depth, priority=priority, callback=todo.callback, **fields)


_DEEPEST = 1 << 20  # of the depths that a rank tells apart


def rank_of(priority: int, depth: int, order: str) -> int:
    """Return the place of a request within its host: the lower, the earlier."""
    return -priority if order == "breadth" else -priority * _DEEPEST - min(depth, _DEEPEST - 1)


def priority_of(rank: int, depth: int, order: str) -> int:
    """Return the priority that `rank_of` was made from."""
    if rank < EARLY >> 1:
        rank -= EARLY
    return -rank if order == "breadth" else -((rank + min(depth, _DEEPEST - 1)) // _DEEPEST)
