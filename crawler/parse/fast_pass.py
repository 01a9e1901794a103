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
from typing import TYPE_CHECKING, NamedTuple

from crawler.lazy_regex import lazy
from crawler.parse.foreign import NAMESPACES
from crawler.parse.references import decoded, unescape

if TYPE_CHECKING:
    from crawler.parse.tokenizer import Tag

LARGE = 256 * 1024
"""Characters from which a scan belongs on a thread: it may take over 5 ms."""
_WINDOW = 128 * 1024  # characters between two looks at the clock: some milliseconds

REFRESH = "http-equiv=refresh"
"""The name under which `Scan.robots` has the content of a meta refresh."""
EARLY_REFRESH = "http-equiv=refresh before base"
"""The same of one that stands before `<base>`, which does not hold for it."""


class Scan(NamedTuple):
    """What the fast pass finds; references are as written, not yet resolved."""

    title: str | None
    base: str | None
    hrefs: list[str]
    robots: list[tuple[str, str]]  # (agent, directives) of <meta name=AGENT content=DIRECTIVES>


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
_TAG = lazy(
    rf"""<(?!/\w++>)(?!<)(?!\w\w?>)(?:
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
    | [!?/][^>]*+(?:>|\Z))                                  # a doctype or bogus comment""",
    re.VERBOSE | re.ASCII,
)

# What is no attribute (1: None) is taken along too, so that no search starts again inside it.
_ATTRIBUTE = lazy(
    r"""[\t\n\f\r /]*+(?:(=?[^\t\n\f\r />=]++)
        (?:[\t\n\f\r ]*+=[\t\n\f\r ]*+
            (?:"([^"]*+)(?:"|\Z)|'([^']*+)(?:'|\Z)|([^\t\n\f\r >"'][^\t\n\f\r >]*+))?+
        )?+|[=>]|\Z)""",
    re.VERBOSE | re.ASCII,
)


def scan(text: str, expired: Callable[[], bool] = lambda: False, *, xml: bool = False) -> Scan:
    """Return title, base, the `href` of every `a` and `area` in document order, and robots metas.

    White space of the title is collapsed; None if none. Raises nothing but TimeoutError: once
    `expired` says so, which a text of `LARGE` characters and more is asked now and then. `xml` says
    that the document is XHTML.
    """
    if xml or "\x0b" in text:  # white space to Python alone
        return precise(text, expired, xml=xml)
    if len(text) >= LARGE:
        found = _gathered(text, _one_by_one(text, expired))
    else:
        found = _gathered(text, _TAG.findall(text))
    return found or precise(text, expired)


def _gathered(text: str, matches: Iterable[tuple[str, ...]]) -> Scan | None:
    """Return what the matches say, None if one expression cannot tell."""
    title: str | None = None
    base: str | None = None
    hrefs: list[str] = []
    robots: list[tuple[str, str]] = []
    for href, name, attributes, end, raw_name, raw in matches:
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
                if "<!--" in raw and _INNER_SCRIPT.search(raw):
                    return None
            elif kind in _APART:
                inside = _inside(kind, raw, text)
                if inside is None:
                    return None
                hrefs += inside
    return Scan(title, base, hrefs, robots)


_INNER_SCRIPT = lazy(r"<script[\s/>]", re.IGNORECASE)  # whose end does not end the outer one
_APART = frozenset(("noscript", "template", "frameset"))


def _inside(kind: str, raw: str, text: str) -> list[str] | None:
    """Return the links within an element that is no part of the document; None for the odd ones.

    With scripts on `noscript` is text, but its links are meant for those who run none, as we do.
    What is in a `template` is in no document, except where it makes a shadow root.
    """
    if kind == "noscript":
        found = _gathered(raw, _TAG.findall(raw))
        return found.hrefs if found is not None else None
    if kind == "frameset" or "shadowroot" in text:
        return None
    for match in _TAG.finditer(raw):
        # Its end stands in a script, a comment or a value, or is that of another template.
        if match.end() == len(raw) and (match[5] or not _CLOSED.search(match[0])):
            return None
        if (match[5] or "").lower() == "template":
            return None
    return []


_CLOSED = lazy(r"^<(?:!--(?:-?|.*--!?)>|(?!!--).*>)\Z", re.DOTALL)


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


def _one_by_one(
    text: str, expired: Callable[[], bool], window: int = _WINDOW
) -> Iterator[tuple[str, ...]]:
    """Return the same of a large text, window by window, so that other threads run between them.

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
            # Foreign content is not plain where the window cuts it off.
            odd = match[2] is not None and match[2].lower() in NAMESPACES
            cut = odd or match.end() == end
            if not cut or end == size:
                yield match.groups("")
            elif match.start() > start:
                at = match.start()
                break
            elif (match[5] or "").lower() in _APART:
                yield _ODD
                return
            elif match[5] or odd or not text[start + 1 : start + 3].lstrip("/")[:1].isalpha():
                yield match.groups("")
                at = _end_of(text, match)
                break
            else:  # a tag that fills a window
                yield _ODD
                return


_ODD = ("", "svg", "", ">", "", "")  # which only the tokenizer can read


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
        match = pattern.search(text, at, min(size, at + _WINDOW))
        if match and (match.end() < at + _WINDOW or at + _WINDOW >= size):
            return match.start()
        at += _WINDOW - 16
    return size


_META = lazy(r"""(?:^|[\s/])name\s*+=\s*+["']?\s*+([^\s"'>]++)""", re.IGNORECASE)
_REFRESHES = lazy("[fF][rR][eE][sS][hH]|&#")
_OTHER_METAS = {"viewport", "description", "keywords", "generator", "author", "theme-color"}


def _directives(attributes: str) -> list[tuple[str, str]]:
    """Return what a meta tag may say to robots: (its name, its content)."""
    quick = _META.search(attributes)
    refresh = _refresh(attributes) if _REFRESHES.search(attributes) else []
    if quick is None or quick[1].lower() in _OTHER_METAS:
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
    for piece in (attributes,) if len(attributes) < _WINDOW else _pieces(attributes):
        for match in _ATTRIBUTE.finditer(piece) if xml or name in piece.lower() else ():
            if match[1] is not None and (match[1] if xml else match[1].lower()) == name:
                return decoded(match[2] or match[3] or match[4] or "", xml=xml)
    return None
