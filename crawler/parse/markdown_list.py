"""Lists in Markdown: an item with its blocks indented by its marker."""

from __future__ import annotations

import re
from collections.abc import Iterable


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
