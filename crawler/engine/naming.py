"""Which hosts `start` names, in a run that goes on: a store may be somebody else's.

By its word no private address is opened and no secret header sent: the spider is asked again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import aclosing, suppress

from crawler.config.layers import Config
from crawler.config.secrets import may_leave
from crawler.engine.seeding import each_seed
from crawler.engine.worker_processes import number_of
from crawler.errors import StopCrawl
from crawler.http.address_guard import AddressGuard
from crawler.spider import Spider
from crawler.web.request import Request

_HEARING = 60.0  # seconds

log = logging.getLogger("crawler")


def claim(spider: Spider, config: Config, guard: AddressGuard, scope: Sequence[str]) -> bool:
    """Note the hosts that by the store's word `start` has named; return whether to ask it now.

    A name that leads to a private address asks when it resolves; processes get the names at once.
    """
    if type(spider).start is not Spider.start:
        for url in scope:
            guard.claim(url)
    secret = any(not may_leave(name) for name in config.fetch.headers)
    many = number_of(config.engine) > 1 and not guard.allow_private
    return guard.claims and (guard.claims_private or secret or many)


async def hear(spider: Spider, guard: AddressGuard) -> None:
    """Ask `start` again, up to the last host that the store says it named; queue nothing."""
    try:
        with suppress(StopCrawl):
            async with asyncio.timeout(_HEARING), aclosing(each_seed(spider)) as given:
                async for request in given:
                    if isinstance(request, Request):
                        guard.name(request.url)
                    if not guard.claims:
                        break
    except TimeoutError:
        log.warning("start() took over %g s to say again which hosts it names", _HEARING)
    finally:
        guard.told.set()
