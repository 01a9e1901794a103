"""Whether the styles of a page are so plain that its tags alone tell its text, without its tree.

Most pages that style themselves hide a few whole elements, and make blocks of what is one in any
case. Where more is said of an element, what it makes of it depends on what stands around.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from crawler.parse.css import OF_INTEREST, causes, declarations
from crawler.parse.css.boxes import DISPLAYS
from crawler.parse.css.cascade import Sheets, rules_of
from crawler.parse.css.matching import Compound, Selector, TooDear
from crawler.parse.glance import Glance
from crawler.parse.hidden import sheet_in, style_elements, without
from crawler.parse.hidden_walk import (
    MOST_WORDS,
    UNSHOWN,
    WITH_OTHERS,
    asked_for,
    hidden_parts,
    hides,
)
from crawler.parse.hints import hinted
from crawler.parse.nesting import is_whole
from crawler.parse.sweeps import has_end_within_quotes
from crawler.parse.tokenizer import Span, attributes_of, spans

_BLOCKS = frozenset(name for name, display in DISPLAYS.items() if display == "block") - frozenset(
    "body html legend optgroup option summary".split()
)
# What may be hidden as a whole without a trace: no part of a table, a list or a line.
_WHOLE = _BLOCKS - {"hr", "li", "dd", "dt"} | frozenset(
    "a abbr b bdi bdo big button cite code data del dfn em font i img input ins kbd label mark nav"
    " nobr q s samp small span strike strong sub sup svg table textarea time tt u var".split()
)
# Names whose elements are looked at with what they hold, or not at all.
_UNREAD = frozenset(name for name, display in DISPLAYS.items() if display == "none") | {
    "",
    "iframe",
}
_AS_BLOCK = frozenset(("block", "list-item", "flow-root"))
_NOTHING, _BLOCK, _GONE, _MORE = "", "block", "gone", "more"


class _Telling(NamedTuple):
    """A rule that may change a text: for which elements it is, and what it makes of them."""

    asked: Compound
    kind: str


_Rules = Mapping[str, list[_Telling]]  # by an id, a class or a name


def seen_by_tags(html: str, look: Glance, *, quirks: bool) -> tuple[str, int] | None:
    """Return what `hidden.seen` does, of a small page whose tags tell that one by one; else None.

    `quirks`: classes and ids are compared in any case.
    """
    sheets = _sheets(html) if b"<style" in look.names else ()
    try:
        rules, blocks = _telling(sheets, quirks=quirks)
    except TooDear:
        return None
    if b"popover" in look.low or (b"<template" in look.names and "shadowroot" in html):
        return None
    words = {re.escape(key[1:]) for key in rules if key[:1] in ("#", ".")}
    words = words if len(words) <= MOST_WORDS else {"class", "id"}
    names = {key for key in rules if key[:1] not in ("#", ".")}
    if not names.isdisjoint(_UNREAD) or has_end_within_quotes(html):
        return None
    sheet = sheet_in(html)
    more, others = asked_for(sheet)
    places = hinted(html, more | names, others | words)
    if places is None:
        return None
    for start, _ in places:
        span = next(spans(html, start), None)
        if span is None or span.start != start:
            continue
        kinds = _kinds(span, rules, quirks=quirks)
        if span.name in UNSHOWN and not kinds:
            continue
        if _MORE in kinds or len(kinds) > 1 or hides(span, sheet) != (_GONE in kinds):
            return None
        if (_GONE in kinds and span.name not in _WHOLE - blocks) or (
            _BLOCK in kinds and span.name not in _BLOCKS
        ):
            return None
    parts = list(hidden_parts(html, sheet))
    if not all(is_whole(html[start:end]) for start, end, _ in parts):
        return None
    if any(_is_in_link(html, start) and "<a" in html[start:end] for start, end, _ in parts):
        return None  # a link in a link ends it, and all in it
    return without(html, parts)


def _is_in_link(html: str, at: int) -> bool:
    return max(html.rfind("<a ", 0, at), html.rfind("<a>", 0, at)) > html.rfind("</a", 0, at)


def _sheets(html: str) -> Sheets:
    found = []
    for tag, text in style_elements(html):
        attributes = attributes_of(tag)
        if attributes.get("type", "").lower() in ("", "text/css"):
            found.append((attributes.get("media", ""), text))
    return tuple(found)


@lru_cache(maxsize=16)  # the pages of a site mostly have the same
def _telling(sheets: Sheets, *, quirks: bool) -> tuple[_Rules, frozenset[str]]:
    """Return the rules that may change a text, and which blocks others make blocks."""
    found: dict[str, list[_Telling]] = {}
    blocks = set()
    for key, selector, style in rules_of(sheets, quirks=quirks).all() if sheets else ():
        last = selector.compounds[0]
        kind = _kind(style)
        if kind == _GONE and not _is_plain(selector):
            kind = _MORE
        if kind == _BLOCK and last.name in _BLOCKS:
            blocks.add(last.name)
        elif kind:
            found.setdefault(key, []).append(_Telling(last, kind))
    return found, frozenset(blocks)


def _is_plain(selector: Selector) -> bool:
    return selector.certain and len(selector.compounds) == 1 and not selector.compounds[0].tests


def _kind(style: Mapping[str, str]) -> str:
    """Return what declarations make of an element."""
    told = {name: value for name, value in style.items() if name in OF_INTEREST}
    if "all" in style or any("var(" in value for value in told.values()):
        return _MORE
    display, placed = told.pop("display", ""), told.pop("position", "")
    floats, visibility = told.pop("float", "none"), told.pop("visibility", "")
    if visibility or "content-visibility" in told or causes({**told, **WITH_OTHERS}):
        return _MORE
    if display == "none":
        return _GONE
    if display and display not in _AS_BLOCK:
        return _MORE
    return _BLOCK if display or floats != "none" or placed in ("absolute", "fixed") else _NOTHING


def _kinds(span: Span, rules: _Rules, *, quirks: bool) -> set[str]:
    """Return what rules, the style and the attributes of an element make of it."""
    own = attributes_of(span.attributes)
    id_, classes = own.get("id", ""), own.get("class", "")
    if quirks:
        id_, classes = id_.lower(), classes.lower()
    held = set(classes.split())
    kinds = {
        rule.kind
        for key in (span.name, f"#{id_}", *(f".{one}" for one in held))
        for rule in rules.get(key, ())
        if rule.asked.name in ("", span.name)
        and rule.asked.id in ("", id_)
        and held.issuperset(rule.asked.classes)
    }
    if "style" in own:
        kinds.add(_kind(declarations(own["style"]).style))
    hidden = own.get("hidden")
    if hidden is not None and not span.foreign:
        kinds.add(_MORE if "style" in own or hidden.lower() == "until-found" else _GONE)
    if own.get("aria-hidden", "").strip().lower() == "true":
        kinds.add(_GONE)
    if span.name in ("dialog", "object"):
        kinds.add(_MORE)
    kinds.discard(_NOTHING)
    return kinds
