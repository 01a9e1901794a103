"""Lists in Markdown: an item with its blocks indented by its marker."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from lxml import etree


def item(marker: str, blocks: Iterable[str]) -> str:
    """Return an item of a list: its blocks, indented by its marker; a list follows text closely."""
    text = ""
    for block in blocks:
        text += ("\n" if is_list(block) else "\n\n") + block if text else block
    indent = " " * len(marker)
    return marker + "\n".join(
        f"{indent}{line}" if place and line else line for place, line in enumerate(text.split("\n"))
    )


_LIST = re.compile(r"(?:- |\d{1,9}\. )")


def is_list(block: str) -> bool:
    """Return whether a block of Markdown begins an item of a list."""
    return _LIST.match(block) is not None


def number_of(text: str | None, default: int) -> int:
    """Return what an attribute numbers an item."""
    return int(text) if text and text.isdecimal() and len(text) < 10 else default


def terms_of(element: Any) -> Iterator[Any]:
    """Yield the terms and definitions of a list, and the lists that stand beside them."""
    walk = etree.iterwalk(element, events=("start",), tag=("dl", "dt", "dd"))
    for _, child in walk:
        if child.tag != "dl":
            yield child
        elif child is not element:
            walk.skip_subtree()
            if child.getparent() is element:
                yield child
