"""What a spider's attributes hold: a value of another kind is told before anything is fetched."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from crawler.errors import SpiderError
from crawler.links.rule import Rule

if TYPE_CHECKING:
    from crawler.spider import Spider

_LISTS: dict[str, tuple[type, str]] = {
    "start_urls": (str, '["https://example.com/"]'),
    "sitemap_urls": (str, '["https://example.com/sitemap.xml"]'),
    "allowed_domains": (str, '["example.com"]'),
    "rules": (Rule, '[Rule(allow="/blog/")]'),
    "sitemap_rules": (Rule, '[Rule(allow="/blog/", callback="parse_blog")]'),
    "expect": (str, '["pages >= 100"]'),
}
"""Attributes that are lists, of what, and one as it is written."""

_METHODS = {
    "parse": "page",
    "start": "",
    "opened": "",
    "closed": "reason",
    "on_error": "request, outcome",
}
"""Methods of a spider, and what they get."""


def look(spider: Spider) -> None:
    """Raise SpiderError for the first attribute that is none of its kind."""
    for name, (kind, example) in _LISTS.items():
        value = getattr(spider, name)
        if isinstance(value, str):
            raise SpiderError(f"{spider.name}: `{name}` is one string; write a list: [{value!r}]")
        if not isinstance(value, Iterable) or isinstance(value, Mapping):
            raise SpiderError(f"{spider.name}: `{name}` is {_kind(value)}; write a list: {example}")
        for each in value if isinstance(value, (list, tuple, set, frozenset)) else ():
            if not isinstance(each, kind):
                told = f"`{name}` holds {each!r:.80}; write it like {example}"
                raise SpiderError(f"{spider.name}: {told}")
    _look_at_domains(spider)
    for name, gets in _METHODS.items():
        value = getattr(spider, name)
        if not callable(value):
            like = f"def {name}({', '.join(filter(None, ('self', gets)))})"
            raise SpiderError(f"{spider.name}: `{name}` is {_kind(value)}; write a method: {like}")
    for name, given in (("opened", ()), ("closed", ("the reason",))):
        _look_at_end(spider, name, given)


def _kind(value: object) -> str:
    return "None" if value is None else f"of the type {type(value).__name__}"


def _look_at_domains(spider: Spider) -> None:
    """Raise for a URL where the name of a host is meant: nothing would be in scope."""
    for domain in spider.allowed_domains:
        host = domain.partition("://")[2].partition("/")[0]
        if host:
            raise SpiderError(
                f"{spider.name}: `allowed_domains` holds the URL {domain!r}; write the host:"
                f" {host!r}"
            )


def _look_at_end(spider: Spider, name: str, given: tuple[str, ...]) -> None:
    """Raise for a method at the begin or end of a run that yields, or takes what is not given."""
    method: Any = getattr(spider, name)
    if inspect.isgeneratorfunction(method) or inspect.isasyncgenfunction(method):
        raise SpiderError(
            f"{spider.name}: {name}() has a `yield`, and nobody takes what it gives; items and"
            " requests come from callbacks and `start`"
        )
    try:
        inspect.signature(method).bind(*given)
    except TypeError as error:
        gets = given[0] if given else "nothing"
        raise SpiderError(f"{spider.name}: {name}() gets {gets} ({error})") from None
    except ValueError:  # it says no signature
        return
