"""What a reader sees of an HTML page, as plain text, in three sweeps and without a tree.

Scripts, styles and comments go, tags inside a line vanish, all other tags end a line. It is linear,
whatever the markup (docs/decisions/0011-search.md has the figures).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

_INLINE = (
    "a abbr acronym b bdi bdo big cite code data dfn del em font i ins kbd label mark nobr q rp rt"
    " ruby s samp small span strike strong sub sup time tt u var wbr"
)


def _any_case(names: str) -> str:
    """Spell a regex that matches the names in any case; re.IGNORECASE would cost a third more."""
    return "|".join("".join(f"[{c}{c.upper()}]" for c in name) for name in names.split())


# What nobody reads. Cut off by the end of the document, it is taken to the end, so that no search
# starts inside it again.
_UNREAD = re.compile(
    rf"""<(?:
      !--(?:-?>|(?:[^-]++|-(?!-!?>))*+(?:--!?>|\Z))
    | ({_any_case("script style template title")})(?=[\s/>])[^>]*+>?
      (?:[^<]++|<(?!/(?i:\1)[\s/>]))*+(?:</[^>]*+>?|\Z)
    | [!?][^>]*+>?)""",
    re.VERBOSE,
)
_NAMES = "|".join(f"{name}|{name.upper()}" for name in _INLINE.split())
_INSIDE = re.compile(rf"</?(?:{_NAMES})(?=[\s/>])[^>]*+>?")
_TAG = re.compile(r"<[/a-zA-Z][^>]*+>?")


_WINDOW = 128 * 1024  # characters that one sweep may take without letting other threads run


def text_of(html: str) -> str:
    """Give the readable text of a page: one line a block, white space collapsed, no markup."""
    text = _UNREAD.sub(" ", html)
    text = text.replace("\n", " ").replace("\r", " ")  # str.translate takes twenty times as long
    text = unescape("".join(map(_without_tags, _windows(text))))
    return "\n".join([line for part in text.split("\n") if (line := " ".join(part.split()))])


def _without_tags(text: str) -> str:
    return _TAG.sub("\n", _INSIDE.sub("", text))


def _windows(text: str) -> Iterator[str]:
    """Cut a text where no tag can be: behind the end of one."""
    at = 0
    while at < len(text):
        end = text.find(">", at + _WINDOW) + 1 or len(text)
        yield text[at:end]
        at = end


# All of it in one sweep; the letters that most tags begin with come first.
_MARKUP = re.compile(
    rf"""<(?:[a-rA-Ru-zU-Z/][^>]*+>?
    | !--(?:-?>|(?:[^-]++|-(?!-!?>))*+(?:--!?>|\Z))
    | ({_any_case("script style title textarea template")})(?=[\s/>])[^>]*+>?
      (?:[^<]++|<(?!/(?i:\1)[\s/>]))*+(?:</[^>]*+>?|\Z)
    | [sStT!?][^>]*+>?)""",
    re.VERBOSE,
)


def words_of(html: str) -> str:
    """Return the words of a page at a third of the cost: to compare pages, not to be read.

    Character references stay as they are, and markup in an attribute counts as text.
    """
    return " ".join(_MARKUP.sub(" ", html).split())
