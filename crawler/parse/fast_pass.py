"""The fast pass: title, base, link references and robots directives of an HTML document.

One regular expression tokenizes the document by the tag states of the HTML standard
(https://html.spec.whatwg.org/#tokenization) and stops only at the few tags that matter here. No
tree is built: on real documentation pages this takes a third of the time of the fastest HTML
parser, is linear on markup nested however deep, flat in memory, and lets other threads run between
two windows of a large page (docs/decisions/0002-fast-pass.md and 0055 have the figures).
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from crawler.lazy_regex import lazy
from crawler.parse.fast_expression import ANSWER, ANSWERS, APART, CODE, GROUP, LAST, TAG
from crawler.parse.foreign import NAMESPACES
from crawler.parse.references import decoded, unescape
from crawler.parse.syntax import INNER_SCRIPT, NEXT_ATTRIBUTE

if TYPE_CHECKING:
    from crawler.parse.tokenizer import Tag

LARGE = 512 * 1024
"""Characters from which a scan belongs on a thread: it may take over 5 ms."""
WINDOW = 128 * 1024
"""Characters between two looks at the clock: some milliseconds."""

REFRESH = "http-equiv=refresh"
"""The name under which `Scan.robots` has the content of a meta refresh."""
EARLY_REFRESH = "http-equiv=refresh before base"
"""The same of one that stands before `<base>`, which does not hold for it."""


Match: TypeAlias = "str | Sequence[str]"
"""A link of the common form, or the groups of `TAG`."""


class Scan(NamedTuple):
    """What the fast pass finds; references are as written, not yet resolved."""

    title: str | None
    base: str | None
    hrefs: list[str]
    robots: list[tuple[str, str]]  # (agent, directives) of <meta name=AGENT content=DIRECTIVES>


_ATTRIBUTE = lazy(NEXT_ATTRIBUTE, re.VERBOSE)


def scan(
    text: str,
    expired: Callable[[], bool] = lambda: False,
    *,
    xml: bool = False,
    raw: bytes | None = None,
) -> Scan:
    """Return title, base, the `href` of every `a` and `area` in document order, and robots metas.

    White space of the title is collapsed; None if none. Raises nothing but TimeoutError: once
    `expired` says so, which a text of `LARGE` characters and more is asked now and then. `xml` says
    that the document is XHTML; `raw` is what it was in UTF-8, which spares encoding it anew.
    """
    if xml or "\x0b" in text:  # white space to Python alone
        return precise(text, expired, xml=xml)
    if len(text) < LARGE:
        exact = raw is not None and "\ufffd" not in text and not raw.startswith(BOM_UTF8)
        if (found := _gathered(text, at_once(text, raw if exact else None))) is not None:
            return found
    from crawler.parse.windows import one_by_one  # most pages are plain, and smaller

    return _gathered(text, one_by_one(text, expired)) or precise(text, expired)


def at_once(text: str, raw: bytes | None = None) -> Iterable[Match]:
    """Return what matters of a text, in its order; what is passed over may be there, empty.

    `raw` is the same text in UTF-8, where it is at hand.
    """
    found = by_machine_code(text, raw)
    return TAG.findall(text) if found is None else found[0]


def by_machine_code(
    text: str, raw: bytes | None = None, *, whole: bool = True
) -> tuple[list[Match], int] | None:
    """Return the matches, and the length of one that reaches the end, which counts if `whole`."""
    if ANSWER in text or GROUP in text or LAST in text:
        return None
    joined = CODE.expanded(ANSWERS, text, raw)
    if joined is None:
        return None
    answers = joined.split(ANSWER)
    del answers[-1]
    cut = 0
    if answers and answers[-1][0] == LAST:
        _, answered, match = answers.pop().split(LAST)
        cut = len(match)
        if answered and not whole:
            del answers[-1]
    return [one if one[0] != GROUP else one.split(GROUP) for one in answers], cut


def _gathered(text: str, matches: Iterable[Match]) -> Scan | None:
    """Return what the matches say, None if one expression cannot tell."""
    title: str | None = None
    base: str | None = None
    hrefs: list[str] = []
    robots: list[tuple[str, str]] = []
    templates = False
    for match in matches:
        if isinstance(match, str):
            hrefs.append(match)
            continue
        href, name, attributes, end, raw_name, raw = match
        if href:
            hrefs.append(href)
        elif name:
            if not end:  # a tag that the document cuts off is none
                continue
            tag = name.lower()
            if tag in NAMESPACES:
                return None
            if tag == "plaintext":
                break
            if tag == "meta":
                robots += _directives(attributes)
            else:
                value = attribute(attributes, "href")
                if tag == "base":
                    if base is None and value is not None:
                        _precede(robots)
                        base = value
                elif value is not None:
                    hrefs.append(value)
        elif raw_name:
            kind = raw_name.lower()
            if kind == "title":
                title = title_of(raw) if title is None else title
            elif kind == "script":
                if "<!--" in raw and INNER_SCRIPT.search(raw):
                    return None
            elif kind in APART:
                inside = _inside(kind, raw)
                if inside is None:
                    return None
                hrefs += inside
                templates = templates or kind == "template"
    if templates and "shadowroot" in text.lower():  # whose content is part of the document
        return None
    return Scan(title, base, hrefs, robots)


_NOSCRIPT = lazy("<noscript", re.IGNORECASE)


def _inside(kind: str, raw: str) -> list[str] | None:
    """Return the links within an element that is no part of the document; None for the odd ones.

    With scripts on `noscript` is text, but its links are meant for those who run none, as we do.
    What is in a `template` is in no document, except where it makes a shadow root.
    """
    if kind == "noscript":
        found = None if _NOSCRIPT.search(raw) else _gathered(raw, at_once(raw))
        return found.hrefs if found is not None else None
    if kind == "frameset":
        return None
    for match in TAG.finditer(f"{raw}<"):
        name = (match[2] or match[5] or "").lower()
        inner = name == "script" and INNER_SCRIPT.search(match[6]) is not None
        # Its end may stand in a script, a comment or a value, or be that of another template.
        if match.end() > len(raw) or name in _UNCLEAR or inner:
            return None
    return []


_UNCLEAR = frozenset(("template", "plaintext", *NAMESPACES))  # within a template


def title_of(raw: str) -> str:
    """Return a title as browsers show it: controls are white space, no-break spaces are none."""
    text = raw.replace("\0", "\ufffd") if "\0" in raw else raw
    text = unescape(text) if "&" in text else text
    if text.isascii() and "\x0b" not in text:
        plain = " ".join(text.split())
        if plain.isprintable():
            return plain
    return " ".join([word for word in _SPACES.split(text) if word])


_SPACES = lazy("[\0-\n\f- \x7f]+")  # all controls but one


def precise(text: str, expired: Callable[[], bool] = lambda: False, *, xml: bool = False) -> Scan:
    """Return the same by the whole tokenizer: for XML, and for what one expression cannot tell."""
    from crawler.parse.apart import Apart  # most crawls never need it
    from crawler.parse.tokenizer import is_frameset, tags
    from crawler.parse.xml_title import XmlTitle

    found = Scan(None, None, [], [])
    title = XmlTitle() if xml else None
    apart = Apart(xml=xml)
    for number, tag in enumerate(tags(text, xml=xml)):
        if not number % 4096 and expired():
            raise TimeoutError(f"at tag {number:,}")
        apart.take(tag)
        if title is not None and found.title is None and title.take(tag, counts=not apart):
            found = found._replace(title=title_of("".join(title.texts)))
        elif tag.name == "title" and not (xml or tag.foreign or tag.ends or apart):
            found = found if found.title is not None else found._replace(title=title_of(tag.raw))
        elif tag.name == "frameset" and not (tag.ends or tag.foreign or xml) and is_frameset(text):
            found.hrefs.clear()
            break  # browsers show nothing but its frames
        elif not tag.ends and not apart.inert:
            found = _taken(found, tag, bool(apart), xml)
    return found


def _taken(found: Scan, tag: Tag, apart: bool, xml: bool) -> Scan:
    """Take what a start tag adds; `apart` it is no part of the document itself."""
    if tag.name == "a" or (tag.name == "area" and not tag.foreign):
        known = tag.foreign in ("", "svg")
        value = attribute(tag.attributes, "href", xml=xml) if known else None
        if value is None and tag.foreign == "svg":
            value = attribute(tag.attributes, "xlink:href")
        if value is not None:
            found.hrefs.append(value)
    elif tag.foreign or apart:
        return found
    elif tag.name == "meta":
        found.robots.extend(_directives(tag.attributes))
    elif tag.name == "base" and found.base is None:
        _precede(found.robots)
        return found._replace(base=attribute(tag.attributes, "href", xml=xml))
    return found


_NAMED = lazy(r"name[\t\n\f\r ]*+=", re.IGNORECASE)
# What has nothing to say to robots, as most that begin with a name.
_OTHER_META = lazy(
    r"""[\t\n\f\r /]++name=["']?(?:viewport|description|keywords|generator|author|theme-color)
    (?=["'\t\n\f\r /]|\Z)""",
    re.VERBOSE | re.IGNORECASE,
)
_REFRESHES = lazy("[fF][rR][eE][sS][hH]|&#")


def _directives(attributes: str) -> list[tuple[str, str]]:
    """Return what a meta tag may say to robots: (its name, its content)."""
    refresh = _refresh(attributes) if _REFRESHES.search(attributes) else []
    if _OTHER_META.match(attributes) or not _NAMED.search(attributes):
        return refresh
    name = (attribute(attributes, "name") or "").lower()
    return [*refresh, (name, attribute(attributes, "content") or "")] if name else refresh


def _precede(robots: list[tuple[str, str]]) -> None:
    """Note that what was found so far stands before the base."""
    robots[:] = [(EARLY_REFRESH if name == REFRESH else name, said) for name, said in robots]


def _refresh(attributes: str) -> list[tuple[str, str]]:
    """Return what `<meta http-equiv=refresh>` asks for, under a name that no meta tag has."""
    kind = (attribute(attributes, "http-equiv") or "").lower()
    return [(REFRESH, attribute(attributes, "content") or "")] if kind == "refresh" else []


def _pieces(attributes: str) -> Iterator[str]:
    from crawler.parse.tokenizer import pieces_of  # most crawls never need it

    return pieces_of(attributes)


def attribute(attributes: str, name: str, *, xml: bool = False) -> str | None:
    """Return the first attribute of that name, references decoded; None if there is none."""
    if not xml and name not in attributes.lower():
        return None
    for piece in (attributes,) if len(attributes) < WINDOW else _pieces(attributes):
        for match in _ATTRIBUTE.finditer(piece) if xml or name in piece.lower() else ():
            if match[1] is not None and (match[1] if xml else match[1].lower()) == name:
                return decoded(match[2] or match[3] or match[4] or "", xml=xml)
    return None
