"""What axe-core finds on a rendered page. A type of items, which few crawls have."""

from __future__ import annotations

from crawler.items import item


@item
class AxeFinding:
    """An item: what axe-core finds wrong with an element of a rendered page."""

    rule: str
    impact: str
    """minor, moderate, serious or critical."""
    help: str
    help_url: str
    target: str
    """The element, as a selector."""
    html: str
