"""The look of every page: one shell, one style sheet, and the answers made of them."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from html import escape
from pathlib import Path
from string import Template

from aiohttp import web

CHANGED = datetime(2026, 1, 5, 8, 30, tzinfo=UTC)
"""The Last-Modified of all built-in content, the same on every start."""

_SHELL = Template(
    """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>$title</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/style.css">
<link rel="icon" href="/img/icon.svg" type="image/svg+xml">
<link rel="alternate" type="application/rss+xml" title="Sayings" href="/feed.xml">
$head</head>
<body>
<header>
<a class="brand" href="/">The Sayings Harbour</a>
<nav><a href="/">Quotes</a><a href="/shop/">Shop</a><a href="/members/">Members</a>
<a href="/api/">API</a><a href="/odd/">Oddities</a><a href="/about/">About</a>
<a href="/login">Login</a></nav>
</header>
<main>
$body
</main>
<footer>A practice site for crawlers: every word and every product is invented.
<a href="/sitemap.xml">Sitemap</a><a href="/feed.xml">Feed</a>
<a href="/private/">Private</a></footer>
</body>
</html>
"""
)


def shell(title: str, body: str, head: str = "") -> str:
    """The whole document around `body`; the title is escaped, body and head are HTML."""
    return _SHELL.substitute(title=escape(title), body=body, head=head)


def page(
    title: str,
    body: str,
    *,
    head: str = "",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """An HTML answer in the site's shell, with validators where the status is 200."""
    text = shell(title, f"<h1>{escape(title)}</h1>\n{body}", head)
    return content(text.encode(), "text/html; charset=utf-8", status=status, headers=headers)


def content(
    body: bytes,
    content_type: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """An answer with these very bytes; a 200 carries ETag and Last-Modified (RFC 9110, 8.8)."""
    response = web.Response(body=body, status=status, headers=headers)
    response.headers.setdefault("Content-Type", content_type)
    if status == 200:
        response.etag = hashlib.blake2b(body, digest_size=8).hexdigest()
        response.last_modified = CHANGED
    return response


def link_list(targets: Mapping[str, str]) -> str:
    """A `<ul>` of links: path → text."""
    rows = "\n".join(
        f'<li><a href="{escape(path)}">{escape(text)}</a></li>' for path, text in targets.items()
    )
    return f"<ul>\n{rows}\n</ul>"


def pager(before: str | None, after: str | None) -> str:
    """Previous and next links in the shape `li.previous a` and `li.next a`."""
    rows = ""
    if before:
        rows += f'<li class="previous"><a href="{escape(before)}">&larr; Previous</a></li>'
    if after:
        rows += f'<li class="next"><a href="{escape(after)}">Next &rarr;</a></li>'
    return f'<nav><ul class="pager">{rows}</ul></nav>'


async def style(request: web.Request) -> web.Response:
    return content(_style_sheet(), "text/css; charset=utf-8")


@cache
def _style_sheet() -> bytes:
    return Path(__file__).with_name("style.css").read_bytes()
