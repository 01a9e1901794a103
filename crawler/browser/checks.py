"""Checks of a rendered page that run in its tab: axe-core, over what the page has become."""

from __future__ import annotations

import asyncio
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from crawler.browser import scripts
from crawler.browser.finding import AXE
from crawler.errors import FetchError
from crawler.web.axe_finding import AxeFinding
from crawler.web.refusal import Refusal

if TYPE_CHECKING:
    from crawler.browser.course import Course
    from crawler.browser.tab import Tab

_MOST = 500  # findings of a page
_LONGEST = 1000  # characters of the markup that one shows
_SECONDS = 15.0


@cache
def _axe() -> str:
    """Return axe-core, as the package brings it."""
    spec = find_spec(AXE)
    assert spec is not None and spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0], "axe.min.js").read_text(encoding="utf-8")


async def check(tab: Tab, course: Course) -> bool:
    """Note what axe finds in the page; False if it did not end, and the tab is of no more use.

    What is cut or could not be looked at is counted: the page itself is fine.
    """
    if not course.is_scripted:
        course.rendered.refuse(Refusal.BROWSER_FINDINGS)
        return True
    try:
        async with asyncio.timeout(_SECONDS):
            found = await tab.evaluate(scripts.axe(_axe(), _MOST + 1, _LONGEST))
    except (FetchError, TimeoutError):
        course.rendered.refuse(Refusal.BROWSER_FINDINGS)
        return False
    course.rendered.findings = [AxeFinding(**row) for row in found["rows"][:_MOST]]
    course.rendered.refuse(Refusal.BROWSER_FINDINGS, max(0, found["number"] - _MOST))
    return True
