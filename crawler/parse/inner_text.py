"""The text of a page from the tree that a browser builds of it, and what its own styles make of it.

By https://html.spec.whatwg.org/#rendered-text-collection-steps, but that what nobody sees although
it has a box is left out, and that a closed `details` or a body that a script will show is as open.
For small pages: the tree of a large one may cost too much.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from crawler.lazy_regex import lazy
from crawler.parse.apart import is_host
from crawler.parse.css import NONE
from crawler.parse.css.cascade import Cascade, Style, rules_of
from crawler.parse.css.element import MATH_TOKENS, Element
from crawler.parse.css.matching import TooDear
from crawler.parse.light_tree import light_tree, xml_tree
from crawler.parse.syntax import COMMENT, any_case
from crawler.parse.words import characters_of, words_of

_BLOCKS = frozenset(("block", "flex", "grid", "table", "table-caption", "table-column"))
_ATOMS = frozenset(("inline-block", "inline-flex", "inline-grid", "inline-table"))
_TABLES = ("table", "inline-table")
# Elements whose content stands for what a browser shows in their place.
_OPAQUE = frozenset(
    "audio canvas embed frameset iframe img input meter progress template textarea video wbr"
    .split()
)  # fmt: skip
_UNREAD = frozenset(("script", "style", "title", "textarea"))
_DRAWN_IN = frozenset(  # elements of SVG that hold others which are drawn, or used where they are
    "a clippath defs foreignobject g marker mask pattern svg switch symbol text".split()
)
# With scripts on the content of `noscript` is text that nobody sees.
_NOSCRIPT = lazy(
    rf"""<(?:{COMMENT}
    | ({any_case("script style title textarea iframe")})(?=[\s/>])[^>]*+>
      (?:[^<]++|<(?!/(?i:\1)[\s/>]))*+
    | ({any_case("noscript")})(?=[\s/>])[^>]*+>((?:[^<]++|<(?!/(?i:\2)[\s/>]))*+))""",
    re.VERBOSE,
)
_SLOT = lazy(r"""<slot(?=[\s/>])(?:[^>]*?[\s"'/]name\s*=\s*["']?([^\s"'>]*))?""", re.IGNORECASE)
_DOCTYPE = lazy(
    r"\s*+(?:<!--(?:[^-]++|-(?!->))*+-->\s*+|<\?[^>]*+>\s*+)*+<!doctype\s*+([^>]*+)", re.IGNORECASE
)
_OF_QUIRKS = lazy(  # https://html.spec.whatwg.org/#the-initial-insertion-mode
    r"""html\s+public\s*["'](?:\+//silmaril|-//(?:advasoft|as//|ietf|metrius|microsoft|netscape
    |o'reilly|softquad|spyglass|sq//|sun\ micro|w3o|webtechs|w3c//dtd\ (?:html\ (?:3|experimental
    |4\.0\ (?:frameset|transitional)|4\.01\ (?:frameset|transitional)//[a-z]*["']\s*\Z)|w3)))""",
    re.VERBOSE | re.IGNORECASE,
)
# What begins and ends a box in a line: blanks just inside of it are not shown. No page has them.
_BEGIN, _END = "\ud800", "\ud801"
_BLANKS = lazy(  # a search begins within no run of them
    f"{_BEGIN}[ {_BEGIN}]*+|(?<![ {_END}])[ {_END}]*{_END}|{_END}(?:[ {_END}]*{_END})?+"
)
_SPACES = str.maketrans(dict.fromkeys("\t\n\f\r", " ") | {_BEGIN: None, _END: None, "\0": None})


def inner_text(html: str, *, xml: bool = False) -> tuple[str, int] | None:
    """Return the text of a page, lines with white space as it comes, and how much is hidden.

    None where that would cost too much. `xml`: it is XHTML; None for any other document in XML.
    """
    hidden = 0

    def without(found: re.Match[str]) -> str:
        nonlocal hidden
        if not found[2]:
            return found[0]
        hidden += characters_of(found[3])
        return f"<{found[2]}>"

    if not xml and "noscript" in html.lower():
        html = _NOSCRIPT.sub(without, html)
    quirks = not xml and has_quirks(html)
    root = xml_tree(html) if xml else light_tree(html, quirks=quirks)
    if root is None:
        return None
    page = _Looks(root)
    try:
        walk = _TextWalk(page.cascade(quirks=quirks), waits=page.scripted)
        walk.whole(root)
        if not (page.scripted or walk.text.strip()):
            walk = _TextWalk(page.cascade(quirks=quirks), waits=True)
            walk.whole(root)
    except TooDear:
        return None
    return walk.text, walk.hidden + hidden


def has_quirks(html: str) -> bool:
    """Return whether a browser takes a page for one of before the standards."""
    found = _DOCTYPE.match(html)
    if found is None:
        return True
    return found[1][:4].lower() != "html" or _OF_QUIRKS.match(found[1]) is not None


class _Looks:
    """What says how a page is shown: its style elements, and whether scripts may change it."""

    def __init__(self, root: Element) -> None:
        self.scripted = self._linked = False
        sheets: list[tuple[str, str]] = []
        for element in root.all():
            own = element.attributes
            if element.name == "details":
                own.setdefault("open", "")
            elif element.name == "script":
                self.scripted = True
            elif element.name == "link":
                self._linked = self._linked or "stylesheet" in own.get("rel", "").lower()
            elif element.name == "style" and own.get("type", "").lower() in ("", "text/css"):
                text = "".join(one for one in element.children if isinstance(one, str))
                sheets.append((own.get("media", ""), text))
                self._linked = self._linked or "@import" in text
        self._sheets = tuple(sheets)

    def cascade(self, *, quirks: bool) -> Cascade:
        """Return the styles of its elements."""
        return Cascade(rules_of(self._sheets, quirks=quirks), linked=self._linked)


class _Frame:
    """An element that is open: its style, and what of it is still to come.

    `drawn` tells whether text that stands in it is shown, `drawable` whether pictures in it are;
    `end` is what is written behind it. `rows` and `last` are for the tables in it.
    """

    __slots__ = (
        *("box", "drawable", "drawn", "element", "end", "home", "last", "links", "next", "rows"),
        *("shown", "slots", "style", "table"),
    )

    def __init__(self, element: Element, style: Style, outer: _Frame | None) -> None:
        self.element, self.style = element, style
        self.drawn: bool = outer.drawn if outer is not None else True
        self.drawable: bool = outer.drawable if outer is not None else True
        self.table: _Frame = outer.table if outer is not None else self
        self.links = 0
        self.next = self.rows = 0
        self.last = self.end = ""
        self.slots: frozenset[str] | None = None
        self.shown = style.visibility == "visible" and not style.causes
        self.box = style.display
        self.home: _Frame = self
        if outer is not None and style.display == "contents":
            self.box, self.home = outer.box, outer.home
        if style.display in _TABLES:
            self.table = self


class _TextWalk:
    """The walk over a tree: what was read of it so far.

    `waits`: what hides all of the page is for a script to take back.
    """

    def __init__(self, cascade: Cascade, *, waits: bool) -> None:
        self.hidden = 0
        self._cascade, self._waits = cascade, waits
        self._pieces: list[str] = []

    @property
    def text(self) -> str:
        """What was read."""
        return _BLANKS.sub("", "".join(self._pieces))

    def whole(self, root: Element) -> None:
        """Read all of a tree, without recursion."""
        pieces = self._pieces
        style = self._style(root, Style(), "")
        frames = [_Frame(root, style, None)] if style.display != "none" else []
        if not frames:
            self._hide(root)
        while frames:
            frame = frames[-1]
            children = frame.element.children
            if frame.next == len(children):
                pieces.append(frame.end)
                frames.pop()
                continue
            child = children[frame.next]
            frame.next += 1
            if isinstance(child, str):
                if frame.element is not root:
                    self._take(child, frame)
            elif (inner := self._entered(child, frame)) is not None:
                frames.append(inner)

    def _style(self, element: Element, outer: Style, box: str) -> Style:
        style = self._cascade.style(element, outer, box)
        if self._waits and element.name in ("html", "body"):
            return style._replace(display="block", visibility="visible", causes=NONE, skipped=False)
        return style

    def _take(self, text: str, frame: _Frame) -> None:
        if not frame.drawn:
            return
        if not frame.shown or (frame.slots is not None and "" not in frame.slots):
            self.hidden += len(" ".join(text.split()))
            return
        if frame.home.last and not text.isspace():
            frame.home.last = ""
        self._pieces.append(text.translate(_SPACES))

    def _hide(self, element: Element) -> None:
        self.hidden += len(" ".join(_words(element)))

    def _entered(self, element: Element, outer: _Frame) -> _Frame | None:
        """Return the frame of an element whose content is to be read, None if there is none."""
        name = "" if element.foreign else element.name
        if outer.element.parent is None and name != "body":
            return None
        if _is_strange(element, outer.element):
            return None
        style = self._style(element, outer.style, outer.box)
        display = style.display
        if (
            display == "none"
            or (style.skipped and display != "inline")
            or element.attributes.get("aria-hidden", "").strip().lower() == "true"
            or not style.causes <= _MAY_END
            or (outer.slots is not None and element.attributes.get("slot", "") not in outer.slots)
        ):
            if element.name not in _UNREAD:
                self._hide(element)
            return None
        if outer.element.name == "switch" and element.foreign == "svg" and element.place > 1:
            return None
        frame = _Frame(element, style, outer)
        if element.foreign:
            _set_foreign(frame, outer)
        if frame.shown:
            self._begin(frame, outer)
        if name == "br":
            self._pieces.append("\n")
        elif name == "select":
            self._options(element, frame)
        elif name == "option" and frame.shown:
            self._pieces.append("".join(element.texts()).translate(_SPACES))
        elif name in _OPAQUE or display == "table-column" or (name == "object" and _loads(element)):
            self._hide(element)
        else:
            if element.elements and is_host(name):
                frame.slots = _slots(element)
            return frame
        self._pieces.append(frame.end)
        return None

    def _begin(self, frame: _Frame, outer: _Frame) -> None:
        """Write what stands before an element, and keep what does behind it."""
        element, display, pieces = frame.element, frame.style.display, self._pieces
        if display == "contents":
            return
        home = outer.home
        last, home.last = home.last, ""
        if outer.element.foreign == "math":
            pieces.append(" ")
            frame.end = " "
        elif display == "table-cell":
            home.last = display
            if last == display:  # a line of its own, as by its name
                pieces.append(" " if frame.table.style.display == "inline-table" else "\n")
        elif display == "table-row":
            table = frame.table
            if table.rows:
                pieces.append("\n")
            table.rows += 1
        elif display in _BLOCKS or element.name == "p":
            pieces.append("\n")
            frame.end = "\n"
        elif display in _ATOMS:
            pieces.append(_BEGIN)
            frame.end = _END

    def _options(self, select: Element, frame: _Frame) -> None:
        """Read a list, of which only the options are shown, each as one line."""
        options: list[Element | None] = []
        for one in select.elements:
            if one.name == "option":
                options.append(one)
            else:
                options += (None,) if one.name == "optgroup" else ()
                options += (inner for inner in one.elements if inner.name == "option")
        for option in options:
            if option is None:  # a group ends a line, even without options
                self._pieces.append("\n")
                continue
            if not frame.shown or self._style(option, frame.style, "").display == "none":
                self._hide(option)
                continue
            label = option.attributes.get("label", "") or "".join(option.texts())
            self._pieces += ("\n", label.translate(_SPACES), "\n")


_MAY_END = frozenset(("size", "colour"))  # causes that something inside can take back


def _words(element: Element) -> Iterator[str]:
    """Yield the words in an element that nobody sees."""
    for one in element.all():
        if one.name in _UNREAD:
            continue
        if one.inside:
            yield from words_of(one.inside).split()
        for text in one.children:
            if isinstance(text, str):
                yield from (words_of(text) if "<" in text else text).split()


def _loads(element: Element) -> bool:
    return "data" in element.attributes


def _slots(host: Element) -> frozenset[str] | None:
    """Return the names of the slots of an element's shadow root, None if it has none."""
    for one in host.elements:
        if one.name == "template" and one.attributes.get("shadowrootmode", "").lower() in _MODES:
            return frozenset(name or "" for name in _SLOT.findall(one.inside))
    return None


_MODES = ("open", "closed")


def _is_strange(element: Element, outer: Element) -> bool:
    """Return whether an element is where none of its kind is drawn, as it can be in XML alone."""
    if element.foreign == "svg":
        return outer.foreign != "svg" and element.name != "svg"
    if element.foreign or not outer.foreign:
        return False
    return outer.name not in ("foreignobject", "annotation-xml", *MATH_TOKENS)


def _set_foreign(frame: _Frame, outer: _Frame) -> None:
    """Set what of an element of SVG or MathML is drawn."""
    element = frame.element
    name = element.name
    if element.foreign == "math":
        frame.drawn = name in MATH_TOKENS
        return
    if outer.element.foreign != "svg":
        frame.drawn, frame.drawable = False, outer.drawn
        return
    frame.links = outer.links + (name == "a")
    if frame.links > 1 or not (outer.drawn or name in _DRAWN_IN):
        frame.drawn = frame.drawable = False
    elif name in ("text", "foreignobject"):
        frame.drawn = frame.drawable
    elif name == "svg":
        frame.drawn = False
