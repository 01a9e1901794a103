"""The durable state: what is to do, what is done, what was found.

The contract of a store and its values stand in `contract`; they are imported on first use, so that
a command that only looks at a file starts at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crawler.store.contract import Arrival as Arrival
    from crawler.store.contract import Batch as Batch
    from crawler.store.contract import Committed as Committed
    from crawler.store.contract import CookieRow as CookieRow
    from crawler.store.contract import CrawlState as CrawlState
    from crawler.store.contract import HostRow as HostRow
    from crawler.store.contract import Problem as Problem
    from crawler.store.contract import Pulse as Pulse
    from crawler.store.contract import QueueChange as QueueChange
    from crawler.store.contract import Retention as Retention
    from crawler.store.contract import RobotsRow as RobotsRow
    from crawler.store.contract import Rows as Rows
    from crawler.store.contract import SharedStore as SharedStore
    from crawler.store.contract import SteerableStore as SteerableStore
    from crawler.store.contract import Steered as Steered
    from crawler.store.contract import Store as Store
    from crawler.store.contract import open_store as open_store

_NAMES = frozenset(
    "Arrival Batch Committed CookieRow CrawlState HostRow Problem Pulse QueueChange Retention"
    " RobotsRow Rows SharedStore SteerableStore Steered Store open_store".split()
)


def __getattr__(name: str) -> object:
    """Import a name of the contract when it is first asked for (PEP 562)."""
    from importlib import import_module

    if name not in _NAMES:  # a module of this folder, maybe: the import system goes on
        raise AttributeError(f"module 'crawler.store' has no attribute {name!r}")
    value = getattr(import_module("crawler.store.contract"), name)
    globals()[name] = value
    return value
