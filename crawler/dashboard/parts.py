"""Parts of a page that several views use: sections, tables, links to URLs and hosts, states."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from crawler import urls
from crawler.dashboard.sources import Look
from crawler.markup import Html, el, join, words
from crawler.markup.parts import bad, soft
from crawler.web import outcome

_STORED, _ERROR = outcome.having("stored"), outcome.having("error")


def url_link(look: Look, url: str) -> Html:
    """Return a URL that leads to all that is known of it; its host is context."""
    name, path = host_name(url), _below(url)
    inner = join([el("span", name), path]) if name else url
    link = el("a", inner, class_="url", href=look.href("url", url=url), title=url)
    return el("bdi", link, dir="ltr")


def host_link(look: Look, name: str) -> Html:
    """Return a host that leads to its view."""
    shown = short_host(name)
    link = el("a", shown, class_="url", href=look.href("host", name=name), title=name)
    return el("bdi", link)


def host_name(url: str) -> str:
    """Return the name of a URL's host as it is shown; "" for what is no URL."""
    try:
        return short_host(urls.host_of(url))
    except (ValueError, IndexError):
        return ""


def short_host(name: str) -> str:
    """Return a host without its scheme."""
    return name.partition("://")[2] or name


def _below(url: str) -> str:
    rest = url.partition("://")[2]
    _, slash, path = rest.partition("/")
    return slash + path


def outcome_of(name: str, status: int | None = None) -> Html:
    """Return an outcome with its status, in the colour that it deserves."""
    shown = soft(name) if name not in _STORED else el("span", name)
    if name in _ERROR:
        shown = bad(name)
    return join([shown, soft(status)], " ") if status and status != 200 else shown


def choice(label: str, options: Iterable[tuple[Any, str, bool]]) -> Html:
    """Return links of which one is chosen: what is shown, its address, and whether it is that."""
    links = (
        el("a", shown, href=href, aria_current="true" if chosen else None)
        for shown, href, chosen in options
    )
    return el("nav", *links, class_="choice", aria_label=label)


def counted(name: str, number: int | None) -> Html:
    """Return a choice with its number."""
    return join([name, el("span", words.number(number), class_="count")], " ")


def hidden(**values: Any) -> Html:
    """Return fields of a form that nobody sees."""
    return join(
        el("input", type="hidden", name=key.rstrip("_"), value=value)
        for key, value in values.items()
        if value is not None
    )
