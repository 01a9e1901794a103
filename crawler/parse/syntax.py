r"""How markup is spelled, as parts of regular expressions: tags, their attributes, comments.

By the tag states of the HTML standard (https://html.spec.whatwg.org/#tokenization). What the end of
a document cuts off is taken to that end (`\Z`), so that no search starts inside it, and all loops
are possessive: every search is linear.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from crawler.lazy_regex import lazy

SPACE = r"[\t\n\f\r ]"
END = r"(?=[\t\n\f\r />]|\Z)"
"""What ends the name of a tag."""
COMMENT = r"!--(?:-?>|(?:[^-]++|-(?!-!?>))*+(?:--!?>|\Z))"
"""What a comment is behind its "<"."""
_NAME, _IS = r"[^\t\n\f\r />][^\t\n\f\r />=]*+", rf"{SPACE}*+={SPACE}*+"
# A quote quotes only behind "=": elsewhere it is part of a name, or of a value without quotes.
_VALUE = r"""(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^\t\n\f\r >"'][^\t\n\f\r >]*+)"""
ATTRIBUTE = rf"{_NAME}(?:{_IS}{_VALUE}?+)?+"
ATTRIBUTES = rf"(?:[\t\n\f\r /]++|{ATTRIBUTE})*+"
"""All that stands between the name of a tag and the ">" that ends it."""
NEXT_ATTRIBUTE = rf"""[\t\n\f\r /]*+(?:({_NAME})(?:{_IS}
    (?:"([^"]*+)(?:"|\Z)|'([^']*+)(?:'|\Z)|([^\t\n\f\r >"'][^\t\n\f\r >]*+))?+)?+|>|\Z)"""
"""1: a name, None at what is no attribute; 2, 3, 4: its value, by its quotes (re.VERBOSE)."""
PLAIN_NAME = r"""[a-zA-Z][^\t\n\f\r "'/<=>]*+"""
_PLAIN_VALUE = r"""(?:"[^"<>]*+"|'[^'<>]*+'|[^\t\n\f\r "'<=>]++(?=[\t\n\f\r >]))"""
PLAIN_ATTRIBUTES = rf"""(?:[^"'<=>]++(?<![\t\n\f\r /])={_PLAIN_VALUE})*+[^"'<=>]*+(?=>)"""
"""Those of nearly all tags: no markup in a value, so that the next ">" ends the tag.

Each quote begins a value or ends it.
"""
INNER_SCRIPT = lazy(r"<script[\t\n\f\r />]", re.IGNORECASE)
"""What within a script, behind a "<!--", has an end that does not end the outer one."""


def any_case(names: str | Iterable[str]) -> str:
    """Spell a regex that matches the names in any case; re.IGNORECASE would cost a third more."""
    each = names.split() if isinstance(names, str) else sorted(names)
    return "|".join(
        "".join(f"[{c}{c.upper()}]" if c.isalpha() else c for c in name) for name in each
    )


def by_letter(names: Iterable[str]) -> str:
    """Spell the names in any case, in the same way."""
    return "|".join(
        f"[{letter}{letter.upper()}](?:{any_case(' '.join(ends))}){'' if all(ends) else '?'}"
        for letter, ends in rests(names).items()
    )


def rests(names: Iterable[str]) -> dict[str, list[str]]:
    """Return what follows the first letter of names, by that letter."""
    rests: dict[str, list[str]] = {}
    for name in sorted(names):
        rests.setdefault(name[0], []).append(name[1:])
    return rests
