"""What a reader sees of an HTML page, as plain text, in three sweeps and without a tree.

Scripts, styles and comments go, what is hidden goes, tags inside a line vanish, all other tags end
a line. It is linear, whatever the markup (docs/decisions/0011-search.md has the figures).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from html import unescape
from typing import NamedTuple

from crawler.lazy_regex import lazy
from crawler.parse.displayed import in_lines, may_display
from crawler.parse.hidden import UNSHOWN, may_hide, seen
from crawler.parse.invisible import visible
from crawler.parse.plain_markup import plain_markup
from crawler.parse.tokenizer import is_frameset, tags
from crawler.parse.words import any_case

# What stands on lines of its own (https://html.spec.whatwg.org/#flow-content-3). All other
# elements, unknown ones and boxes within a line too, are in a line, as browsers' innerText says.
_BLOCKS = (  # the common ones first
    "div li p td tr dd dt dl ul br pre table tbody h1 h2 h3 h4 h5 h6 hr"
    " address article aside blockquote caption center details dialog dir fieldset"
    " figcaption figure footer form header hgroup legend listing main menu nav foreignobject"
    " ol optgroup option plaintext search section select summary text tfoot th thead xmp"
)
_INLINE = (
    "a abbr acronym b bdi bdo big cite code data dfn del em font i img ins kbd label mark nobr q rp"
    " rt ruby s samp small span strike strong sub sup time tt u var wbr"
)


def _by_first(names: Iterable[str]) -> str:
    """Spell the names by first letters, each of which is compared once for all that begin so."""
    return "|".join(f"{letter}(?:{'|'.join(ends)})" for letter, ends in _rests(names).items())


def _by_letter(names: Iterable[str]) -> str:
    """Spell the names in any case, in the same way."""
    return "|".join(
        f"[{letter}{letter.upper()}](?:{any_case(' '.join(ends))}){'' if all(ends) else '?'}"
        for letter, ends in _rests(names).items()
    )


def _rests(names: Iterable[str]) -> dict[str, list[str]]:
    """Return what follows the first letter of names, by that letter."""
    rests: dict[str, list[str]] = {}
    for name in sorted(names):
        rests.setdefault(name[0], []).append(name[1:])
    return rests


# What nobody reads. Cut off by the end of the document, it is taken to the end, so that no search
# starts inside it again.
_TO_END = r"""[^>=]*+(?:=[\t\n\f\r ]*+(?:"[^"]*+"?|'[^']*+'?)?+[^>=]*+)*+>?"""  # of an end tag
_UNREAD = lazy(
    rf"""<(?=[!?sStTnNiIdDaAvVcC])(?:
      !--(?:-?>|(?:[^-]++|-(?!-!?>))*+(?:--!?>|\Z))
    | ({any_case("script style title textarea")})(?=[\s/>])[^>]*+>?
      (?:[^<]++|<(?!/(?i:\1)[\s/>]))*+(?:</{_TO_END}|\Z)
    | ([sS][vV][gG])(?=[\s/>])[^>]*+>?(?:[^<]++|<(?!/[sS][vV][gG][\s/>]))*+(?:</[^>]*+>?|\Z)
    | ({_by_letter([*UNSHOWN, "dialog"])})(?=[\s/>])
    | [!?][^>]*+>?)""",
    re.VERBOSE,
)
_IS_BLOCK = frozenset(_BLOCKS.split()).__contains__
_NAMES = f"{'|'.join(_BLOCKS.split())}|(?=[A-Z])(?:{_by_letter(_BLOCKS.split())})"
_WITHIN = f"{_by_first(_INLINE.split())}|(?=[A-Z])(?:{_by_letter(_INLINE.split())})"


class _Sweeps(NamedTuple):
    """What takes out tags: those known in a line, runs of those that end one, and all others."""

    inside: re.Pattern[str]
    block: re.Pattern[str]
    other: re.Pattern[str]


def _sweeps(rest: str) -> _Sweeps:
    """Return the sweeps, given what follows a tag's name."""
    block = rf"</?(?:{_NAMES})(?=[\s/>]){rest}"
    return _Sweeps(
        lazy(rf"</?(?:{_WITHIN})(?=[\s/>]){rest}"),
        lazy(rf"{block}(?:[ \t\f]*+{block})*+"),
        lazy(rf"<(?:/?[a-zA-Z]|/(?=[^a-zA-Z])){rest}"),
    )


_PLAIN = _sweeps(r"[^>]*+>?")
# As the tokenizer of the HTML standard takes it, at three times the cost: a ">" within quotes
# behind a "=" does not end a tag, quotes elsewhere mean nothing.
_BARE = r"""[^\t\n\f\r >"'][^\t\n\f\r >]*+"""
_REST = rf"""(?:[^>="']++|=[\t\n\f\r ]*+(?:"[^"]*+"?|'[^']*+'?|{_BARE})?+|["'])*+>?"""
_EXACT = _sweeps(_REST)
# What is left of tags whose names contain a "<", and of those that are comments: "</ ".
_ODD = lazy(r"<(?:/?[a-zA-Z][^<>]*+(?:<|\Z)|/[^a-zA-Z>])")
_REMAINDER = lazy(r"""["'][^<>"'\n]{0,100}>""")  # of a tag that was cut within quotes
# What a formula is made of: each part is a box of its own.
_FORMULA = lazy(
    r"</?m(?:[inos]|text|row|frac|sqrt|root|style|padded|error|t(?:able|d|r)|s(?:u[bp]|ubsup)"
    r"|over|under|underover|fenced|enclose|multiscripts)(?=[\s/>])[^>]*+>"
)
# What stands for ruby, a bar or a gauge where a browser cannot draw one.
_IN_PLACE = lazy(
    r"<rp(?=[\s/>])[^>]*+>[^<]*+|<(progress|meter)(?=[\s/>])[^>]*+>(?:[^<]++|<(?!/\1[\s/>]))*+"
)
_WITHIN_QUOTES = lazy(r"""=[\t\n\f\r ]*+(?:"[^">]*+>|'[^'>]*+>)""")
_NAMESPACE = lazy(r"http://www\.w3\.org/(?:1999/xhtml|2000/svg|1998/Math/MathML)")
_WINDOW = 128 * 1024  # characters that one sweep may take without letting other threads run


class Readable(NamedTuple):
    """The text of a page, and how many characters of it were left out as nobody sees them."""

    text: str
    hidden: int


def text_of(html: str, *, hidden: bool = False) -> str:
    """Return the readable text of a page: one line a block, white space collapsed, no markup.

    `hidden` keeps what a reader does not see.
    """
    return _text(_unread(html)[0]) if hidden else read(html).text


def read(html: str, raw: bytes | None = None, *, xml: bool = False) -> Readable:
    """Return the text of a page that a reader sees, and what of it is hidden.

    `raw` is the page in any encoding that writes ASCII as ASCII, where that is at hand. `xml` says
    that the page is XHTML.
    """
    if "\0" in html:
        html = html.replace("<\0", "&lt;\ufffd")  # no tag; all other zeros are dropped
    if xml:
        if _NAMESPACE.search(html) is None:  # its markup is all that a browser shows
            return Readable("", 0)
        html, raw = plain_markup(html, xml=True), None
    elif _is_misplaced(html):
        from crawler.parse.browser_tree import in_order  # Lexbor, which most pages never need

        html, raw = _LOOSE.sub(r"\1", in_order(html)), None
    if not xml and may_display(html):
        html, raw = in_lines(html, _IS_BLOCK), None
    read, odd = _unread(html)
    hidden = 0
    if ("rameset" in html or "RAMESET" in html) and is_frameset(html):
        return Readable("", 0)
    if odd or may_hide(html, raw):
        cut, hidden = seen(html)
        read, _ = _unread(cut)
    text, invisible = visible(_text(read))
    return Readable(text, hidden + invisible)


def same_text(page: str, other: str) -> bool:
    """Return whether two pages have the same text.

    Most pages hide nothing and are in order: where they differ in scripts or comments alone, it is
    told for a third of what both texts cost.
    """
    one, two = _shown(page), _shown(other)
    if one is None or two is None:
        return text_of(page) == text_of(other)
    return one == two or visible(_text(one))[0] == visible(_text(two))[0]


def _shown(html: str) -> str | None:
    """Return a page without what nobody reads; None where what is shown takes a closer look."""
    if _is_misplaced(html) or may_hide(html):
        return None
    read, odd = _unread(html)
    return None if odd else read


def _unread(html: str) -> tuple[str, bool]:
    """Take out what nobody reads; return whether there are elements that may not be shown."""
    odd = False
    strange = False

    def without(found: re.Match[str]) -> str:
        nonlocal odd, strange
        if found[2]:
            drawn = _is_drawn(found[0])
            strange = strange or drawn or _is_odd_picture(found[0])
            return found[0] if drawn else "<svg>"
        if not found[3]:
            strange = strange or _is_strange(found[1], found[0]) or _is_in_a_tag(found)
            return ""
        odd = True
        return found[0]

    read = _UNREAD.sub(without, html)
    if strange or _TEXT_BY_NAME.search(read):
        read = _UNREAD.sub(without, plain_markup(html))
    return read, odd


# What a browser puts elsewhere, or leaves out: what stands in a table and in no cell of it, in a
# list and in none of its options, and end tags of what is not open.
_TABLE = lazy(
    r"""<(?:table|/?t(?:r|body|head|foot)|/t[dh]|/caption)(?=[\s>])[^>]*+>\s*+
    (?!<(?:/?t|/?c(?:aption|ol)|/?form|script|style|template|input|!--)|\Z)""",
    re.VERBOSE,
)
_LIST = lazy(r"<select(?=[\s>])[^>]*+>\s*+(?!</?(?:opt|select|hr)|<!--|<script|<template)")
# What of a list is none of its options: it is not shown.
_LOOSE = lazy(r"(<select(?=[\s>])[^>]*+>|</opt(?:ion|group)>)(?:[^<]++|<(?!/?(?:opt|select)))++")
_LARGE = 32 * 1024  # characters of a page whose tree costs more than the order of its words says


def _is_misplaced(html: str) -> bool:
    if len(html) > _LARGE or "<plaintext" in html:  # whose end no markup can write
        return False
    return (
        ("<table" in html and _TABLE.search(html) is not None)
        or ("<select" in html and _LIST.search(html) is not None)
        or html.count("</div") > html.count("<div")
    )


_TEXT_BY_NAME = lazy("<(?:xmp|plaintext|XMP|PLAINTEXT)")
# What of a picture is no text that is drawn: its tags, its title, description and style.
_UNDRAWN = lazy(
    rf"""<({any_case("title desc style script")})(?=[\s/>])[^>]*+>(?:[^<]++|<(?!/(?i:\1)[\s/>]))*+
    | <[^>]*+>""",
    re.VERBOSE,
)


def _is_drawn(svg: str) -> bool:
    """Return whether a picture may have text that is shown."""
    return _UNDRAWN.sub("", svg).strip() != ""


def _is_odd_picture(svg: str) -> bool:
    """Return whether a picture ends elsewhere than it seems to, or holds CDATA."""
    return (
        _EMPTY.match(svg) is not None
        or "<![CDATA[" in svg
        or svg.rfind("<!--") > svg.rfind("-->")
        or _PICTURE.search(svg, 4) is not None
    )


_EMPTY = lazy(r"<[^>]*+(?<=/)>")
_PICTURE = lazy(r"<[sS][vV][gG][\s/>]")


def _is_strange(name: str | None, markup: str) -> bool:
    """Return whether only a tokenizer can tell where an element ends, or what it is.

    A "/>" ends an element of SVG, where it may be, and none of HTML; so with CDATA. And a script
    may hold a script.
    """
    if name is None:
        return markup.startswith("<![CDATA[")
    inner = name.lower() == "script" and "<!--" in markup
    return inner or _EMPTY.match(markup) is not None


def _is_in_a_tag(found: re.Match[str]) -> bool:
    """Return whether a "<!--" stands before the end of a tag, where it begins no comment."""
    html, at = found.string, found.start()
    return html.rfind("<", 0, at) > html.rfind(">", 0, at)


def _text(html: str) -> str:
    """Return the text of markup from which the unread was taken."""
    if "<math" in html:
        html = _FORMULA.sub(" ", html)
    if "<rp" in html or "<progress" in html or "<meter" in html:
        html = _IN_PLACE.sub("", html)
    # str.translate would take twenty times as long.
    html = html.replace("\n", " ").replace("\r", " ")
    text = _without_known(html, _PLAIN)
    if "<" in text:
        if _ODD.search(text) is not None:
            html = _bare(html)
            text = _without_known(html, _PLAIN)
        text = _PLAIN.other.sub("", text)
    if _is_unclosed(html) or (
        ">" in text and _REMAINDER.search(text) and _WITHIN_QUOTES.search(html)
    ):
        text = _swept(html, _EXACT)
    text = unescape(text).replace("\0", "")
    return "\n".join(
        [
            line
            for part in text.split("\n")
            if (line := " ".join(part.split()) if part.isascii() else _collapsed(part))
        ]
    )


def _is_unclosed(html: str) -> bool:
    """Return whether the last quote of a page may begin a value that nothing ends."""
    ends = (html.rfind(quote) for quote in "\"'")
    return any(end > 0 and html[max(0, end - 9) : end].rstrip(" \t\f")[-1:] == "=" for end in ends)


def _collapsed(line: str) -> str:
    """Collapse what is white space to HTML, which no-break and ideographic spaces are not.

    https://infra.spec.whatwg.org/#ascii-whitespace; a line of nothing but spaces is none.
    """
    words = line.replace("\t", " ").replace("\f", " ").split(" ")
    return "" if line.isspace() else " ".join([word for word in words if word])


def _swept(html: str, sweeps: _Sweeps) -> str:
    text = _without_known(html, sweeps)
    return sweeps.other.sub("", text) if "<" in text else text


def _without_known(html: str, sweeps: _Sweeps) -> str:
    """Take out the tags that are known by their names."""
    inside, block, _ = sweeps
    return "".join([block.sub("\n", inside.sub("", part)) for part in _windows(html, sweeps)])


def _bare(html: str) -> str:
    """Return markup with tags that have nothing but a name, as the tokenizer reads them."""
    kept = []
    for tag in tags(html):
        kept.append(tag.before.replace("<", "&lt;"))
        name = tag.name if tag.name.isalnum() else "x"
        kept.append(f"<{'/' if tag.ends else ''}{name}>{tag.raw.replace('<', '&lt;')}")
    return "".join(kept)


def _windows(text: str, sweeps: _Sweeps) -> Iterator[str]:
    """Cut a text where no tag can be: behind the end of one."""
    at = 0
    while at < len(text):
        end = len(text)
        if end - at > _WINDOW and sweeps is _PLAIN:
            end = text.find(">", at + _WINDOW) + 1 or end
        elif end - at > _WINDOW and (tokens := _tokens(_WINDOW // 64).match(text, at)):
            end = tokens.end()
        yield text[at:end]
        at = end


@cache
def _tokens(number: int) -> re.Pattern[str]:
    """Return what matches some tags and the texts between them."""
    return lazy(rf"(?:[^<]++|<[/a-zA-Z]{_REST}|<){{1,{number + 1}}}+")
