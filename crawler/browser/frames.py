"""What stands in a frame, as a section of the page that holds it."""

from __future__ import annotations

from html import escape
from typing import Any

from lxml import etree, html


def section(text: str, url: str) -> str:
    """Return the body of a frame's document; its references are made whole, as its base is lost."""
    try:
        document: Any = html.document_fromstring(text)
        document.make_links_absolute(url, resolve_base_href=True, handle_failures="ignore")
    except (etree.ParserError, ValueError):  # nothing in it
        return ""
    body = document.find("body")
    if body is None:
        return ""
    inner = "".join(html.tostring(child, encoding="unicode") for child in body)
    return f'<section data-frame="{escape(url)}">{escape(body.text or "")}{inner}</section>'
