"""What was learnt of the pages below a path: whether they are anything without their scripts."""

from __future__ import annotations

from typing import NamedTuple


class NeedNote(NamedTuple):
    """A pattern of URLs, whether its pages need a browser, and how many in a row said so."""

    pattern: str
    renders: bool
    agreed: int
    reason: str
