"""The user and password that a URL may say: taken out, since a canonical URL has none."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote

import ada_url

from crawler import urls


def userinfo(url: str) -> tuple[str, str] | None:
    """Return the user and the password of a URL, decoded; None if it says neither."""
    if "@" not in url:  # which most URLs show at once
        return None
    try:
        found = ada_url.URL(url.strip())
    except ValueError:
        return None
    if not found.username and not found.password:
        return None
    return unquote(found.username), unquote(found.password)


def with_userinfo(base: str, references: Iterable[str]) -> int:
    """Return how many references of a page say a user or a password of an http(s) URL.

    RFC 9110 section 4.2.4 has it treated as an error where it comes from somebody else: it is used
    to hide where a link leads.
    """
    found = 0
    for reference in references:
        if "@" in reference and not reference.startswith("mailto:"):
            url = urls.join(base, reference)
            if url is not None and url.startswith(("http:", "https:")):
                found += userinfo(url) is not None
    return found
