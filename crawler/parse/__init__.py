"""Parsing: what a page says, by the fast pass, the full pass, and what a spider asks for.

The public names, those of the full pass, are imported on first use: most crawls never need it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crawler.parse.full_pass import (
        ATTRIBUTES,
        DEFAULT_TAGS,
        Document,
        ImageCandidate,
        Link,
        Refresh,
        document,
        encoding_of,
        links,
        meta_refresh,
        refresh_of,
        srcset,
    )

__all__ = [
    "ATTRIBUTES",
    "DEFAULT_TAGS",
    "Document",
    "ImageCandidate",
    "Link",
    "Refresh",
    "document",
    "encoding_of",
    "links",
    "meta_refresh",
    "refresh_of",
    "srcset",
]


def __getattr__(name: str) -> object:
    """Import the full pass when one of its names is first asked for (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'crawler.parse' has no attribute {name!r}")
    from crawler.parse import full_pass

    value = globals()[name] = getattr(full_pass, name)
    return value
