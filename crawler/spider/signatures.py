"""What the methods of a spider take: asked before they are called, and once for each."""

from __future__ import annotations

import difflib
import inspect
from typing import TYPE_CHECKING, Any

from crawler.errors import SpiderError
from crawler.web.download_stream import FEED
from crawler.web.request import Request

if TYPE_CHECKING:
    from crawler.spider import Spider

PARSE_RECORD = "parse_record"
"""The method that gets each record of a feed, unless the feed's request names another."""

TOLD = 5  # what `on_error` may take: request, outcome, status, page, error


class Signatures:
    """The methods that requests name, each looked at when it is first named."""

    def __init__(self, spider: Spider) -> None:
        self._spider = spider
        self._known: dict[str, inspect.Signature | None] = {}

    def check(self, request: Request) -> None:
        """Raise SpiderError for a request whose callback, errback or arguments cannot be."""
        name, given = callback_of(request)
        taken = self._of(name, "callback")
        if request.errback is not None:
            self._of(str(request.errback), "errback")
        if not request.args or taken is None:
            return
        try:
            taken.bind(*given, **request.args)
        except TypeError as error:
            raise SpiderError(
                f"args of a request for {name}(): {error}; it takes ({_shown(taken)})"
            ) from None

    def places(self, name: str) -> int:
        """Return how many positional arguments an errback takes, of the five there are."""
        taken = self._of(name, "errback")
        if taken is None:
            return TOLD
        number = 0
        for parameter in taken.parameters.values():
            if parameter.kind is parameter.VAR_POSITIONAL:
                return TOLD
            number += parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        return min(number, TOLD)

    def _of(self, name: str, field: str) -> inspect.Signature | None:
        """Return what a method takes, None where that cannot be known."""
        if name not in self._known:
            method: Any = getattr(self._spider, name, None)
            if not callable(method):
                raise SpiderError(unknown(type(self._spider), name, field))
            try:
                self._known[name] = inspect.signature(method)
            except (TypeError, ValueError):
                self._known[name] = None
        return self._known[name]


def callback_of(request: Request) -> tuple[str, tuple[None, ...]]:
    """Return the callback of a request, and as many values as it gets beside its `args`."""
    if request.kind == FEED:
        return str(request.callback or PARSE_RECORD), (None, None)  # a record, and the file
    return str(request.callback or "parse"), (None,)


def unknown(kind: type[Spider], name: str, field: str) -> str:
    """Return what is said of a name that is no method of the spider."""
    own = [part for part in kind.__mro__ if part.__module__ != "crawler.spider"]
    methods = {name for part in own for name, value in vars(part).items() if callable(value)}
    near = difflib.get_close_matches(name, sorted(methods), n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]!r}?" if near else "; it must be a method of the spider"
    return f"{kind.name} has no {field} {name!r}{hint}"


def _shown(taken: inspect.Signature) -> str:
    return ", ".join(map(str, taken.parameters.values()))
