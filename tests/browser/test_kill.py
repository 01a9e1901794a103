"""A crawl in a browser, any process of which is killed at any moment, ends as if nothing was.

`KILLS=50` (make browser-proof) kills fifty times; the quick suite twice.
"""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import crawl_victim
import pytest
from browser_story import SANDBOX, needs_browser, render_all
from crawl_victim import family_of
from site_thread import site_on_a_thread
from store_truth import check

from crawler import Request, ScrapedPage, Spider
from crawler.browser.chromium import Chromium
from crawler.browser.dial import Dialler
from crawler.browser.headers import BrowserHeaders
from crawler.browser.session import BrowserSession
from crawler.config.browser import BrowserSettings
from crawler.config.layers import Config
from crawler.errors import FetchError
from crawler.http.address_guard import AddressGuard
from crawler.http.cookies import CookieJars
from crawler.practice import PracticeSite
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


@pytest.mark.parametrize(
    ("killed", "outcome"),
    [
        ("browser", Outcome.TAB_CRASHED),
        ("tab", Outcome.TAB_OUT_OF_MEMORY),  # by a trap, as where its memory ends
    ],
)
def test_a_tab_whose_death_is_not_told_yet_has_crashed_and_is_not_on_its_way_elsewhere(
    killed: str, outcome: Outcome
) -> None:
    """Questions to what was killed may fail before it is said that it is gone."""

    async def tell() -> FetchError:
        config, guard = Config(browser=BrowserSettings(sandbox=SANDBOX)), AddressGuard()
        chromium = Chromium(config.browser)
        await chromium.open()
        session = BrowserSession(
            config, CookieJars()[None], Dialler(config, guard), BrowserHeaders(config, guard)
        )
        try:
            await session.open(chromium)
            tab = await session.take()
            if killed == "tab":
                tab.cdp.post("Page.crash")
            else:
                os.kill(chromium.pid, signal.SIGKILL)
            async with asyncio.timeout(10):
                with pytest.raises(FetchError) as raised:
                    await tab.evaluate("1")
            return raised.value
        finally:
            await session.close()
            await chromium.close()

    assert Outcome(asyncio.run(tell()).outcome) is outcome


def killed(word: str) -> None:
    """Kill the last process of ours in whose command line a word is."""
    found = [
        pid for pid in family_of(os.getpid()) if word in Path(f"/proc/{pid}/cmdline").read_text()
    ]
    os.kill(found[-1], signal.SIGKILL)


class ByHand(Spider):
    """Kills Playwright's driver when its page is asked for first."""

    name = "by-hand"
    turns = 0

    async def on_browser(self, tab: Any, request: Request) -> None:
        self.turns += 1
        if self.turns == 1:
            killed("run-driver")
        await tab.evaluate("() => document.body.append('by hand')")


class Helpless(Spider):
    """Kills a process that the browser needs, after the first page."""

    name = "helpless"
    helper = "--type=zygote"
    turns = 0

    def parse(self, page: ScrapedPage) -> None:
        self.turns += 1
        if self.turns == 1:
            killed(self.helper)


class Offline(Helpless):
    """Kills the one through which the browser reaches the net."""

    helper = "network.mojom.NetworkService"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks into /proc")
@pytest.mark.parametrize("spider", [ByHand, Helpless, Offline])
def test_a_helper_that_is_killed_costs_a_page_one_more_try_at_most(
    tmp_path: Path, spider: type[Spider]
) -> None:
    async def tell() -> Any:
        async with PracticeSite() as site, asyncio.timeout(60):
            pages = [site.at(f"/app/category/{name}") for name in ("clocks", "lamps", "kitchen")]
            settings = {"browser__mode": "always", "fetch__retry_delay": 0.01, "engine__workers": 1}
            return await render_all(spider, tmp_path / "crawl.db", *pages, **settings)

    summary = asyncio.run(tell())
    assert summary.outcomes == {"ok": 3} and summary.retries <= 1
