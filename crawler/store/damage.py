"""Rows of a store that are not what they should be: told in one line, with the row and the way out.

A disk that fails, another tool or a careless hand may leave anything in any row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec
import zstandard

from crawler.errors import StoreDamaged
from crawler.store import HostRow
from crawler.store.address import StoreAddress
from crawler.urls import hostname_of

PAGE_DAMAGE = (
    *(zstandard.ZstdError, msgspec.MsgspecError, MemoryError),
    *(ValueError, TypeError, LookupError, AttributeError),
)
"""What a page raises whose row or body is damaged, when it is read."""

MEND = "set it right, or start over with --fresh"


@contextmanager
def told(path: StoreAddress | None, row: str, way: str = MEND) -> Iterator[None]:
    """Turn what a damaged row raises within the block into a StoreDamaged that names it.

    For blocks that read values of the store and do nothing else: whatever they raise is damage.
    """
    try:
        yield
    except PAGE_DAMAGE as error:
        at = f"{path}: " if path else ""
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise StoreDamaged(f"{at}{row} is damaged ({said:.100}); {way}") from None


def scope(text: str | None, path: StoreAddress | None = None) -> tuple[str, ...]:
    """Return the URLs that widen the scope, as the store keeps them; each has a host name."""
    with told(path, "the row 'scope' of the table crawl"):
        found = msgspec.json.decode(text or "[]", type=list[str])
        for url in found:
            if not url.startswith(("http://", "https://")) or not hostname_of(url):
                raise ValueError(f"{url!r:.60} is no http(s) URL")
        return tuple(found)


def whole(
    values: Mapping[str, Any],
    key: str,
    default: int,
    path: StoreAddress | None = None,
    *,
    table: str = "crawl",
) -> int:
    """Return a whole number of a table of values; StoreDamaged where it is none."""
    value = values.get(key, default)
    if not isinstance(value, int):
        with told(path, f"the row {key!r} of the table {table}"):
            raise ValueError(f"{value!r:.40} is no whole number")
    return value


def host_row(row: tuple[Any, ...]) -> HostRow:
    """Return a host as it is stored; StoreDamaged for one whose numbers are none."""
    made = HostRow(*row)
    numbers = (made.pending, made.next_at, made.delay or 0.0, made.failures, made.pages)
    if not all(isinstance(number, (int, float)) for number in numbers):
        with told(None, f"the row of hosts with host_id {made.host_id}"):
            raise ValueError("a number of it is none")
    return made


def item_type(name: str, *texts: str, path: StoreAddress | None = None) -> list[Any]:
    """Return what JSON columns of a row of `item_types` hold; StoreDamaged where it is none."""
    with told(path, f"the row {name!r} of item_types"):
        found: list[Any] = [msgspec.json.decode(text) for text in texts]
        if not all(isinstance(value, (dict, list)) for value in found):
            raise ValueError("neither an object nor an array")
    return found
