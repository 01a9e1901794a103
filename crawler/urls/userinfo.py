"""The user and password that a URL may say: taken out, since a canonical URL has none."""

from __future__ import annotations

from urllib.parse import unquote

import ada_url


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
