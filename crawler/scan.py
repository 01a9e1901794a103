"""The fast pass: title, base, link references and robots directives of an HTML document.

One regular expression tokenizes the document by the tag states of the HTML standard
(https://html.spec.whatwg.org/#tokenization) and stops only at the few tags that matter here. No
tree is built: on real documentation pages this takes two thirds of the time of the fastest HTML
parser, is linear on markup nested however deep, flat in memory, and lets other threads run between
two tags (docs/decisions/0002-fast-pass.md has the figures).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from html import unescape
from html.entities import html5
from typing import NamedTuple

LARGE = 256 * 1024
"""Characters from which a scan belongs on a thread: it may take over 5 ms."""
_WINDOW = 128 * 1024  # characters between two looks at the clock: some milliseconds

REFRESH = "http-equiv=refresh"
"""The name under which `Scan.robots` has the content of a meta refresh."""


class Scan(NamedTuple):
    """What the fast pass finds; references are as written, not yet resolved."""

    title: str | None
    base: str | None
    hrefs: list[str]
    robots: list[tuple[str, str]]  # (agent, directives) of <meta name=AGENT content=DIRECTIVES>


def _any_case(names: str) -> str:
    """Spell a regex that matches the names in any case; re.IGNORECASE would cost a third more."""
    return "|".join("".join(f"[{char}{char.upper()}]" for char in name) for name in names.split())


_END = r"(?=[\s/>]|\Z)"  # what ends the name of a tag
_RAW = _any_case("script style textarea title xmp iframe noembed noframes")
_NAMES = _any_case("area base meta plaintext")

# A quote quotes only behind "=". Whatever the document's end cuts off is taken to the end (\Z), so
# that no search starts inside it; all loops are possessive: every search is linear.
_VALUE = r"""(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^\s>"'][^\s>]*+)"""
_ATTRIBUTES = rf"""(?:[\s/]++|=?[^\s/>=]++(?:\s*+=\s*+{_VALUE}?+)?+|=)*+"""
# What nearly all tags look like: no markup inside quotes, so that ">" is the end of the tag.
_SIMPLE = r"""[^<>"']*+(?:"[^"<>]*+"[^<>"']*+)*+(?=>)"""
_HREF = r"""(?:[\s/]++(?!href=)[a-z][a-z-]*+="[^"]*+")*+[\s/]++href="([^"&\0]++)\""""
_TAG = re.compile(
    rf"""<(?=[a-zA-Z!?])(?:
      a{_HREF}{_SIMPLE}>                                    # 1: the href of nine links in ten
    | ([aA]{_END}|(?=[abmpABMP])(?:{_NAMES}){_END})         # 2, 3: a tag that matters and its
        ({_SIMPLE}|{_ATTRIBUTES})(?:>|\Z)                   #       attributes
    | (?=[stxinSTXIN])({_RAW}){_END}                        # 4, 5: one whose content is raw text,
        (?:{_SIMPLE}|{_ATTRIBUTES})(?:>|\Z)                 #       and that text
        ((?:[^<]++|<(?!/(?i:\4){_END}))*+)
    | [a-zA-Z](?!{_SIMPLE})[^\s/>]*+{_ATTRIBUTES}(?:>|\Z)   # any other with markup in its quotes
    | !--(?:-?>|(?:[^-]++|-(?!-!?>))*+(?:--!?>|\Z))         # a comment
    | [!?][^>]*+(?:>|\Z))                                   # a doctype or bogus comment""",
    re.VERBOSE | re.ASCII,
)
# What is no attribute (1: None) is taken along too, so that no search starts again inside it.
_ATTRIBUTE = re.compile(
    r"""[\s/]*+(?:(=?[^\s/>=]++)
        (?:\s*+=\s*+(?:"([^"]*+)(?:"|\Z)|'([^']*+)(?:'|\Z)|([^\s>"'][^\s>]*+))?+)?+|[=>]|\Z)""",
    re.VERBOSE | re.ASCII,
)
_REFERENCE = re.compile(r"&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[a-zA-Z][a-zA-Z0-9]*;?)(=?)")


def scan(text: str, expired: Callable[[], bool] = lambda: False) -> Scan:
    """Give title, base, the `href` of every `a` and `area` in document order, and robots metas.

    White space of the title is collapsed; None without one. Raises nothing but TimeoutError: once
    `expired` says so, which a text of `LARGE` characters and more is asked now and then.
    """
    title: str | None = None
    base: str | None = None
    hrefs: list[str] = []
    robots: list[tuple[str, str]] = []
    for href, name, attributes, raw_name, raw in _matches(text, expired):
        if href:
            hrefs.append(href)
        elif name:
            tag = name.lower()
            if tag == "plaintext":
                break
            if tag == "meta":
                robots += _directives(attributes)
            else:
                value = attribute(attributes, "href")
                if tag == "base":
                    base = value if base is None else base
                elif value is not None:
                    hrefs.append(value)
        elif raw_name and title is None and raw_name.lower() == "title":
            title = " ".join(unescape(raw).split())
    return Scan(title, base, hrefs, robots)


def _matches(text: str, expired: Callable[[], bool]) -> Iterable[tuple[str, ...]]:
    """Give the groups of each match of `_TAG`: at once where that is quick, else one by one."""
    return _TAG.findall(text) if len(text) < LARGE else _one_by_one(text, expired)


def _one_by_one(
    text: str, expired: Callable[[], bool], window: int = _WINDOW
) -> Iterator[tuple[str, ...]]:
    """Give the same of a large text, window by window, so that other threads run between them.

    A match holds the GIL however long it is: what the end of a window cuts off is matched again
    from its own start, and what is longer than a window is cut there and passed over.
    """
    at, size = 0, len(text)
    while at < size:
        if expired():
            raise TimeoutError(f"at character {at:,} of {size:,}")
        end = min(size, at + window)
        start, at = at, end - (end < size and text[end - 1] == "<")
        for match in _TAG.finditer(text, start, end):
            if match.end() < end or end == size:
                yield match.groups("")
            elif match.start() > start:
                at = match.start()
            else:
                yield match.groups("")
                at = _end_of(text, match)


def _end_of(text: str, match: re.Match[str]) -> int:
    """Give where a tag, a comment or an element that fills a whole window ends."""
    if match[4]:
        return _search(re.compile(rf"</{match[4]}{_END}", re.IGNORECASE), text, match.end() - 16)
    comment = text.startswith("<!--", match.start())
    end = text.find("-->" if comment else ">", match.end() - 2)
    return len(text) if end < 0 else end + 1


def _search(pattern: re.Pattern[str], text: str, at: int) -> int:
    size = len(text)
    while at < size:
        match = pattern.search(text, at, min(size, at + _WINDOW))
        if match and (match.end() < at + _WINDOW or at + _WINDOW >= size):
            return match.start()
        at += _WINDOW - 16
    return size


_META = re.compile(r"""(?:^|[\s/])name\s*+=\s*+["']?\s*+([^\s"'>]++)""", re.IGNORECASE)
_OTHER_METAS = {"viewport", "description", "keywords", "generator", "author", "theme-color"}


def _directives(attributes: str) -> list[tuple[str, str]]:
    """Give what a meta tag may say to robots: (its name, its content)."""
    quick = _META.search(attributes)
    if quick is None:
        return _refresh(attributes) if "refresh" in attributes.lower() else []
    if quick[1].lower() in _OTHER_METAS:
        return []
    name = (attribute(attributes, "name") or "").strip().lower()
    return [(name, attribute(attributes, "content") or "")] if name else []


def _refresh(attributes: str) -> list[tuple[str, str]]:
    """Give what `<meta http-equiv=refresh>` asks for, under a name that no meta tag has."""
    kind = (attribute(attributes, "http-equiv") or "").strip().lower()
    return [(REFRESH, attribute(attributes, "content") or "")] if kind == "refresh" else []


def attribute(attributes: str, name: str) -> str | None:
    """Give the value of the first attribute of that name, references decoded; None without one."""
    for match in _ATTRIBUTE.finditer(attributes):
        if match[1] is not None and match[1].lower() == name:
            return decoded(match[2] or match[3] or match[4] or "")
    return None


def decoded(value: str) -> str:
    """Decode character references by the rule for attributes: `&copy=1` stays as it is.

    U+0000 becomes U+FFFD, as in the tokenizer.
    """
    if "\0" in value:
        value = value.replace("\0", "\ufffd")
    return _REFERENCE.sub(_dereference, value) if "&" in value else value


def _dereference(match: re.Match[str]) -> str:
    text = match[0]
    if text[1] == "#":
        return unescape(text)
    name, rest = (text[1:-1], "=") if match[1] else (text[1:], "")
    if name not in html5 or (rest and name[-1] != ";"):
        return text
    return html5[name] + rest
