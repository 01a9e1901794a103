"""Anchors: what a fragment leads to, and the fragments that links ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import unquote

from crawler import urls
from crawler.web.page import ScrapedPage

_OF_TEXT = ":~:"  # what a browser looks for in the text, and strips before it looks for an anchor


def anchors_of(page: ScrapedPage) -> list[str]:
    """Return the names that a fragment may have on an HTML page: ids, and the names of `a`."""
    return list(dict.fromkeys(page.xpath("//@id | //a/@name").getall()))


def fragments_of(page: ScrapedPage, target: Callable[[str], str]) -> list[str]:
    """Return the links of a page that name an anchor, each as its URL, # and the anchor.

    `target` gives the URL that a canonical one is visited as. "#" and "#top" are the top of every
    page (HTML standard 7.4.6.4), and a text fragment is no anchor.
    """
    return list(dict.fromkeys(_fragments(page, target)))


def _fragments(page: ScrapedPage, target: Callable[[str], str]) -> Iterator[str]:
    base, seen = page.base_url, dict[str, str | None]()
    for reference in page.references:
        address, mark, fragment = reference.partition("#")
        name = unquote(fragment.partition(_OF_TEXT)[0].strip())
        if not mark or name.lower() in ("", "top"):
            continue
        if address not in seen:
            url = urls.parse(address, base) if address.strip() else urls.parse(base)
            seen[address] = target(url) if url else None
        if url := seen[address]:
            yield f"{url}#{name}"
