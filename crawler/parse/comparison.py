"""Whether two pages say the same to who reads them, told by what differs if the rest is plain.

A page is plain if all of its tags are spelled as they should be, of elements that are shown
wherever a browser puts them, and without an attribute or a style that may hide. Two such pages
have other texts if what differs has other letters, and the same text if it has the same tags and
the same text. So the rest of them is only looked through for what is not plain, by one expression.
"""

from __future__ import annotations

import re
from typing import AnyStr

from crawler.lazy_regex import lazy
from crawler.parse.charset import decode, encoding_of
from crawler.parse.encodings import to_text
from crawler.parse.invisible import visible
from crawler.parse.machine_code import MachineCode
from crawler.parse.references import unescape
from crawler.parse.syntax import SPACE, by_letter

_SHOWN = (  # "option" and the like are shown within a list alone, "rp" and the like nowhere
    "html head body meta link base a abbr acronym address area article aside b bdi bdo big"
    " blockquote br button caption center cite code col colgroup data dd del details dfn dir div dl"
    " dt em fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr i img input"
    " ins kbd label legend li main map mark menu nav nobr ol p param picture pre q s samp section"
    " small source span strike strong sub summary sup table tbody td tfoot th thead time tr tt u ul"
    " var wbr"
)
_HARMLESS = (  # properties that neither hide anything nor make a line
    "clear|(?:text|vertical)-align|list-style(?:-type)?|text-decoration|font-(?:weight|style|family)"
    r"|(?:border|padding)(?:-[a-z]++)*+|(?:width|height)(?=:\ *+[1-9])"
)
_STYLE = rf"(?:{SPACE}*+(?:{_HARMLESS}):[a-zA-Z0-9\ .,%\#]*+;?+)*+{SPACE}*+"
_ATTRIBUTE = r"""[a-zA-Z][a-zA-Z0-9:_-]*+(?:=(?:"[^"<>]*+"|'[^'<>]*+'|[^\t\n\f\r "'<=>`]++))?+"""
_ATTRIBUTES = rf"""(?:{SPACE}(?:(?!(?i:style|hidden|aria-hidden|popover)){_ATTRIBUTE}
    | [sS][tT][yY][lL][eE]="{_STYLE}")?+)*+"""
# Without text of their own: these may have any attributes.
_ANY = rf"(?:{SPACE}(?:{_ATTRIBUTE})?+)*+"
_VOID = "area|base|br|col|hr|img|input|link|meta|source|wbr"
_EMPTY = rf"(i|span|object|iframe){_ANY}></\1>"
_SHAPES = "path|use|circle|rect|line|poly(?:gon|line)|ellipse|g|defs"
_PLAIN = MachineCode(
    rf"""\A(?:[^<\x00]++|<(?:{_EMPTY} |
      /?(?:{by_letter(_SHOWN.split())})(?:>|{_ATTRIBUTES}/?+>)
    | !--(?!-?>)(?:[^-]++|-(?!-!?>))*+-->
    | ((?i:script|title|textarea)){_ATTRIBUTES}>(?:[^<]++|<(?!/(?i:\2)|!--))*+</(?i:\2){SPACE}*+>
    | (?:!(?i:doctype)|\?)[^<>]*+>
    | (?:{_VOID}){_ANY}/?+>
    | svg{_ANY}>(?:{SPACE}++|<(?:(?:{_SHAPES}){_ANY}/?+|/(?:{_SHAPES}))>)*+</svg>
    | noscript>(?:{SPACE}++|<img{_ANY}/?+>|<iframe{_ANY}></iframe>)*+</noscript>))*+\Z"""
)
# What of a plain part is no text: 1, 2 a start tag, and 2 with all that nobody reads of it.
_MARKUP = lazy(
    rb"""<(?:!--.*?-->
    | (script|title|textarea)(?=[\s>])[^>]*+>[^<]*+(?:<(?!/\1)[^<]*+)*+</\1\s*+>
    | ([a-z][a-z0-9]*+)[^>]*+> | [/!?][^>]*+>)""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_TELLS = lazy(rb"style|hidden|popover", re.IGNORECASE)
_CUT = lazy(rb"&[#\w]*+(?:<|\Z)")  # a reference that goes on behind a tag, as the sweeps take it
_LARGEST = 1 << 20  # bytes that one expression may take without letting other threads run
_PART = 1 << 16  # the same of what differs, which takes more time
_REFERENCE = 40  # bytes of the longest one


def is_same(page: bytes, other: bytes, content_type: str | None) -> bool:
    """Return whether the bodies of two pages have the same text."""
    name = encoding_of(page, content_type)
    if _is_transparent(name) and encoding_of(other, content_type) == name:
        told = told_by_difference(page, other, name)
        if told is not None:
            return told
    from crawler.parse.text import same_text  # slow to import

    html = decode(page, content_type)[0]
    raw = None if name.startswith("utf-16") else page
    return same_text(html, decode(other, content_type)[0], raw)


def _is_transparent(encoding: str) -> bool:
    """Return whether no byte of ASCII is a part of another character."""
    return encoding == "utf-8" or encoding.startswith(("windows-125", "iso-8859-", "koi8-"))


def told_by_difference(page: bytes, other: bytes, encoding: str) -> bool | None:
    """Return whether two pages have the same text; None where the difference does not tell."""
    parts = _parts(page, other) if max(len(page), len(other)) <= _LARGEST else None
    if parts is None:
        return None
    before, mine, its, behind = parts
    if not (_is_plain(behind) and _is_plain(before)):
        return None
    if any(map(_CUT.search, (before[-_REFERENCE:], mine, its))):
        return None
    if _bare(mine) == _bare(its):
        return True
    letters, others = _letters(mine, encoding), _letters(its, encoding)
    if letters is None or others is None:
        return None
    differ = len(letters) != len(others) or sorted(letters) != sorted(others)
    return False if differ else None


def _parts(page: bytes, other: bytes) -> tuple[bytes, bytes, bytes, bytes] | None:
    """Return what two pages begin with, what differs, and how they end, each from a tag on.

    None if what differs is not plain, or takes long.
    """
    start = shared_start(page, other)
    end = len(page) - shared_end(page, other, start)
    for around in (_from_tag_to_tag, _unread_around):
        at, to = around(page, start, end) or (0, 0)
        mine, its = page[at:to], other[at : to + len(other) - len(page)]
        if 0 < len(mine) <= _PART and len(its) <= _PART and _is_plain(mine) and _is_plain(its):
            return page[:at], mine, its, page[to:]
    return None


def _from_tag_to_tag(page: bytes, start: int, end: int) -> tuple[int, int] | None:
    """Return where the tag before a part begins, and the one behind it."""
    before, behind = page.rfind(b"<", 0, start), page.find(b"<", end)
    return (before, behind if behind >= 0 else len(page)) if before >= 0 else None


_UNREAD = ((b"<script", b"</script>"), (b"<!--", b"-->"), (b"<title", b"</title>"))


def _unread_around(page: bytes, start: int, end: int) -> tuple[int, int] | None:
    """Return where the script, comment or title begins and ends that a part stands in, if any."""
    for opening, closing in _UNREAD:
        before = page.rfind(opening, 0, start)
        if before >= 0 and page.find(closing, before, start) < 0:
            behind = page.find(closing, end)
            return (before, behind + len(closing)) if behind >= 0 else None
    return None


def _is_plain(part: bytes) -> bool:
    """Return whether a part of a page is plain, and cuts nothing off; False without PCRE2."""
    return _PLAIN.expanded("!", "", part) == "!"


def _bare(part: bytes) -> bytes:
    """Return a plain part without comments, scripts and titles, its tags without attributes.

    But for those that say how they are shown: one may begin a line.
    """
    return _MARKUP.sub(_name, part)


def _name(markup: re.Match[bytes]) -> bytes:
    raw, name = markup[1], markup[2]
    if raw is None and name is None:
        return b"" if markup[0].startswith(b"<!--") else markup[0]
    if raw is None and _TELLS.search(markup[0]) is not None:
        return markup[0]
    return b"<%b>" % (raw or name)


def _letters(part: bytes, encoding: str) -> str | None:
    """Return the text of a plain part without white space; None if it may depend on the rest."""
    text = unescape(to_text(_MARKUP.sub(b" ", part), encoding))
    return "".join(text.split()) if visible(text)[0] == text else None


def shared_start(one: AnyStr, other: AnyStr) -> int:
    """Return how many characters or bytes two texts begin with in common."""
    least, most = 0, min(len(one), len(other))
    while least < most:
        middle = (least + most + 1) // 2
        if one[least:middle] == other[least:middle]:
            least = middle
        else:
            most = middle - 1
    return least


def shared_end(one: AnyStr, other: AnyStr, before: int) -> int:
    """Return how many they end with in common, behind so many in front."""
    least, most = 0, min(len(one), len(other)) - before
    while least < most:
        middle = (least + most + 1) // 2
        same = (
            one[len(one) - middle : len(one) - least]
            == other[len(other) - middle : len(other) - least]
        )
        least, most = (middle, most) if same else (least, middle - 1)
    return least
