"""RequireFields: items without a value where one is needed do not get into the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from crawler.errors import DropItem

T = TypeVar("T")


class RequireFields:
    """Drop items in which one of `fields` is missing, None, an empty list, or a text of spaces.

    The number 0 and False are values.
    """

    def __init__(self, *fields: str) -> None:
        """Take the names of one or more fields."""
        if not fields:
            raise ValueError('RequireFields names fields: RequireFields("name", "price")')
        self.fields = fields

    def item(self, item: T) -> T:
        """Return the item; DropItem names the first field that has no value."""
        for name in self.fields:
            is_dict = isinstance(item, Mapping)
            value = item.get(name) if is_dict else getattr(item, name, None)  # type: ignore[attr-defined]
            empty = not value.strip() if isinstance(value, str) else value in (None, [], (), {})
            if empty:
                raise DropItem(f"no {name}")
        return item
