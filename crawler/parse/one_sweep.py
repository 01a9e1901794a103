"""The text of a page whose tags are all plain, in one sweep: as nearly all pages are.

Runs of tags and white space become the end of a line, a blank, or nothing. Whatever takes a closer
look, such as a drawing with words or an odd quote, ends the sweep: then `unread` and `sweeps` tell,
in several. As elsewhere all loops are possessive, so that the sweep is linear.
"""

from __future__ import annotations

import re

from crawler.parse.hidden_walk import UNSHOWN
from crawler.parse.machine_code import MachineCode
from crawler.parse.references import unescape_in_lines
from crawler.parse.sweeps import blocks_but, collapsed, inline_but, without_blank
from crawler.parse.syntax import PLAIN_ATTRIBUTES, PLAIN_NAME, any_case

_BLANK = r"[\t\n\f\r\ ]"
_NAMED = r"(?=[\t\n\f\r />])"
_TAG = rf"{PLAIN_ATTRIBUTES}>"
_COMMENT = r"!--(?:-?>|(?:[^-]++|-(?!-!?>))*+--!?>)"
_TEXTS, _UNSEEN = "style title textarea", "noscript iframe noframes noembed"
# What is read in a way of its own, or hidden, or drawn, if there is anything in it.
_OTHERS = {
    *("script", *_TEXTS.split(), *_UNSEEN.split(), *UNSHOWN, "dialog", "svg", "math", "image"),
    *("xmp", "plaintext", "rp", "progress", "meter", "frameset", "text", "foreignobject"),
}
_BLOCKS, _INLINE = blocks_but(_OTHERS), inline_but(_OTHERS)
_SHAPES = (
    "path g use circle rect defs line polygon polyline ellipse stop linearGradient radialGradient"
    " clipPath symbol mask pattern marker filter"
)


def _raw(group: str, names: str, also: str = "") -> str:
    """Spell elements of raw text, behind the "<"; `also` is what must not be in them."""
    end = rf"/(?i:\g{{{group}}}){_NAMED}"
    return rf"""(?<{group}>{any_case(names)}){_NAMED}{_TAG}(?<!/>)
      (?:[^<]++|<(?!{end}{also}))*+<{end}{_BLANK}*+>"""


_PICTURE = rf"""svg{_NAMED}{_TAG}(?<!/>)(?:{_BLANK}++ | <!--[^<>-]*+-->
    | </?(?:{_SHAPES.replace(" ", "|")}){_NAMED}{_TAG}
    | <(title|desc|style){_NAMED}{_TAG}(?<!/>)[^<]*+</\g{{-1}}>)*+</svg{_BLANK}*+>"""


def _within(number: int) -> str:
    """Spell what ends no line; its groups have that number in their names.

    Of a script that may hold another one it takes the tokenizer to tell the end, and what stands in
    an element that is not shown is counted elsewhere.
    """
    return rf"""
      </?+(?:{_INLINE}){_NAMED}{_TAG}
    | <(?:{_COMMENT} | !(?!--|\[CDATA\[)[^>]*+> | \?[^>]*+>
      | {_raw(f"script{number}", "script", "|!--")} | {_raw(f"text{number}", _TEXTS)}
      | (?<unseen{number}>{any_case(_UNSEEN)}){_NAMED}{_TAG}(?<!/>)
        </(?i:\g{{unseen{number}}}){_BLANK}*+>
      | {_PICTURE})
    | </?+(?!(?:{_BLOCKS}|{any_case(_OTHERS)}){_NAMED}){PLAIN_NAME}{_NAMED}{_TAG}"""


_ENDS, _LINE = rf"</?+(?:{_BLOCKS}){_NAMED}{_TAG}", "\n"
# A single blank between words stays as it is. The last mark that a match has met says what is
# written for it, which takes half as long as to tell groups apart. No match behind an odd tag.
_SWEEP = MachineCode(rf"""
    (?!\ [^\t\n\f\r\ <])(?:
      {_BLANK}++(*: ) | {_within(1)} | {_ENDS}(?:{_BLANK}++|{_ENDS}|{_within(2)})*+(*:{_LINE}))++
  | <(?=[a-zA-Z/!?])(*COMMIT)(*FAIL)""")
_WRITTEN = "${*MARK}"
_ODD = re.compile(rb"<[a-zA-Z/!?]")
# References to white space.
_WHITE = re.compile(
    rb"&(?:#(?:0*+(?:9|1[023]|32)(?!\d)|[xX]0*+(?:[9aAcCdD]|20)(?![\da-fA-F]))|Tab|NewLine)"
)
_WINDOW = 64 * 1024  # bytes that one sweep may take without letting other threads run


def text_in_one_sweep(html: str) -> str | None:
    """Return the text of a page as if nothing in it was hidden; None if it is not plain."""
    try:
        page = html.encode()
    except UnicodeEncodeError:
        return None
    if b"\0" in page or b"\x0b" in page:
        return None
    large = len(page) > _WINDOW
    swept = _by_windows(page) if large else _swept(page)
    if swept is None:
        return None
    text = unescape_in_lines(swept.strip(b" \n").decode())
    if large or (b"&" in swept and _WHITE.search(swept) is not None):
        return collapsed(text)
    return text if text.isascii() else without_blank(text)


def _swept(page: bytes) -> bytes | None:
    swept = _SWEEP.replaced(_WRITTEN, page)
    is_odd = swept is None or (b"<" in swept and _ODD.search(swept) is not None)
    return None if is_odd else swept


def _by_windows(page: bytes) -> bytes | None:
    """Return the same, white space not collapsed between two windows.

    What is odd in one may be cut off by its end.
    """
    pieces: list[bytes] = []
    at, window = 0, _WINDOW
    while at < len(page):
        far = min(at + 2 * window, len(page))
        end = page.find(b"<", at + window, far)
        end = end if end > 0 else far
        swept = _swept(page[at:end])
        if swept is not None:
            pieces.append(swept)
            at, window = end, _WINDOW
        elif end == len(page):
            return None
        else:
            window *= 2
    return b"".join(pieces)
