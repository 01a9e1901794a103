"""What Crawlkeep makes of a page or a form, in the words in which the browser's view is recorded.

Where both may say the same in two ways one of them is chosen: links as canonical URLs, once each,
without those that are no http(s) ones; texts with white space collapsed.
"""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import aiohttp
from multidict import CIMultiDict, CIMultiDictProxy
from record import HOST, headers_of

from crawler import Request, urls
from crawler.errors import UsageError
from crawler.http.fetcher import _body
from crawler.links.follow import refresh_on
from crawler.parse import document
from crawler.web.page import ScrapedPage
from crawler.web.response import Response


def read(file: Path) -> ScrapedPage:
    """Return a file as the page that a site would give."""
    url = f"http://{HOST}/{file.parent.name}/{file.name}"
    headers = CIMultiDictProxy(CIMultiDict(headers_of(file)))
    return ScrapedPage(Response(url, 200, headers, file.read_bytes(), 0.0, 0.0), Request(url))


def ours(file: Path) -> dict[str, Any]:
    """Return what Crawlkeep sees of a page."""
    page = read(file)
    assert page.html is not None  # which finds the encoding
    metas, is_page = page.found.robots, page.response.is_html
    refresh = refresh_on(page)
    full = document(page.html, page.url, encoding=page.encoding, xml=page.response.is_xml)
    return {
        "type": kind(page.response.content_type, is_page=is_page),
        "title": page.title or "",
        "encoding": page.encoding,
        "base": page.base_url,
        "links": page.links,
        "canonical": full.canonical,
        "robots": [content for name, content in metas if name == "robots"],
        "refresh": [refresh.delay, refresh.url] if refresh else None,
        "text": words(page.text) if is_page and page.response.content_type in PAGES else "",
    }


def other(file: Path, seen: dict[str, Any] | None) -> tuple[str, ...]:
    """Return the parts of a page that differ from what the browser sees.

    Of what it saves instead of showing it is only told whether it is a page here.
    """
    if seen is None:
        return ("type",) if read(file).response.is_html else ()
    mine, its = ours(file), theirs(seen, f"http://{HOST}/{file.parent.name}/{file.name}")
    return tuple(key for key in mine if mine[key] != its[key])


def theirs(seen: dict[str, Any], url: str) -> dict[str, Any]:
    """Return what the browser sees of a page."""
    links = dict.fromkeys(urls.parse(link) for link in seen["links"])
    refresh = seen["refresh"]
    target = urls.parse(refresh[1]) if refresh else None
    return seen | {
        "type": kind(seen["type"], is_page=seen["type"] == "text/html"),
        "title": " ".join(re.split("[\t\n\f\r ]+", seen["title"].strip("\t\n\f\r "))),
        "encoding": seen["encoding"].lower(),
        "base": urls.parse(seen["base"]) or url,
        "links": [link for link in links if link],
        "canonical": urls.parse(seen["canonical"]) if seen["canonical"] else None,
        "refresh": [int(refresh[0]), target] if target else None,
        "text": words(seen["text"]) if seen["type"] in PAGES else "",
    }


PAGES = ("text/html", "application/xhtml+xml", "text/xml", "application/xml", "text/xsl")


def kind(essence: str, *, is_page: bool) -> str:
    """Return as what a response is read: a name may be chosen, the parser may not."""
    if essence in ("text/xml", "application/xml", "text/xsl") or essence.endswith("+xml"):
        return "text/html" if is_page and essence not in XML else "xml"
    return essence


XML = ("application/xhtml+xml", "image/svg+xml")
# Control characters and what is invisible by default: nobody sees them, so they are left out here.
UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]"
)


def words(text: str) -> str:
    """Return a text with its white space collapsed; no-break spaces are none, but alone no word."""
    every = re.split("[\t\n\f\r ]+", UNSEEN.sub("", text))
    return " ".join(word for word in every if word and not word.isspace())


def sent(file: Path) -> dict[str, str] | None:
    """Return what Crawlkeep sends for a form, None if it sends nothing."""
    page = read(file)
    try:
        try:
            form = page.form("#t")
        except UsageError:
            form = page.form()
        filled = page.css("[data-fill]::attr(data-fill)").get("{}")
        request = form.fill(json.loads(filled))
    except UsageError:
        return None
    if request.method != "POST":
        return {"method": request.method, "url": request.url}
    headers = dict(request.headers or {})
    body = _body(request, headers)
    if isinstance(body, aiohttp.MultipartWriter):
        headers["Content-Type"] = body.content_type
        body = asyncio.run(body.as_bytes())
    kind, text = headers["Content-Type"], body.decode("latin-1")
    boundary = re.search('boundary="?([^"]+)', kind)
    if boundary:
        text = text.replace(boundary[1], "BOUNDARY")
        kind = f"{kind.partition(';')[0]}; boundary=BOUNDARY"
    return {"method": "POST", "url": request.url, "type": kind, "body": text}


def theirs_sent(recorded: dict[str, str] | None) -> dict[str, str] | None:
    """Return what the browser sends for a form; a URL as the canonical one."""
    if recorded is None:
        return None
    return recorded | {"url": urls.parse(recorded["url"]) or recorded["url"]}
