"""The tags of an HTML document, one after the other, with the text between them.

By the tokenizer of the HTML standard (https://html.spec.whatwg.org/#tokenization) with scripting
off: `noscript` is markup. No tree is built, so that markup nested however deep costs nothing, and
no step works on more than `_WINDOW` characters without letting other threads run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from crawler.scan import decoded

_WINDOW = 1 << 18  # characters that one search may take: about 5 ms
_SPACE = r"[\t\n\f\r ]"
_VALUE = r"""(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^\t\n\f\r >"'][^\t\n\f\r >]*+)"""
_ATTRIBUTES = (
    rf"""(?:[\t\n\f\r /]++|=?[^\t\n\f\r />=]++(?:{_SPACE}*+={_SPACE}*+{_VALUE}?+)?+|=)*+"""
)
# Everything a "<" can begin. What the end cuts off is taken to the end; of a tag nothing is made
# of it then (https://html.spec.whatwg.org/#parse-error-eof-in-tag).
_TAG = re.compile(
    rf"""<(?:
      (/?)([a-zA-Z][^\t\n\f\r />]*+)({_ATTRIBUTES})(>|\Z)   # a tag: end?, name, attributes, end
    | (!--)(?:-?>|(?:[^-]++|-(?!-!?>))*+(?:--!?>|\Z))        # a comment
    | ([!?/])[^>]*+(?:>|\Z))                                  # a doctype or bogus comment""",
    re.VERBOSE,
)
# What is no attribute (its name is "") is taken along: no search starts again inside it.
_ATTRIBUTE = re.compile(
    r"""[\t\n\f\r /]*+(?:(=?[^\t\n\f\r />=]++)
        (?:[\t\n\f\r ]*+=[\t\n\f\r ]*+
           (?:"([^"]*+)(?:"|\Z)|'([^']*+)(?:'|\Z)|([^\t\n\f\r >"'][^\t\n\f\r >]*+))?+)?+
        |[=>]|\Z)""",
    re.VERBOSE,
)
RAW = frozenset(["script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"])
"""Elements whose content is text, whatever it looks like."""
_ENDS = {name: re.compile(rf"</{name}(?=[\t\n\f\r />])", re.IGNORECASE) for name in RAW}
_LONGEST_END = 16
_SCRIPT = re.compile(r"<!--|</script(?=[\t\n\f\r />])", re.IGNORECASE)
_ESCAPED = re.compile(r"-->|<(/?)script(?=[\t\n\f\r />])", re.IGNORECASE)


class Tag(NamedTuple):
    """One tag: the text before it, its name in lower case, whether it ends an element.

    `attributes` is unread (see `attributes_of`); `raw` is the text of an element of `RAW`.
    """

    before: str
    name: str
    ends: bool
    attributes: str
    raw: str = ""


def tags(text: str) -> Iterator[Tag]:
    """Yield every tag, and at last the text behind the last one under the name ""."""
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
        if at < size and at - start >= _WINDOW:
            at = _end_of_long(text, match)
        pieces.append(text[since:start])
        since = at
        name = match[2]
        if name is None or (not match[4] and match.end() == size):
            continue
        name, ends, raw = name.lower(), bool(match[1]), ""
        if name in RAW and not ends:
            stop = _raw_end(text, at, name)
            raw, since, at = text[at:stop], stop, stop
        elif name == "plaintext" and not ends:
            at = since = size
        yield Tag("".join(pieces), name, ends, match[3], raw)
        pieces.clear()
    pieces.append(text[since:])
    yield Tag("".join(pieces), "", True, "")


class Span(NamedTuple):
    """Where one tag stands in a text; `after` is where the content of an element of `RAW` ends."""

    start: int
    end: int
    name: str
    ends: bool
    attributes: str
    after: int


def spans(text: str) -> Iterator[Span]:
    """Yield every tag with its place, as `tags` finds them."""
    at, size = 0, len(text)
    while (at := text.find("<", at)) >= 0:
        match = _TAG.match(text, at, min(size, at + _WINDOW))
        if match is None:
            at += 1
            continue
        start, at = at, match.end()
        if at < size and at - start >= _WINDOW:
            at = _end_of_long(text, match)
        name = match[2]
        if name is None or (not match[4] and match.end() == size):
            continue
        name, ends, end = name.lower(), bool(match[1]), at
        if name in RAW and not ends:
            at = _raw_end(text, at, name)
        elif name == "plaintext" and not ends:
            at = size
        yield Span(start, end, name, ends, match[3], at)


def _end_of_long(text: str, match: re.Match[str]) -> int:
    """Give the end of what was cut off at the window's end."""
    if match[5]:
        end = text.find("-->", match.end() - 2)
        return end + 3 if end >= 0 else len(text)
    end = text.find(">", match.end() - 1)
    return end + 1 if end >= 0 else len(text)


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
    """Give where the content of a raw text element ends: at its end tag, or the document's end."""
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


def attributes_of(text: str) -> dict[str, str]:
    """Give a tag's attributes, names in lower case, references decoded; the first of a name counts.

    The value of an attribute without one is "".
    """
    found: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(text):
        name = name.lower()
        if name and name not in found:
            found[name] = decoded(double or single or bare)
    return found
