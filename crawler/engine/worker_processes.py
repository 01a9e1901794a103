"""The worker processes of a crawl: how many, and how they come to a run."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from crawler.config.browser import BrowserSettings
from crawler.config.engine import EngineSettings
from crawler.engine.committer import Committer
from crawler.http.address_guard import AddressGuard
from crawler.links.duplicates import Duplicates
from crawler.links.linker import Linker
from crawler.spider.discover import Discovery

if TYPE_CHECKING:
    from crawler.engine.assembly import Crawl
    from crawler.processes.launch import Launched
    from crawler.processes.pool import Processes

log = logging.getLogger("crawler")


def processes_of(
    crawl: Crawl,
    discovery: Discovery,
    guard: AddressGuard,
    linker: Linker,
    duplicates: Duplicates,
    committer: Committer,
) -> Processes | None:
    """Return the worker processes that the settings ask for, None for none."""
    number = number_of(crawl.config.engine)
    if number == 1 or _has_no_use(crawl.config.browser):
        return None
    from crawler.processes.pool import Processes  # most crawls run in one

    return Processes(
        number,
        crawl.config,
        crawl.spider,
        store=crawl.address,
        linker=linker,
        discovery=discovery,
        guard=guard,
        jars=crawl.cookies,
        contents=duplicates.contents,
        launched=crawl.launched,
        add=committer.put_seed,
        pools=crawl.pools,
    )


def _has_no_use(browser: BrowserSettings) -> bool:
    """Return whether every page is one for the browser, or may be: there is one browser."""
    return browser.mode in ("auto", "always")


def launched(settings: EngineSettings, browser: BrowserSettings) -> list[Launched]:
    """Return worker processes that wait for a run, as far as they can be had for nothing."""
    number = number_of(settings)
    if number > 1 and _has_no_use(browser):
        log.warning(
            "browser.mode = %s: pages are fetched and rendered beside the one browser, so that"
            " %d processes would bring nothing; one is used",
            *(browser.mode, number),
        )
        return []
    if settings.parse_processes:
        log.warning("engine.parse_processes is engine.processes now: %d are used", number)
    if number == 1:
        return []
    from crawler.processes.launch import forked  # as above

    return forked(number)


async def let_go(launched: list[Launched]) -> None:
    """End the worker processes that no run has needed."""
    while launched:
        process = launched.pop()
        process.release()
        await process.wait()


def number_of(settings: EngineSettings) -> int:
    """Return how many processes visit pages."""
    number = settings.processes
    if settings.parse_processes and number == 1:
        return max(2, settings.parse_processes)
    if number == "auto":
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    return number
