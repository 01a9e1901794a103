"""One look at a page, before it is read: which elements it has that few pages have, and styles.

What such an element asks for is then looked for on those pages alone: to search every page for
each of them took as long as to take out its tags.
"""

from __future__ import annotations

from typing import NamedTuple

from crawler.lazy_regex import lazy
from crawler.parse.machine_code import MachineCode

MOST_STYLES = 300
"""Style attributes that are looked at one by one."""
_NAMES = (
    "<(?:s(?:elect|tyle)|/?opt|fram|m(?:ath|eter)|rp|p(?:rogress|laintext)|xmp|object|annotation-"
    "|template)"
)
_SELDOM, _SELDOM_CODE = lazy(_NAMES.encode()), MachineCode(f"(?i){_NAMES}")
_STYLE = lazy(rb"style\s*+=")
LISTS = frozenset((b"<select", b"<opt", b"</opt"))
IN_PLACE = frozenset((b"<rp", b"<progress", b"<meter"))
BY_NAME = frozenset((b"<xmp", b"<plaintext"))


class Glance(NamedTuple):
    """What is seen of a page at once.

    `low` is in lower case, in an encoding that writes ASCII as ASCII. `names` are how tags of the
    elements begin that few pages have; one may stand where it is no tag. `styles` are the places
    of the first style attributes in `low`, one more than `MOST_STYLES` at most.
    """

    low: bytes
    names: frozenset[bytes]
    styles: list[int]

    def has(self, names: frozenset[bytes]) -> bool:
        """Return whether one of some elements may be there."""
        return not self.names.isdisjoint(names)


def glance(html: str, raw: bytes | None = None) -> Glance:
    """Look at a page.

    `raw` is the page in any encoding that writes ASCII as ASCII, where that is at hand.
    """
    low = (html.encode("utf-8", "surrogatepass") if raw is None else raw).lower()
    found = _SELDOM_CODE.expanded("$0 ", html)
    names = _SELDOM.findall(low) if found is None else found.lower().encode().split()
    return Glance(low, frozenset(names), _styles(low))


def _styles(low: bytes) -> list[int]:
    found: list[int] = []
    at = -1
    while (at := low.find(b"style", at + 1)) >= 0 and len(found) <= MOST_STYLES:
        if _STYLE.match(low, at):
            found.append(at)
    return found
