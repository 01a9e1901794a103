"""Whether the blocks of a page nest as they are written, so that their tags alone tell its lines.

A browser moves what stands in a table outside of its cells, ends a heading by the next one, and
ignores what ends nothing (https://html.spec.whatwg.org/#parsing-main-inbody). Where that happens a
tag is not where a block begins or ends. Elements within a line make no difference.
"""

from __future__ import annotations

import re

from crawler.lazy_regex import lazy
from crawler.parse.machine_code import MachineCode
from crawler.parse.syntax import COMMENT, any_case

_HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
_CELLS = frozenset(("td", "th"))
_SECTIONS = frozenset(("tbody", "thead", "tfoot"))
_IN_TABLE = frozenset(("table", "tr", *_SECTIONS))
_RUBY = frozenset(("ruby", "rt"))  # blocks in these are boxes in a line
_NO_PLACE = _IN_TABLE | _RUBY
_ITEMS = {"li": ("li",), "dt": ("dt", "dd"), "dd": ("dt", "dd")}
_PASSED = frozenset(("div", "address", "p"))  # within an item, which the next one ends with them
_CLOSES_P = frozenset(
    "address article aside blockquote center details dialog dir div dl fieldset figcaption figure"
    " footer form h1 h2 h3 h4 h5 h6 header hgroup hr li dt dd listing main menu nav ol p plaintext"
    " pre search section summary table ul xmp".split()
)
# What may be left open, and ends with what it stands in.
_UNENDED = frozenset(("p", "rt", "li", "dt", "dd", "option", "optgroup", "tr", *_CELLS, *_SECTIONS))
_NAMES = (
    "div p li tr td th ul ol dl dt dd table tbody thead tfoot caption h1 h2 h3 h4 h5 h6 form"
    " section article aside header footer nav main address blockquote center details dialog dir"
    " fieldset figcaption figure hgroup hr input legend listing menu option optgroup pre search"
    " select summary button object marquee applet ruby rt text foreignobject xmp plaintext".split()
)
_KNOWN = frozenset((*_NAMES, *(f"/{name}" for name in _NAMES)))
# What has no rules of its own, but that it ends a paragraph.
_PLAIN = frozenset(
    "div ul ol dl section article aside header footer nav main address blockquote center details"
    " dialog dir fieldset figcaption figure hgroup listing menu pre search summary".split()
)
_NAME = r"<(/?(?!(?:a|b|i|em|tt|code|span|strong|font|img|br)[\s>/])[a-zA-Z][a-zA-Z0-9-]*+)"
_TAGS, _TAGS_CODE = lazy(_NAME, re.ASCII), MachineCode(_NAME)
# The same of a page with all that is no markup in it, each of which ends where it seems to.
_WRITTEN_CODE = MachineCode(rf"""<(?:{COMMENT}
    | ({any_case("script style title textarea")})(?=[\s/>])[^>]*+>(?:[^<]++|<(?!/(?i:\1)[\s/>]))*+
    | {_NAME.removeprefix("<")})""")
_ONCE = frozenset(("form", "button", "select"))  # none of these in another
_IN_LINE = frozenset(("button", "object", "marquee", "applet"))  # whose end tag ends no line
_ODD = frozenset(("text", "foreignobject", "xmp", "plaintext"))
_ENDED_BY = {name: f"/{name}" for name in ("", *_NAMES)}
_DEEPEST = 500  # elements within each other: a browser has no deeper ones


def is_in_order(markup: str) -> bool:
    """Return whether the blocks of a page nest as they are written.

    Comments, scripts and whatever else has no tags in it are taken out.
    """
    open_: list[str] = []
    return _walk(_names(markup), open_) and len(open_) < _DEEPEST


def is_in_order_as_written(html: str) -> bool:
    """Return the same of a page that `one_sweep` finds plain."""
    names, open_ = _WRITTEN_CODE.expanded("$2 ", html), list[str]()
    return names is not None and _walk(names, open_) and len(open_) < _DEEPEST


def is_whole(markup: str) -> bool:
    """Return whether a part is one element whatever is around it: its end tag is its own.

    Within a line it holds none that ends a paragraph, and with that the element.
    """
    ends = _WHOLE.fullmatch(markup)
    if ends is None or ends[1].lower() != ends[2].lower():
        return False
    if ends[1].lower() not in _KNOWN:
        found = _TAGS_CODE.expanded("$1 ", markup)
        return found is not None and _KNOWN.isdisjoint(found.lower().split())
    open_: list[str] = []
    return _walk(_names(markup), open_) and not open_


_WHOLE = lazy(r"<([a-zA-Z][^\s/>]*+)(?s:.*)</([a-zA-Z][^\s/>]*+)[^<>]*+>")


def both_in_order(before: str, mine: str, its: str, behind: str) -> bool:
    """Return the same of two pages, of which a part differs; what they share is looked at once."""
    open_: list[str] = []
    if not _walk(_names(before), open_):
        return False
    other = open_.copy()
    if not (_walk(_names(mine), open_) and _walk(_names(its), other)):
        return False
    rest = _names(behind)
    if other != open_ and not (_walk(rest, other) and len(other) < _DEEPEST):
        return False
    return _walk(rest, open_) and len(open_) < _DEEPEST


def _names(markup: str) -> str:
    found = _TAGS_CODE.expanded("$1 ", markup)
    return " ".join(_TAGS.findall(markup)) if found is None else found


def _walk(found: str, open_: list[str]) -> bool:
    """Take the tags of a part, within what is open; return whether all are where they seem."""
    names = found.split()
    if names and not found.islower():
        mixed = any(not (name.islower() or name.isupper()) for name in names)
        names = [name.lower() for name in names]
        if mixed and not _KNOWN.isdisjoint(names):  # <lI>, which the sweeps take for another
            return False
    top = open_[-1] if open_ else ""
    ended_by, simple = f"/{top}", _SIMPLE[top]
    for name in names:
        if name == ended_by:
            open_.pop()
        elif name in simple:
            open_.append(name)
        elif name not in _KNOWN or (name == "p" and top == "p"):
            continue
        elif not (_ends(name[1:], open_) if name[0] == "/" else _starts(name, open_)):
            return False
        top = open_[-1] if open_ else ""
        ended_by, simple = _ENDED_BY[top], _SIMPLE[top]
    return True


def _starts(name: str, open_: list[str]) -> bool:
    """Take a start tag; return whether it is where it seems to be."""
    if name in _ODD:
        return False
    top = open_[-1] if open_ else ""
    if top == "p" and name in _CLOSES_P:
        open_.pop()
        top = open_[-1] if open_ else ""
    if name in _CELLS or name == "tr" or name in _SECTIONS or name == "caption":
        return _starts_in_table(name, open_)
    if name in _RUBY:
        if top == name == "rt":
            open_.pop()
        open_.append(name)
        return top not in _IN_TABLE
    if top in _NO_PLACE:
        return False
    if name in _ITEMS:
        _end_items(name, open_)
        for one in reversed(open_):
            if one in _ITEMS[name]:
                return False
            if one not in _PASSED:
                break
    elif name in ("option", "optgroup"):
        while open_ and open_[-1] in ("option", name):
            open_.pop()
    elif (name in _HEADINGS and top in _HEADINGS) or (name in _ONCE and name in open_):
        return False
    if name not in ("hr", "input"):
        open_.append(name)
    return True


def _end_items(name: str, open_: list[str]) -> None:
    if open_ and open_[-1] in _ITEMS[name]:
        open_.pop()


def _starts_in_table(name: str, open_: list[str]) -> bool:
    ended = _CELLS if name in _CELLS else _CELLS | {"tr"}
    if name == "caption" or name in _SECTIONS:
        ended = ended | _SECTIONS
    while open_ and (open_[-1] in ended or open_[-1] == "p"):
        open_.pop()
    if not open_:
        return False
    if name in _CELLS:
        if open_[-1] not in _IN_TABLE:
            return False
        if open_[-1] != "tr":
            open_.append("tr")
    elif open_[-1] != "table" and (name != "tr" or open_[-1] not in _SECTIONS):
        return False
    open_.append(name)
    return True


def _ends(name: str, open_: list[str]) -> bool:
    """Take an end tag; return whether it ends what it seems to."""
    if name in ("p", "hr", "input"):  # one that ends no paragraph is an empty one
        if open_ and open_[-1] == name:
            open_.pop()
        return name == "p"
    while open_:
        top = open_.pop()
        if top == name or (name in _HEADINGS and top in _HEADINGS):
            return True
        if top not in _UNENDED or name in _IN_LINE:
            return False
    return False


def _opened_by(top: str) -> frozenset[str]:
    """Return what only opens where `top` is the innermost open element, whatever is around it."""
    if top in _NO_PLACE:
        return _IN_TABLES.get(top, frozenset())
    if top == "p":
        return frozenset()
    headings = frozenset() if top in _HEADINGS else _HEADINGS
    items = {name for name, ended in _ITEMS.items() if top not in (*_PASSED, *ended)}
    return _PLAIN | {"p"} | headings | items


_IN_TABLES = {
    "table": _SECTIONS | {"tr", "caption"},
    **dict.fromkeys(_SECTIONS, frozenset({"tr"})),
    "tr": _CELLS,
}
_SIMPLE = {top: _opened_by(top) for top in ("", *_NAMES)}
