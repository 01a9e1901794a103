"""The tags of an HTML document, one after the other, with the text between them.

By the tokenizer of the HTML standard (https://html.spec.whatwg.org/#tokenization) with scripting
off: `noscript` is markup. No tree is built, so that markup nested however deep costs nothing, and
no step works on more than `_WINDOW` characters without letting other threads run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from crawler.lazy_regex import lazy
from crawler.parse.foreign import NAMESPACES, ForeignElements
from crawler.parse.namespaces import Namespaces, end_of_declaration
from crawler.parse.references import decoded
from crawler.parse.syntax import ATTRIBUTE, ATTRIBUTES, COMMENT, END, NEXT_ATTRIBUTE
from crawler.parse.well_formed import well_formed

_WINDOW = 1 << 17  # characters that one search may take: about 5 ms
# Everything a "<" can begin. What the end cuts off is taken to the end; of a tag nothing is made
# of it then (https://html.spec.whatwg.org/#parse-error-eof-in-tag).
_TAG = lazy(
    rf"""<(?:
      (/?)([a-zA-Z][^\t\n\f\r />]*+)({ATTRIBUTES})(>|\Z)   # a tag: end?, name, attributes, end
    | (!--)(?:-?>|(?:[^-]++|-(?!-!?>))*+(?:--!?>|\Z))        # a comment
    | ([!?]|/(?=[^a-zA-Z]))[^>]*+(?:>|\Z))                   # a doctype or bogus comment""",
    re.VERBOSE,
)
# The attributes of a tag (1: the last of them), all that a search may take at once.
_RUN = lazy(rf"(?:[\t\n\f\r /]++|({ATTRIBUTE}))*+")
# What is no attribute (its name is "") is taken along: no search starts again inside it.
_ATTRIBUTE = lazy(NEXT_ATTRIBUTE, re.VERBOSE)
RAW = frozenset(["script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"])
"""Elements whose content is text, whatever it looks like."""
_ENDS = {name: lazy(rf"</{name}(?=[\t\n\f\r />])", re.IGNORECASE) for name in (*RAW, "noscript")}
_LONGEST_END = 16
_SCRIPT = lazy(r"<!--|</script(?=[\t\n\f\r />])", re.IGNORECASE)
_ESCAPED = lazy(r"-->|<(/?)script(?=[\t\n\f\r />])", re.IGNORECASE)


class Tag(NamedTuple):
    """One tag: the text before it, its name in lower case, whether it ends an element.

    `attributes` is unread (see `attributes_of`); `raw` is the text of an element of `RAW`. An
    `foreign` names the namespace, `svg` or `math`, of an element that is not of HTML; where such a
    one is empty, its end follows.
    """

    before: str
    name: str
    ends: bool
    attributes: str
    raw: str = ""
    foreign: str = ""


def tags(text: str, *, xml: bool = False) -> Iterator[Tag]:
    """Yield every tag, and at last the text behind the last one under the name "".

    `xml`: the document is XHTML, where no element is text by its name, and "/>" ends every one; it
    ends at its first error.
    """
    text = well_formed(text).text if xml else text
    foreign = Namespaces() if xml else ForeignElements(text)
    inward = foreign.open
    at, since, size = 0, 0, len(text)
    pieces: list[str] = []
    while True:
        at = text.find("<", at)
        if at < 0:
            break
        match = _TAG.match(text, at, min(size, at + _WINDOW))
        if match is None:  # a "<" that is text
            at += 1
            continue
        start, at = at, match.end()
        attributes, whole = match[3], bool(match[4])
        if at - start >= _WINDOW and at < size:
            at, attributes, whole = _end_of_long(text, match)
        pieces.append(text[since:start])
        since = at
        name = match[2]
        if name is None:
            if (xml or foreign.inside) and text.startswith("<![CDATA[", start):
                at = since = _end_of_cdata(text, start, pieces)
            elif xml:
                at = since = end_of_declaration(text, start, at)
            continue
        if not whole:
            continue
        name, ends, raw = name if xml else name.lower(), bool(match[1]), ""
        if ends:
            namespace = foreign.end(name, start) if inward else ""
            yield Tag("".join(pieces), foreign.local(name), True, attributes, "", namespace)
            pieces.clear()
            continue
        empty, namespace = False, ""
        if xml or inward or name in NAMESPACES:
            empty = attributes[-1:] == "/" and _is_empty(attributes)
            namespace = foreign.start(name, attributes, empty=empty)
            name = foreign.local(name)
            if isinstance(foreign, Namespaces):
                attributes = foreign.spelled(attributes)
        if not (xml or namespace):
            if name in RAW:
                stop = _raw_end(text, at, name)
                raw, since, at = text[at:stop], stop, stop
            elif name == "plaintext":
                raw, since, at = text[at:], size, size
        yield Tag("".join(pieces), name, False, attributes, raw, namespace)
        pieces.clear()
        if empty and (xml or namespace):
            yield Tag("", name, True, "", "", namespace)
    pieces.append(text[since:])
    yield Tag("".join(pieces), "", True, "")


# What stands before a frameset that takes the place of the body: no text, and none of the elements
# that stand for some (https://html.spec.whatwg.org/#frameset-ok-flag).
_NO_FRAMES = (
    "applet area body br button dd embed frameset hr iframe image img input keygen li listing"
    " marquee object plaintext pre select table textarea wbr xmp"
).replace(" ", "|")
_HEAD_TEXTS = "title|style|script|noscript|template|noframes|noembed"
_HEAD = lazy(
    rf"""(?:[\t\n\f\r ]++|<{COMMENT}|<[!?][^>]*+>
    | </[a-z]{ATTRIBUTES}>
    | <(?!(?:{_NO_FRAMES}|{_HEAD_TEXTS}){END})[a-z][^\t\n\f\r />]*+{ATTRIBUTES}>
    | <({_HEAD_TEXTS}){END}{ATTRIBUTES}>
      (?:[^<]++|<(?!/\1[\t\n\f\r />]))*+</[^>]*+>)*+<frameset{END}""",
    re.VERBOSE | re.ASCII | re.IGNORECASE,
)


def is_frameset(text: str) -> bool:
    """Return whether a page shows frames, and nothing else."""
    return _HEAD.match(text) is not None


class Span(NamedTuple):
    """Where one tag stands in a text.

    `after` is where the content of an element of `RAW` ends; `foreign` is as in `Tag`.
    """

    start: int
    end: int
    name: str
    ends: bool
    attributes: str
    after: int
    foreign: str = ""


def spans(text: str, at: int = 0, *, foreign_only: bool = False) -> Iterator[Span]:
    """Yield every tag with its place, as `tags` finds them, from `at` on, where HTML stands.

    `foreign_only`: no further than the SVG or MathML that begins there.
    """
    foreign = ForeignElements(text)
    inward = foreign.open
    size = len(text)
    while (at := text.find("<", at)) >= 0:
        match = _TAG.match(text, at, min(size, at + _WINDOW))
        if match is None:
            at += 1
            continue
        start, at = at, match.end()
        attributes, whole = match[3], bool(match[4])
        if at - start >= _WINDOW and at < size:
            at, attributes, whole = _end_of_long(text, match)
        name = match[2]
        if name is None:
            if foreign.inside and text.startswith("<![CDATA[", start):
                at = _end_of_cdata(text, start, [])
            continue
        if not whole:
            continue
        name, ends, end = name.lower(), bool(match[1]), at
        empty, is_foreign = False, ""
        if ends and inward:
            is_foreign = foreign.end(name, start)
        elif not ends and (inward or name in NAMESPACES):
            empty = attributes[-1:] == "/" and _is_empty(attributes)
            is_foreign = foreign.start(name, attributes, empty=empty)
        if not (ends or is_foreign):
            at = _after(text, at, name)
        yield Span(start, end, name, ends, attributes, at, is_foreign)
        if empty and is_foreign:
            yield Span(end, end, name, True, "", end, is_foreign)
        if foreign_only and not inward:
            return


def _after(text: str, at: int, name: str) -> int:
    """Return where the content of an element ends that is text by its name, else `at`.

    With scripts on `noscript` is one, too.
    """
    if name in RAW or name == "noscript":
        return _raw_end(text, at, name)
    return len(text) if name == "plaintext" else at


def _is_empty(attributes: str) -> bool:
    """Return whether the "/" at the end is one of its own, and not of a value without quotes."""
    last = None
    for last in _ATTRIBUTE.finditer(attributes):
        if last.end() == len(attributes):
            break
    return last is None or last[4] is None or not last[4].endswith("/")


def _end_of_cdata(text: str, start: int, pieces: list[str]) -> int:
    """Take the text of CDATA, and return where it ends. "<" and "&" in it are themselves."""
    end = text.find("]]>", start)
    inside = text[start + 9 : end if end >= 0 else len(text)]
    pieces.append(inside.replace("&", "&amp;"))
    return end + 3 if end >= 0 else len(text)


def _end_of_long(text: str, match: re.Match[str]) -> tuple[int, str, bool]:
    """Return the end of what was cut off at the window's end, its attributes, whether it ends."""
    size = len(text)
    if match[5]:
        end = text.find("-->", match.end() - 2)
        return (end + 3 if end >= 0 else size), "", False
    if match[2] is None:
        end = text.find(">", match.end() - 1)
        return (end + 1 if end >= 0 else size), "", False
    start = at = match.end(2)
    while at < size and text[at] != ">":
        at = _end_of_run(text, at)
    return min(at + 1, size), text[start:at], at < size


def _end_of_run(text: str, at: int) -> int:
    """Return where attributes end that begin at `at`: behind `at`, and within a window if it can.

    One after the other they would take ten times as long.
    """
    limit = min(len(text), at + _WINDOW)
    run = _RUN.match(text, at, limit)
    assert run is not None  # it also matches nothing
    if run.end() < limit or limit == len(text) or run[1] is None:
        return max(at + 1, run.end())
    return run.start(1) if run.start(1) > at else _end_of_attribute(text, at)


def _end_of_attribute(text: str, at: int) -> int:
    """Return where an attribute ends, however long it is: behind `at`, or the loop had no end."""
    size = len(text)
    limit = min(size, at + _WINDOW)
    found = _ATTRIBUTE.match(text, at, limit)
    if found is None or found.end() <= at:
        return at + 1
    if found.end() < limit or limit == size:
        return found.end()
    for group, quote in ((2, '"'), (3, "'")):
        if found[group] is not None:  # no end but the quote
            end = text.find(quote, found.start(group))
            return end + 1 if end >= 0 else size
    bare = found[4] is not None
    ended = _search(_END_OF_BARE if bare else _END_OF_NAME, text, limit)
    if ended is None:
        return size
    # Behind a name a value may follow: it is that of the last letter, too.
    return ended.start() if bare else _end_of_attribute(text, ended.start() - 1)


_END_OF_NAME = lazy(r"[\t\n\f\r />=]")
_END_OF_BARE = lazy(r"[\t\n\f\r >]")


def _search(pattern: re.Pattern[str], text: str, at: int) -> re.Match[str] | None:
    """Search window by window; windows overlap by as much as a match may need."""
    size = len(text)
    while at < size:
        match = pattern.search(text, at, min(size, at + _WINDOW))
        if match or at + _WINDOW >= size:
            return match
        at += _WINDOW - _LONGEST_END
    return None


def _raw_end(text: str, at: int, name: str) -> int:
    """Return where the content of a raw text element ends: at its end tag, or the end of all."""
    if name == "script":
        return _script_end(text, at)
    match = _search(_ENDS[name], text, at)
    return match.start() if match else len(text)


def _script_end(text: str, at: int) -> int:
    """The same for a script, which may hold a script within `<!--` and `-->`."""
    while match := _search(_SCRIPT, text, at):
        if match[0] != "<!--":
            return match.start()
        inner, at = False, match.start() + 2
        while match := _search(_ESCAPED, text, at):
            at = match.end()
            if match[0] == "-->":
                break
            if match[1] and not inner:
                return match.start()
            inner = not match[1]
        else:
            break
    return len(text)


def attributes_of(text: str, *, xml: bool = False) -> dict[str, str]:
    """Return a tag's attributes, lower-case names, references decoded; the first of a name counts.

    The value of an attribute without one is "". In `xml` names stay as they are written.
    """
    found: dict[str, str] = {}
    for piece in pieces_of(text):
        for name, double, single, bare in _ATTRIBUTE.findall(piece):
            name = name if xml else name.lower()
            if name and name not in found:
                found[name] = decoded(double or single or bare, xml=xml)
    return found


def pieces_of(attributes: str) -> Iterator[str]:
    """Cut attributes between two of them, so that no search holds the GIL for long."""
    at, size = 0, len(attributes)
    while size - at > _WINDOW:
        start, at = at, _end_of_run(attributes, at)
        yield attributes[start:at]
    yield attributes[at:]
