"""The expression of the fast pass, and what it finds in a text: at once, or window by window.

By the tag states of the HTML standard (https://html.spec.whatwg.org/#tokenization), as machine code
where that can tell, else by Python's `re`: both find the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from crawler.lazy_regex import lazy
from crawler.parse.foreign import NAMESPACES
from crawler.parse.machine_code import MachineCode

WINDOW = 128 * 1024
"""Characters between two looks at the clock: some milliseconds."""
APART = frozenset(("noscript", "template", "frameset"))
"""Elements whose content is no part of the document itself."""


def _any_case(names: str) -> str:
    """Spell a regex that matches the names in any case; re.IGNORECASE would cost a third more."""
    return "|".join("".join(f"[{char}{char.upper()}]" for char in name) for name in names.split())


_END = r"(?=[\t\n\f\r />]|\Z)"  # what ends the name of a tag
# SVG and MathML without anything that matters here: taken whole, as its tags follow other rules
# (`foreign`). One with anything else in it sends the document through the tokenizer of `tags`.
_SHAPES = (
    "path g use circle rect defs line polygon polyline ellipse text tspan stop linearGradient"
    " radialGradient clipPath symbol mask pattern marker filter lineargradient radialgradient"
    " clippath"
)
_FORMULA = (
    "mi mo mn mrow msup msub msubsup mfrac msqrt mroot mtable mtr mtd mstyle mspace mtext mover"
    " munder munderover mpadded mphantom mfenced menclose mmultiscripts mprescripts semantics"
    " annotation"
)
_TEXTS = "|".join(
    rf"<{name}(?:[\t\n\f\r ][^<>/]*+)?>[^<]*+</{name}>" for name in ("title", "desc", "style")
)


def _whole(name: str, parts: str, texts: str = "") -> str:
    """Spell a regex for a foreign element with nothing but such parts and text inside."""
    inside = rf"[^<]++|</?(?:{parts.replace(' ', '|')})(?=[\t\n\f\r />])[^<>]*+>{texts}"
    # Behind anything else "/" may be the end of a value.
    empty = rf"""(?<=[\t\n\f\r "']/>)|(?<={name}/>)"""
    return (
        rf"{name}(?=[\t\n\f\r />])[^<>]*+>(?:{empty}|(?<!/>)(?:{inside})*+</{name}[\t\n\f\r ]*+>)"
    )


FOREIGN = f"{_whole('svg', _SHAPES, f'|{_TEXTS}')}|{_whole('math', _FORMULA)}"
"""What such an element matches behind its "<"; it is written with re.ASCII in mind."""
DRAWN = frozenset(f"svg math title desc style {_SHAPES} {_FORMULA}".split())
"""The elements that are passed over with it."""
# With those whose content is no part of the document: of `noscript` but the links count.
_RAW = _any_case(
    "script style textarea title xmp iframe noembed noframes noscript template frameset"
)
_NAMES = _any_case("area base meta plaintext math svg")

# A quote quotes only behind "=". Whatever the document's end cuts off is taken to the end (\Z), so
# that no search starts inside it; all loops are possessive: every search is linear.
_VALUE = r"""(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^\t\n\f\r >"'][^\t\n\f\r >]*+)"""
_ATTRIBUTES = (
    rf"""(?:[\t\n\f\r /]++|=?[^\t\n\f\r />=]++(?:[\t\n\f\r ]*+=[\t\n\f\r ]*+{_VALUE}?+)?+|=)*+"""
)
# What nearly all tags look like: no markup inside quotes, so that ">" is the end of the tag. In one
# that matters each quote stands behind a "=": elsewhere it is part of a name.
_SIMPLE = r"""[^<>"']*+(?:"[^"<>]*+"[^<>"']*+)*+(?=>)"""
_QUOTED = r"""[^<>"']*+(?:(?<==)"[^"<>]*+"[^<>"']*+)*+(?=>)"""
_OTHERS = r"""(?:[\t\n\f\r /]++(?!href=)[a-z][a-z-]*+="[^"]*+")*+"""
_HREF = r"""[\t\n\f\r /]++href="([^"&\0]++)\""""
# End tags of nothing but a name, as nearly all are, are passed over without a match; so are start
# tags of nothing but one or two letters.
_SOURCE = rf"""<(?!/\w++>)(?!<)(?!\w\w?>)(?:
      (?=[sm][va][gt])(?:{FOREIGN})                         # foreign content that is plain: passed
    | a{_OTHERS}(?:{_HREF}{_QUOTED}>|>)                     # 1: the href of nine links in ten,
                                                            #    none where it is a mere anchor
    | ([aA]{_END}|(?=[abmpsABMPS])(?:{_NAMES}){_END})       # 2, 3: a tag that matters and its
        ({_QUOTED}|{_ATTRIBUTES})(>|\Z)                     #    4: attributes, its end
    | (?=[stxinfSTXINF])({_RAW}){_END}                      # 5, 6: one whose content is raw text,
        (?:{_SIMPLE}|{_ATTRIBUTES})(?:>|\Z)                 #       and that text
        ((?:[^<]++|<(?!/(?i:\5)[\t\n\f\r />]))*+)
    | /?[a-zA-Z](?!{_SIMPLE})[^\t\n\f\r />]*+{_ATTRIBUTES}(?:>|\Z)  # any other with quoted markup
    | !--(?:-?>|(?:[^-]++|-(?!-!?>))*+(?:--!?>|\Z))         # a comment
    | [!?/][^>]*+(?:>|\Z))                                  # a doctype or bogus comment
"""
TAG = lazy(_SOURCE, re.VERBOSE | re.ASCII)
_CODE = MachineCode(rf"(?:{_SOURCE})(\Z)?+")  # 7: whether the match reaches the end
# An answer of machine code ends with _ANSWER. It is a link alone, or the groups 2 to 6, each behind
# a _GROUP. The last may be a match that reaches the end, behind _LAST and whether it had an answer.
_ANSWER, _GROUP, _LAST = "\x01", "\x02", "\x03"
_ANSWERS = (
    f"${{1:+$1{_ANSWER}:}}"
    f"${{2:+{_GROUP}$2{_GROUP}$3{_GROUP}$4{_GROUP}{_GROUP}{_ANSWER}:}}"
    f"${{5:+{_GROUP * 4}$5{_GROUP}$6{_ANSWER}:}}"
    f"${{7:+{_LAST}$1$2$5{_LAST}$0{_ANSWER}:}}"
)

Match: TypeAlias = "str | Sequence[str]"
"""A link of the common form, or the groups of `TAG`."""


def at_once(text: str, raw: bytes | None = None) -> Iterable[Match]:
    """Return what matters of a text, in its order; what is passed over may be there, empty.

    `raw` is the same text in UTF-8, where it is at hand.
    """
    found = _by_machine_code(text, raw)
    return TAG.findall(text) if found is None else found[0]


def _by_machine_code(
    text: str, raw: bytes | None = None, *, whole: bool = True
) -> tuple[list[Match], int] | None:
    """Return the matches, and the length of one that reaches the end, which counts if `whole`."""
    if _ANSWER in text or _GROUP in text or _LAST in text:
        return None
    joined = _CODE.expanded(_ANSWERS, text, raw)
    if joined is None:
        return None
    answers = joined.split(_ANSWER)
    del answers[-1]
    cut = 0
    if answers and answers[-1][0] == _LAST:
        _, answered, match = answers.pop().split(_LAST)
        cut = len(match)
        if answered and not whole:
            del answers[-1]
    return [one if one[0] != _GROUP else one.split(_GROUP) for one in answers], cut


def one_by_one(text: str, expired: Callable[[], bool], window: int = WINDOW) -> Iterator[Match]:
    """Return the same of a large text, window by window, so that other threads run between them.

    A match holds the GIL however long it is: what the end of a window cuts off is matched again
    from its own start, and what is longer than a window is cut there and passed over.
    """
    at, size = 0, len(text)
    while at < size:
        if expired():
            raise TimeoutError(f"at character {at:,} of {size:,}")
        end = min(size, at + window)
        found = _window(text, at, end) or _window(text, at, before_foreign(text, at, end))
        if found is not None:
            matches, at = found
            yield from matches
            continue
        start, at = at, end - (end < size and text[end - 1] == "<")
        for match in TAG.finditer(text, start, end):
            # Foreign content is not plain where the window cuts it off.
            odd = match[2] is not None and match[2].lower() in NAMESPACES
            cut = odd or match.end() == end
            if not cut or end == size:
                yield match.groups("")
            elif match.start() > start:
                at = match.start()
                break
            elif (match[5] or "").lower() in APART:
                yield ODD
                return
            elif match[5] or odd or not text[start + 1 : start + 3].lstrip("/")[:1].isalpha():
                yield match.groups("")
                at = _end_of(text, match)
                break
            else:  # a tag that fills a window
                yield ODD
                return


def _window(text: str, start: int, end: int) -> tuple[list[Match], int] | None:
    """Return the matches of a window by machine code, and where the next begins; None if unsure."""
    found = _by_machine_code(text[start:end], whole=end == len(text))
    if found is None or end == len(text):
        return None if found is None else (found[0], end)
    matches, cut = found
    # Foreign content is not plain where the window cuts it off.
    odd = (match[1].lower() in NAMESPACES for match in matches if not isinstance(match, str))
    if cut == end - start or any(odd):
        return None
    return matches, end - (cut or text[end - 1] == "<")


def before_foreign(text: str, start: int, end: int) -> int:
    """Return the end of a window that cuts off no picture and no formula, as far as it is seen."""
    for name in ("svg", "math"):
        begins = text.rfind(f"<{name}", start + 1, end)
        if begins >= 0 and text.find(f"</{name}", begins, end) < 0:
            end = begins
    return end


ODD = ("", "svg", "", ">", "", "")  # which only the tokenizer can read


def _end_of(text: str, match: re.Match[str]) -> int:
    """Return where a tag, a comment or an element that fills a whole window ends."""
    if match[5]:
        return _search(re.compile(rf"</{match[5]}{_END}", re.IGNORECASE), text, match.end() - 16)
    comment = text.startswith("<!--", match.start())
    end = text.find("-->" if comment else ">", match.end() - 2)
    return len(text) if end < 0 else end + 1


def _search(pattern: re.Pattern[str], text: str, at: int) -> int:
    size = len(text)
    while at < size:
        match = pattern.search(text, at, min(size, at + WINDOW))
        if match and (match.end() < at + WINDOW or at + WINDOW >= size):
            return match.start()
        at += WINDOW - 16
    return size
