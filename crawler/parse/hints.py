"""The few tags of a page that may hide something, found without a look at all the others.

One expression in machine code stops at these, and at what may hide a tag: raw text, comments,
markup within quotes. As in the fast pass all loops are possessive, so that every search is linear.
"""

from __future__ import annotations

import re
from functools import lru_cache

from crawler.lazy_regex import lazy
from crawler.parse.fast_expression import FOREIGN
from crawler.parse.foreign import NAMESPACES
from crawler.parse.machine_code import MachineCode
from crawler.parse.syntax import (
    ATTRIBUTES,
    COMMENT,
    INNER_SCRIPT,
    PLAIN_ATTRIBUTES,
    PLAIN_NAME,
    any_case,
)
from crawler.parse.windows import replaced

_END = r"(?=[\t\n\f\r />])"  # what ends the name of a tag
_SILENT = any_case("script style title")  # raw text that is never shown
_RAW = any_case("textarea xmp iframe noembed noframes noscript")
_REST = rf"(?:{PLAIN_ATTRIBUTES}|{ATTRIBUTES})>"
_PICTURE = rf"(?P<drawn>(?=[sm][va][gt])(?:{FOREIGN}))"
_TEXTS = rf"""
      (?P<silent>{_SILENT}){_END}{_REST}
      (?:[^<]++|<(?!/(?i:(?P=silent)){_END})(?P<commented>!--)?+)*+
    | (?P<raw>{_RAW}){_END}{_REST}(?:[^<]++|<(?!/(?i:(?P=raw)){_END}))*+"""
_OTHERS = rf"""
      (?P<quoted>/?+(?!{PLAIN_NAME}{PLAIN_ATTRIBUTES})[a-zA-Z][^\t\n\f\r />]*+{ATTRIBUTES}(?:>|\Z))
    | {COMMENT}
    | (?:[!?]|/(?![a-zA-Z]))[^>]*+(?:>|\Z)"""
_PATTERN = rf"""<(?=[a-zA-Z!?/])(?!/\w++>)(?:
      {_PICTURE} | (?P<odd>(?i:svg|math|plaintext){_END}) | {_TEXTS}
    | (?P<named>(?i:{{names}}){_END}){_REST}
    | (?P<hinted>{PLAIN_NAME}(?=[^<>]*?(?i:{{words}})){PLAIN_ATTRIBUTES}>)
    | {_OTHERS})(?P<last>\Z)?+
"""
_MARK, _UNSURE = "\x01", "\x02"
_MARKED = f"${{odd:+{_UNSURE}:}}"
for _group in ("drawn", "commented", "raw", "named", "hinted", "quoted"):
    _MARKED += f"${{{_group}:+{_MARK}$0{_MARK}:"
_MARKED += f"$0{'}' * 6}"
_NAME = lazy(r"<([a-zA-Z][^\t\n\f\r />]*+)")


def style(told: str) -> str:
    """Return an expression, as for `hinted`, of a style attribute with something in it.

    One that spells it in another way has it, and so has one that is too long to be looked through.
    """
    kinds = (('"', '[^"<>]'), ("'", "[^'<>]"), (r"(?![\"'])", r"[^\s<>]"))
    either = "|".join(
        rf"{quote}(?:{char}{{0,{_LONG}}}?(?:{told}|/\*|[\\&])|{char}{{{_LONG}}})"
        for quote, char in kinds
    )
    return rf"style\s*+=\s*+(?:{either})"


_LONG = 500  # characters of a style attribute


def hinted(html: str, names: frozenset[str], words: frozenset[str]) -> list[tuple[int, int]] | None:
    """Return where tags begin and end of these names, or with `words`, expressions, in them.

    There may be others among them. A plain picture with such a word, and an element of raw text,
    is taken whole, up to its end tag. None where only the tokenizer can tell.
    """
    if _MARK in html or _UNSURE in html:
        return None
    code, word = _expression(names, words)
    marked = replaced(code, _MARKED, html)
    if marked is None or _UNSURE in marked:
        return None
    places: list[tuple[int, int]] = []
    at = 0
    for number, part in enumerate(marked.split(_MARK)):
        start, at = at, at + len(part)
        if number % 2 == 0 or part[1] == "/":
            continue
        found = _NAME.match(part)
        name = found[1].lower() if found is not None else ""
        if name == "script" and "<!--" in part:
            if INNER_SCRIPT.search(part, 7) is not None:
                return None
        elif name in NAMESPACES:
            if word.expanded("!", part) != "":
                places.append((start, at))
        elif name not in ("style", "title"):
            places.append((start, at))
    return places


def last_tag(html: str, names: frozenset[str]) -> str:
    """Return the name of the last tag of some, "/" before that of an end tag; "" if none is there.

    In lower case; "?" where only the tokenizer can tell.
    """
    found = _named(names).expanded("${named:+$named :}", html)
    if found is None:
        return "?"
    return found.rstrip().rpartition(" ")[2].lower()


@lru_cache(maxsize=4)
def _named(names: frozenset[str]) -> MachineCode:
    named = rf"(?P<named>/?(?i:{'|'.join(sorted(names))}){_END}){_REST}"
    return MachineCode(rf"<(?=[a-zA-Z!?/])(?:{_PICTURE} | {_TEXTS} | {named} | {_OTHERS})")


@lru_cache(maxsize=64)  # the pages of a site mostly ask for the same
def _expression(names: frozenset[str], words: frozenset[str]) -> tuple[MachineCode, MachineCode]:
    spelled = "|".join(sorted(words))
    named = "|".join(sorted(map(re.escape, names))) or "(?!)"
    pattern = _PATTERN.format(names=named, words=spelled)
    return MachineCode(pattern), MachineCode(f"(?i:{spelled})")
