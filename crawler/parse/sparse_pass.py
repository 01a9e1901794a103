"""The sparse pass: the tags of a few names, as the tokenizer finds them, at a fraction of its cost.

One regular expression stops only at tags of these names and at what may hide one: raw text,
comments, markup within quotes. What it cannot tell (foreign content that is not plain, `plaintext`,
a script within a script) is left to the whole tokenizer. As in the fast pass all loops are
possessive, so that every search is linear.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from crawler.lazy_regex import lazy
from crawler.parse.fast_matches import DRAWN, FOREIGN
from crawler.parse.foreign import NAMESPACES
from crawler.parse.tokenizer import RAW, Tag, tags

APART = frozenset(("template", "noscript"))
"""Elements whose content is no part of the document: see `apart.Apart`."""
WINDOW = 1 << 17
"""Characters that one search may take: some milliseconds that no other thread gets."""


class Unsure(Exception):
    """One expression cannot tell; the tokenizer can."""


def _any_case(names: Iterable[str]) -> str:
    """Spell a regex that matches the names in any case; re.IGNORECASE would cost a third more."""
    spelled = (
        "".join(f"[{c}{c.upper()}]" if c.isalpha() else re.escape(c) for c in name)
        for name in sorted(names)
    )
    return "|".join(spelled)


_SPACE = r"[\t\n\f\r ]"
_END = r"(?=[\t\n\f\r />])"  # what ends the name of a tag
_RAW = rf"(?:{_any_case(RAW)}){_END}"
# What nearly all tags look like: no markup inside quotes, so that ">" is the end of the tag.
_SIMPLE = r"""[^<>"']*+(?:"[^"<>]*+"[^<>"']*+)*+(?=>)"""
_VALUE = r"""(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^\t\n\f\r >"'][^\t\n\f\r >]*+)"""
_ATTRIBUTES = (
    rf"""(?:[\t\n\f\r /]++|=?[^\t\n\f\r />=]++(?:{_SPACE}*+={_SPACE}*+{_VALUE}?+)?+|=)*+"""
)
_PATTERN = rf"""<(?=[a-zA-Z!?/])(?:
      {{drawn}}                                                 # a plain picture or formula
    | {{anchor}}{_END}({_SIMPLE})>([^<]*+)</[aA]>               # 1, 2: a link that is only text
    | (?={{initials}})({{names}}){_END}                         # 3: a tag that matters,
        ({_SIMPLE}|{_ATTRIBUTES})(>|\Z)                         # 4, 5: its attributes, its end
    | (?=[stxinSTXIN])({_any_case(RAW)}){_END}                  # 6: one whose content is raw text,
        ({_SIMPLE}|{_ATTRIBUTES})(>|\Z)                         # 7, 8: its attributes, its end,
        ((?:[^<]++|<(?!/(?i:\6){_END}))*+)                      # 9: and that text
    | /?[a-zA-Z](?!{_SIMPLE})[^\t\n\f\r />]*+{_ATTRIBUTES}(?:>|\Z)  # markup in its quotes
    | !--(?:-?>|(?:[^-]++|-(?!-!?>))*+(?:--!?>|\Z))             # a comment
    | (?:[!?]|/(?![a-zA-Z]))[^>]*+(?:>|\Z))                     # a doctype or bogus comment"""
_LINK, _TAG, _TEXT = 2, 5, 9  # the last group of each kind

_NAME = lazy(r"[a-z][a-z0-9-]*")
_INNER_SCRIPT = lazy(rf"<script{_END}", re.IGNORECASE)
# A tag inside of a link, which is no part of its text; what is none of these the tokenizer reads.
_MARK = lazy(rf"<(?!{_RAW})/?[a-zA-Z]{_SIMPLE}>")


@lru_cache(maxsize=64)
def _pattern(wanted: frozenset[str]) -> re.Pattern[str]:
    """Return the expression that stops at these names; Unsure for a name it cannot spell."""
    if not all(map(_NAME.fullmatch, wanted)):
        raise Unsure("a name that is none of HTML")
    names = (wanted | {"base", "meta", "plaintext", *APART, *NAMESPACES}) - RAW
    initials = "".join(sorted({name[0] for name in names}))
    links = "a" in wanted
    ends = APART | {"a"} if links else APART
    return re.compile(
        _PATTERN.format(
            drawn="(?!)" if wanted & DRAWN else f"(?=[sm][va][gt])(?:{FOREIGN})",
            anchor="[aA]" if links else "(?!)",
            initials=f"[{initials}{initials.upper()}]" + "|/[aAtTnN]",
            names=_any_case(names) + f"|/(?:{_any_case(ends)})",
        ),
        re.VERBOSE | re.ASCII,
    )


def sparse_tags(text: str, names: Iterable[str]) -> Iterator[Tag]:
    """Yield the tags of `names`, `base`, `meta` and `APART` of an HTML document, in their order.

    Text is only that of links (`a`), and stands before the next tag `a` or the end. Unsure where
    only the whole tokenizer can tell, at any time.
    """
    wanted = frozenset(names)
    since: int | None = None  # where the text of the open link begins
    for match in _matches(_pattern(wanted), text):
        kind = match.lastindex
        if kind == _LINK:
            before = "" if since is None else _text(text[since : match.start()])
            yield Tag(before, "a", False, match[1])
            yield Tag(match[2], "a", True, "")
            since = None
        elif kind == _TAG and match[5]:  # a tag that the document cuts off is none
            name, before = match[3].lower(), ""
            if name == "plaintext" or name in NAMESPACES:
                raise Unsure(name)
            if name in ("a", "/a"):
                before = "" if since is None else _text(text[since : match.start()])
                since = match.end() if name == "a" else None
            yield Tag(before, name.lstrip("/"), name[0] == "/", match[4])
        elif kind == _TEXT:
            name, raw = match[6].lower(), match[9]
            if name == "script" and "<!--" in raw and _INNER_SCRIPT.search(raw):
                raise Unsure(name)
            if match[8] and name in wanted:
                yield Tag("", name, False, match[7], raw)
    yield Tag("" if since is None else _text(text[since:]), "", True, "")


def _matches(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Yield the matches window by window, so that other threads run between them.

    What the end of a window cuts off is matched again from its own start.
    """
    at, size = 0, len(text)
    while at < size:
        start, end = at, min(size, at + WINDOW)
        at = end - (end < size and text[end - 1] == "<")
        for match in pattern.finditer(text, start, end):
            if end < size and (match.end() == end or _is_foreign(match)):
                if match.start() == start:
                    raise Unsure(f"longer than {WINDOW:,} characters")
                at = match.start()
                break
            yield match


def _is_foreign(match: re.Match[str]) -> bool:
    """Return whether it is foreign content that is not plain, as where a window cuts it off."""
    return match.lastindex == _TAG and match[3].lower() in NAMESPACES


def _text(html: str) -> str:
    """Return the text of a piece of a document, without the tags in it."""
    if "<" not in html:
        return html
    text = _MARK.sub("", html)
    return "".join(tag.before for tag in tags(html)) if "<" in text else text
