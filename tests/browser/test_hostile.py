"""Pages that mean harm to a browser: each ends in an outcome with a name, and the crawl goes on.

`BROWSER_PROOF=1` (make browser-proof) takes all of them, the quick suite a few of each kind.
"""

import asyncio
import os
from pathlib import Path

from browser_story import needs_browser, render_all
from crawl_story import outcomes

from crawler import Spider
from crawler.practice import PracticeSite
from crawler.practice.hostile import PAGES

pytestmark = needs_browser

FEW = (
    *("loop-later", "wanders", "to-a-file", "to-the-browser", "dialogs", "downloads"),
    *("service-worker", "clobbers", "redefines", "sandboxed", "empty-error"),
)
NAMES = tuple(PAGES) if os.environ.get("BROWSER_PROOF") else FEW


class Guest(Spider):
    """Takes what comes."""

    name = "guest"


def test_each_hostile_page_ends_in_its_outcome_and_the_crawl_goes_on(tmp_path: Path) -> None:
    store = tmp_path / "crawl.db"

    async def tell() -> dict[str, str]:
        async with PracticeSite() as site, asyncio.timeout(400):
            paths = [f"/hostile/{name}" for name in NAMES]
            summary = await render_all(
                Guest,
                store,
                *map(site.at, [*paths, "/app/category/clocks"]),
                browser__mode="always",
                browser__page_timeout=15.0,
                browser__settle_timeout=3.0,
                fetch__retries=0,
                fetch__max_body=20_000_000,
            )
            assert summary.state == "finished"
            return outcomes(store, site)

    found = asyncio.run(tell())
    assert found["/app/category/clocks"] == "ok"
    wrong = {
        name: found.get(f"/hostile/{name}")
        for name in NAMES
        if found.get(f"/hostile/{name}") not in PAGES[name].outcomes
    }
    assert wrong == {}
