"""What stands in the frames of a page, as sections at the end of it."""

from __future__ import annotations

import asyncio
import contextlib
from html import escape
from typing import TYPE_CHECKING, Any

from lxml import etree, html
from playwright.async_api import Error

from crawler.web.refusal import Refusal

if TYPE_CHECKING:
    from playwright.async_api import Page

    from crawler.browser.course import Course

_SECONDS = 3.0  # to wait for a frame, or for all of them
_MOST = 50  # frames of a page that are read


async def read(page: Page, course: Course) -> str:
    """Return what stands in the frames of a page; those that are not read are counted."""
    with contextlib.suppress(Error, TimeoutError):  # as far as they are by then
        async with asyncio.timeout(_SECONDS):
            await page.wait_for_load_state("load")  # theirs come before the page's own
    found = []
    inner = [frame for frame in page.frames if frame.parent_frame is not None]
    for frame in inner[:_MOST]:
        try:
            async with asyncio.timeout(_SECONDS):
                await frame.wait_for_load_state("domcontentloaded")
                found.append(section(await frame.content(), frame.url))
        except (Error, TimeoutError):  # it is gone, or hangs
            course.rendered.refuse(Refusal.BROWSER_FRAME)
    course.rendered.refuse(Refusal.BROWSER_FRAME, len(inner[_MOST:]))
    return "".join(found)


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
