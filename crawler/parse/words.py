"""The words of a page, roughly and fast: to compare pages and to count, not to be read."""

from __future__ import annotations

import re

from crawler.lazy_regex import lazy
from crawler.parse.machine_code import MachineCode
from crawler.parse.syntax import COMMENT, any_case

_UNSEEN = rf"""<(?=[!sStT])(?:{COMMENT}
    | ({any_case("script style title textarea")})(?=[\s/>])[^>]*+>?
      (?:[^<]++|<(?!/(?i:\1)[\s/>]))*+(?:</[^>]*+>?|\Z))"""
# Blanks of other scripts, too: this is compared with what stores have of earlier pages.
_BLANKS = "[\\s\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*+"
_RUN = rf"<[^>]*+>?(?:{_BLANKS}<[^>]*+>?)*+"
_UNREAD, _UNREAD_CODE = lazy(_UNSEEN, re.VERBOSE | re.ASCII), MachineCode(_UNSEEN)
_TAGS, _TAGS_CODE = lazy(_RUN), MachineCode(_RUN)


def unmarked(html: str) -> str:
    """Return what is left of a page without its markup, at a third of what its text costs.

    Character references and white space stay as they are, and markup in an attribute is text.
    """
    read = _UNREAD_CODE.replaced(" ", html)
    found = None if read is None else _TAGS_CODE.replaced(" ", read)
    return _TAGS.sub(" ", _UNREAD.sub(" ", html)) if found is None else found


def words_of(html: str) -> str:
    """Return the words of the same, white space collapsed."""
    return " ".join(unmarked(html).split())


def characters_of(html: str) -> int:
    """Return how many characters these words have, references decoded."""
    from crawler.parse.references import unescape  # whose table is large

    words = words_of(html)
    return len(unescape(words) if "&" in words else words)
