"""Whether a browser rendered a page and why, and what `auto` has learnt of the pages beside it."""

from __future__ import annotations

from crawler.inspect.query import Reader
from crawler.links.traps import folder_of
from crawler.markup.words import plural


def rendered(reader: Reader, page_id: int) -> str | None:
    """Return how a page was rendered, None for one that was not."""
    if not _known(reader):
        return None
    sql = "SELECT browser, seconds, requests, why, errors FROM rendered_pages WHERE page_id = ?"
    for browser, seconds, requests, why, errors in reader.query(sql, (page_id,)).rows:
        raised = ", errors of its scripts: rendered_pages.errors" if errors != "[]" else ""
        sent = plural(requests, "request")
        return f"by Chromium {browser} in {seconds:.1f} s, {sent}{raised}; why: {why}"
    return None


def learnt(reader: Reader, url: str) -> str | None:
    """Return what was learnt of the path of a URL, None if nothing was."""
    if not _known(reader):
        return None
    sql = "SELECT pattern, renders, agreed, reason FROM rendering_needs WHERE pattern = ?"
    for pattern, renders, agreed, reason in reader.query(sql, (folder_of(url),)).rows:
        verdict = "need a browser" if renders else "need no browser"
        return f"pages like {pattern} {verdict}: {reason} ({agreed:,} in a row)"
    return None


def _known(reader: Reader) -> bool:
    """Return whether the store is of a version that knows of browsers."""
    sql = "SELECT 1 FROM sqlite_master WHERE name = 'rendered_pages' AND sql LIKE '%browser%'"
    return bool(list(reader.query(sql).rows))
