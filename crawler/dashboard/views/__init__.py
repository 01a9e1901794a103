"""The views, one module each, in the order of the menu."""

from __future__ import annotations

from crawler.dashboard.view import View
from crawler.dashboard.views import (
    control,
    host,
    hosts,
    items,
    map,
    overview,
    pages,
    problems,
    runs,
    sql,
    traps,
    url,
    workers,
)

VIEWS: tuple[View, ...] = (
    overview.VIEW,
    hosts.VIEW,
    pages.VIEW,
    map.VIEW,
    problems.VIEW,
    traps.VIEW,
    items.VIEW,
    sql.VIEW,
    runs.VIEW,
    workers.VIEW,
    control.VIEW,
    host.VIEW,
    pages.SEARCH,
    url.VIEW,
    runs.DIFF,
    runs.POLITENESS,
    control.ASK,
)
"""Every view; those with a key stand in the menu, in this order."""

BY_PATH = {view.path: view for view in VIEWS}
