"""A crawl in a browser, any process of which is killed at any moment, ends as if nothing was.

`KILLS=50` (make browser-proof) kills fifty times; the quick suite twice.
"""

import asyncio
import os
from pathlib import Path
from typing import Any

import crawl_victim
import pytest
from browser_story import needs_browser
from crawl_victim import family_of
from site_thread import site_on_a_thread
from store_truth import check

from crawler.browser import finding
from crawler.config.browser import BrowserSettings
from crawler.errors import FetchError
from crawler.web.outcome import Outcome
from tests.processes.test_kill import killed_again_and_again
from tests.store.test_kill import build, outcome_of

pytestmark = needs_browser

KILLS = int(os.environ.get("KILLS", "2"))


def test_kills_of_crawl_and_browser_lose_nothing_and_leave_no_process(tmp_path: Path) -> None:
    with site_on_a_thread(robots=False, latency=0.002) as site:
        url = build(site, 60 if KILLS >= 20 else 10)
        asyncio.run(crawl_victim.crawl(url, tmp_path / "undisturbed.db", crawl_victim.rendering()))
        expected = outcome_of(tmp_path / "undisturbed.db")
        left, number = KILLS, 0
        while left > 0:
            number += 1
            store = tmp_path / f"{number}.db"
            done = killed_again_and_again(
                *(url, store, min(left, 5), number), mode="browser", pause=2.0, family_of=family_of
            )
            left -= sum(done.values())
            assert outcome_of(store) == expected
            check(store)


def test_a_tab_whose_death_is_not_told_yet_has_crashed_and_is_not_on_its_way_elsewhere() -> None:
    """Questions to a browser that was killed fail before it is said that its tabs are closed."""
    from playwright.async_api import async_playwright

    from crawler.browser.tab import Tab

    async def tell() -> FetchError:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=finding.find().path)
            page = await browser.new_page()
            cdp = await page.context.new_cdp_session(page)
            unused: Any = None
            tab = Tab(
                *(page, cdp, unused),
                headers=unused, settings=BrowserSettings(), most=1, deaths={}, front=asyncio.Lock(),
            )  # fmt: skip
            await cdp.detach()
            with pytest.raises(FetchError) as raised:
                await tab.evaluate("1")
            await browser.close()
            return raised.value

    assert Outcome(asyncio.run(tell()).outcome) is Outcome.TAB_CRASHED
