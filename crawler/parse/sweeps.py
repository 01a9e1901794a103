"""The text of markup that has nothing unread in it: tags are swept out, lines are collapsed.

Tags inside a line vanish, all other tags end a line.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from crawler.lazy_regex import lazy
from crawler.parse.comparison import shared_end, shared_start
from crawler.parse.foreign import BREAKOUT, ENDS
from crawler.parse.glance import IN_PLACE, Glance
from crawler.parse.invisible import visible
from crawler.parse.machine_code import MachineCode
from crawler.parse.references import unescape_in_lines
from crawler.parse.syntax import ATTRIBUTES, END, by_letter, rests
from crawler.parse.tokenizer import tags

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
    return "|".join(f"{letter}(?:{'|'.join(ends)})" for letter, ends in rests(names).items())


IS_BLOCK = frozenset(_BLOCKS.split()).__contains__


def blocks_but(others: Collection[str] = ()) -> str:
    """Spell the names of elements that end a line, without some."""
    names = [name for name in _BLOCKS.split() if name not in others]
    return f"{'|'.join(names)}|(?=[A-Z])(?:{by_letter(names)})"


def inline_but(others: Collection[str] = ()) -> str:
    """Spell the names of elements within a line, without some."""
    names = [name for name in _INLINE.split() if name not in others]
    return f"{_by_first(names)}|(?=[A-Z])(?:{by_letter(names)})"


_NAMES, _WITHIN = blocks_but(), inline_but()

_REST = r"[^>]*+>?"
_END = rf"(?=[\s/>]){_REST}"
# Runs of tags that are known by their names: those within a line, and 1: from one that ends a line
# on. Behind another "<" it takes the tokenizer to tell a tag.
_KNOWN = rf"""(?<!<)<(?:
      /?(?:{_WITHIN}){_END}(?:</?(?:{_WITHIN}){_END})*+
    | /?({_NAMES}){_END}(?:[ \t\f]*+</?(?:{_NAMES}|{_WITHIN}){_END})*+)"""
_TAGS = lazy(_KNOWN, re.VERBOSE | re.ASCII)
_TAGS_CODE = MachineCode(_KNOWN)
_OTHER = lazy(rf"<(?:/?[a-zA-Z]|/(?=[^a-zA-Z])){_REST}")
# As the tokenizer of the HTML standard takes a tag, at many times the cost.
_TAG = rf"""<(?:
      /?(?:((?i:{"|".join(_BLOCKS.split())})){END}|[a-zA-Z][^\t\n\f\r />]*+){ATTRIBUTES}>?
    | /(?=[^a-zA-Z])[^>]*+>?)"""
_EXACT, _EXACT_CODE = lazy(_TAG, re.VERBOSE | re.ASCII), MachineCode(_TAG)
_LINES = "${1:+\n:}"  # of tags, of which some end a line
# What is left of tags behind or around a "<", and of those that are comments: "</ ".
_ODD = lazy(r"<(?:<|/?[a-zA-Z][^<>]*+(?:<|\Z)|/[^a-zA-Z>])")
_REMAINDER = lazy(r"""["'][^<>"'\n]{0,100}>""")  # of a tag that was cut within quotes
# What a formula is made of: each part is a box of its own.
_FORMULA = lazy(
    r"</?m(?:[inos]|text|row|frac|sqrt|root|style|padded|error|t(?:able|d|r)|s(?:u[bp]|ubsup)"
    r"|over|under|underover|phantom|fenced|enclose|multiscripts)(?=[\s/>])[^>]*+>"
)
_MATH = lazy(r"<math(?=[\s>])[^<>]*+>(?:[^<]++|<(?!/?math[\s>]))*+(?:</math[^<>]*+>)?+")
_PART = lazy(r"(<(/?)([a-zA-Z][a-zA-Z0-9-]*+)[^<>]*+>)([^<]*+)")
_TOKENS = frozenset(("mi", "mo", "mn", "ms", "mtext"))
# What stands for ruby, a bar or a gauge where a browser cannot draw one.
_IN_PLACE = lazy(
    r"<rp(?=[\s/>])[^>]*+>[^<]*+|<(progress|meter)(?=[\s/>])[^>]*+>(?:[^<]++|<(?!/\1[\s/>]))*+"
)
# Of a tag without anything but brackets and quotes: not every quote in it is closed there.
_UNPAIRED = lazy(rb"""<(?:""|'')*+(?!>)""")
_NO_MARKS = bytes(set(range(256)) - set(b"""<>"'"""))
_QUOTED = r"""=[\t\n\f\r ]*+(?:"[^">]*+>|'[^'>]*+>)"""
_WITHIN_QUOTES, _WITHIN_QUOTES_CODE = lazy(_QUOTED), MachineCode(_QUOTED)
_WINDOW = 128 * 1024  # characters that one sweep may take without letting other threads run


def _drawn(formula: re.Match[str]) -> str:
    """Return a formula without what is not drawn: phantoms, and text that is in none of its tokens.

    An element of HTML that no token holds ends the formula, wherever its end tag stands.
    """
    inside = wrong = annotated = 0
    ended = False
    kept: list[str] = []
    for tag, ends, name, text in _PART.findall(formula[0]):
        step = -1 if ends else 1
        inside += step * (name in _TOKENS)
        wrong += step * (name in ("mglyph", "malignmark", "mphantom"))
        annotated += step * (name == "annotation-xml")
        if inside <= 0 and annotated <= 0 and name.lower() in (ENDS if ends else BREAKOUT):
            ended = True
        part = tag if ended or _FORMULA.fullmatch(tag) is None else " "
        kept += (part, text if ended or (inside > 0 and wrong <= 0) else "")
    return "".join(kept)


def lines_of(html: str, look: Glance | None = None) -> str:
    """Return the text of markup from which the unread was taken; `look` as of its page."""
    if (look is None or b"<math" in look.names) and "<math" in html:
        html = _MATH.sub(_drawn, html)
    if (look is None or look.has(IN_PLACE)) and any(
        word in html for word in ("<rp", "<progress", "<meter")
    ):
        html = _IN_PLACE.sub("", html)
    # str.translate would take twenty times as long.
    html = html.replace("\n", " ").replace("\r", " ")
    text = _without_known(html)
    if "<" in text:
        if _ODD.search(text) is not None:
            html = _bare(html)
            text = _without_known(html)
        text = _OTHER.sub("", text)
    if _is_unclosed(html) or (has_end_within_quotes(html) and _is_odd(html, text)):
        text = _without(html, _EXACT_CODE, _EXACT)
    return collapsed(unescape_in_lines(text).replace("\0", ""))


# White space to HTML, which no-break and ideographic spaces are not
# (https://infra.spec.whatwg.org/#ascii-whitespace): with the end of a line, or without.
_BLANK = r"[\ \t\f\r]"
_WHITE = rf"(?:\ ?+(\n)|\ {_BLANK}|[\t\f\r]){_BLANK}*+(?:(\n)[\ \t\f\r\n]*+)?+"
_RUNS, _RUNS_CODE = lazy(_WHITE, re.VERBOSE), MachineCode(_WHITE)


def collapsed(text: str) -> str:
    """Return the lines of a text, white space collapsed, without those that are empty."""
    found = _RUNS_CODE.replaced("${1:+\n:${2:+\n: }}", text)
    if found is None:
        found = _RUNS.sub(lambda run: run[1] or run[2] or " ", text)
    found = found.strip(" \n")
    return found if found.isascii() else without_blank(found)


def without_blank(text: str) -> str:
    """Return the lines of a text that have more in them than white space of any script."""
    lines = text.split("\n")
    if not any(map(str.isspace, lines)):
        return text
    return "\n".join([line for line in lines if not line.isspace()])


# ---------------------------------------------------------------- what of two pages differs

_BLOCK_TAG = lazy(rf"</?(?:{_NAMES})(?=[\s/>])")
_TRIES = 64  # tags that are looked at for one that ends a line


class DifferingPart(NamedTuple):
    """Where two pages differ: from where, and up to where in the one and in the other.

    It begins and ends where a line does, and no tag is cut.
    """

    start: int
    end: int
    other_end: int


def difference(one: str, other: str) -> DifferingPart | None:
    """Return where two pages differ, None where that is not to be told by lines."""
    shared = shared_start(one, other)
    behind = shared_end(one, other, shared)
    start, end = _block_before(one, shared), _block_behind(one, len(one) - behind)
    other_end = len(other) - (len(one) - end)
    if start < 0 or not all(map(_is_text, (one, one, other), (start, end, other_end))):
        return None
    return DifferingPart(start, end, other_end)


def same_lines(one: str, other: str, found: DifferingPart | None) -> bool:
    """Return whether two markups from which the unread was taken have the same text.

    `found` is where they differ: where the lines there say it, only these are read.
    """
    if found is not None and _is_calm(one, found.start, found.end, whole=True):
        start, _, end = found
        if _is_calm(other, start, end, whole=False):
            mine, its = lines_of(one[start : found.end]), lines_of(other[start:end])
            if visible(mine)[0] == mine and visible(its)[0] == its:  # by their neighbours
                return mine == its
    return visible(lines_of(one))[0] == visible(lines_of(other))[0]


def _is_calm(html: str, start: int, end: int, *, whole: bool) -> bool:
    """Return whether a part is read alone as it is within all of its page.

    `whole`: all of the page is looked through; else the part, the rest being known.
    """
    first = 0 if whole else html.rfind(">", 0, start) + 1
    last = len(html) if whole else html.find(">", end) + 1 or len(html)
    if _is_unclosed(html):
        return False
    part = html[first:last]
    if _UNPAIRED.search(part.encode("utf-8", "surrogatepass").translate(None, _NO_MARKS)) is None:
        return True
    return _WITHIN_QUOTES.search(part) is None and not [
        piece for piece in part.split("<")[1:] if ">" not in piece
    ]


def _block_before(html: str, end: int) -> int:
    """Return where the last tag begins that ends a line and whose name ends before `end`, or -1."""
    at = end
    for _ in range(_TRIES):
        at = html.rfind("<", 0, at)
        if at < 0 or _BLOCK_TAG.match(html, at, end):
            return at
    return -1


def _block_behind(html: str, start: int) -> int:
    """Return where the next tag begins that ends a line, the end of the page if there is none."""
    found = _BLOCK_TAG.search(html, start)
    return found.start() if found is not None else len(html)


def _is_text(html: str, at: int) -> bool:
    """Return whether a place is behind the end of all tags before it."""
    return html.rfind("<", 0, at) <= html.rfind(">", 0, at)


# ---------------------------------------------------------------- the sweeps


def _is_unclosed(html: str) -> bool:
    """Return whether the last quote of a page may begin a value that nothing ends."""
    ends = (html.rfind(quote) for quote in "\"'")
    return any(end > 0 and html[max(0, end - 9) : end].rstrip(" \t\f")[-1:] == "=" for end in ends)


def has_end_within_quotes(html: str) -> bool:
    """Return whether a value may have a ">" within its quotes."""
    found = _WITHIN_QUOTES_CODE.expanded("!", html)
    return _WITHIN_QUOTES.search(html) is not None if found is None else found != ""


def _is_odd(html: str, text: str) -> bool:
    """Return whether the quotes of a page, or what is left of its tags, ask for a closer look."""
    odd = html.count('"') % 2 == 1 or "='" in html
    return odd or (">" in text and _REMAINDER.search(text) is not None)


def _without_known(html: str) -> str:
    """Take out the tags that are known by their names."""
    return "".join([_without(part, _TAGS_CODE, _TAGS) for part in _windows(html)])


def _without(html: str, code: MachineCode, same: re.Pattern[str]) -> str:
    """Write the end of a line in place of tags that end one, and nothing in place of others."""
    found = code.replaced(_LINES, html)
    return same.sub(lambda tag: "\n" if tag[1] else "", html) if found is None else found


def _bare(html: str) -> str:
    """Return markup with tags that have nothing but a name, as the tokenizer reads them."""
    kept = []
    for tag in tags(html):
        kept.append(tag.before.replace("<", "&lt;"))
        name = tag.name if tag.name.isalnum() else "x"
        kept.append(f"<{'/' if tag.ends else ''}{name}>{tag.raw.replace('<', '&lt;')}")
    return "".join(kept)


def _windows(text: str) -> Iterator[str]:
    """Cut a text where no tag can be: behind the end of one."""
    at = 0
    while at < len(text):
        end = len(text)
        if end - at > _WINDOW:
            end = text.find(">", at + _WINDOW) + 1 or end
        yield text[at:end]
        at = end
