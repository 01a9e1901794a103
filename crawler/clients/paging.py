"""How a collection is paged: from one page's answer to the request of the next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from yarl import URL

from crawler import urls
from crawler.errors import BadJson
from crawler.web.link_header import link_to


@dataclass(frozen=True, slots=True)
class PageQuery:
    """A page to ask for: a URL, and the query parameters that replace those of its own."""

    url: str
    params: Mapping[str, Any] = field(default_factory=dict)


class Paging(Protocol):
    """One way of paging."""

    def first(self, ask: PageQuery) -> PageQuery:
        """Return what to ask for first."""

    def next(self, ask: PageQuery, data: Any, headers: Mapping[str, str]) -> PageQuery | None:
        """Return what to ask for after `ask` was answered so, None at the end."""


@dataclass(frozen=True, slots=True)
class NextLink:
    """The body holds the next page's URL, at `field` (`links.next` goes into objects)."""

    field: str = "next"

    def first(self, ask: PageQuery) -> PageQuery:
        return ask

    def next(self, ask: PageQuery, data: Any, headers: Mapping[str, str]) -> PageQuery | None:
        reference = value_at(data, self.field)
        if not reference:
            return None
        url = urls.parse(str(reference), ask.url)
        if url is None:
            raise BadJson(f"{ask.url}: {self.field} = {reference!r:.200} is no http(s) URL")
        return PageQuery(url)


@dataclass(frozen=True, slots=True)
class PageNumber:
    """Pages are numbered: `param` is set to 1, 2, 3 … until a page is empty.

    `pages` names the field with the number of pages, which saves the empty one; `items` the field
    with the entries, None where the page itself is the list.
    """

    param: str = "page"
    start: int = 1
    items: str | None = "items"
    pages: str | None = None

    def first(self, ask: PageQuery) -> PageQuery:
        return PageQuery(ask.url, {self.param: self.start})

    def next(self, ask: PageQuery, data: Any, headers: Mapping[str, str]) -> PageQuery | None:
        text = URL(ask.url).query.get(self.param, "")
        number = int(text) if text.isascii() and text.isdigit() else self.start
        if self.pages is not None:
            last = value_at(data, self.pages)
            if not isinstance(last, int):
                raise BadJson(f"{ask.url}: {self.pages} = {last!r:.200} is no number of pages")
            more = number - self.start + 1 < last
        else:
            more = bool(list(items_of(data, self.items)))
        return PageQuery(ask.url, {self.param: number + 1}) if more else None


@dataclass(frozen=True, slots=True)
class Cursor:
    """The body holds a cursor at `field`, sent back in `param` until there is none."""

    field: str = "next_cursor"
    param: str = "cursor"

    def first(self, ask: PageQuery) -> PageQuery:
        return ask

    def next(self, ask: PageQuery, data: Any, headers: Mapping[str, str]) -> PageQuery | None:
        cursor = value_at(data, self.field)
        if cursor in (None, "", False):
            return None
        text = str(cursor)
        if text != text.encode("utf-8", "replace").decode():
            raise BadJson(f"{ask.url}: {self.field} = {cursor!r:.200} has no UTF-8 to be sent back")
        return PageQuery(ask.url, {self.param: text})


@dataclass(frozen=True, slots=True)
class LinkHeader:
    """The Link header (RFC 8288) names the page with the relation `rel`."""

    rel: str = "next"

    def first(self, ask: PageQuery) -> PageQuery:
        return ask

    def next(self, ask: PageQuery, data: Any, headers: Mapping[str, str]) -> PageQuery | None:
        getall = getattr(headers, "getall", None)  # a multidict may hold several Link headers
        values = getall("Link", ()) if getall else [headers.get("Link", "")]
        url = link_to(self.rel, values, ask.url)
        return PageQuery(url) if url else None


def value_at(data: Any, path: str) -> Any:
    """Return the value under a dotted path of keys, None if there is none."""
    for key in path.split("."):
        if not isinstance(data, Mapping):
            return None
        data = data.get(key)
    return data


def items_of(data: Any, at: str | None) -> Iterable[Any]:
    """Return the list under `at`, or `data` itself; BadJson where that is no list."""
    found = data if at is None else value_at(data, at)
    if not isinstance(found, list):
        where = f"the key {at!r}" if at else "the page"
        raise BadJson(f"{where} holds {type(found).__name__}, not a list: {data!r:.200}")
    return found
