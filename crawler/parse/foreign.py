"""Foreign content: where in a document SVG and MathML stand, and what that does to its tags.

By https://html.spec.whatwg.org/#parsing-main-inforeign, as far as the tags need it: in SVG and
MathML no element is text by its name, "/>" ends an element, and CDATA is text; in the parts where
HTML stands inside of them (`foreignObject`, `desc`, `title` …) the rules of HTML hold.
"""

from __future__ import annotations

import re

NAMESPACES = ("svg", "math")
BREAKOUT = frozenset(
    "b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li"
    " listing menu meta nobr ol p pre ruby s small span strong strike sub sup table tt u ul var"
    .split()
)  # fmt: skip
"""Elements of HTML whose start ends SVG and MathML, wherever HTML does not stand inside of it."""
ENDS = ("br", "p")
"""Those whose end does, too."""
_FONT = re.compile(r"(?:^|[\s/])(?:color|face|size)(?=[\s/=]|\Z)", re.IGNORECASE)
_HTML_ENCODING = re.compile(
    r"""encoding\s*=\s*(?:"|'|)(?:text/html|application/xhtml\+xml)(?:["'\s/]|\Z)""", re.IGNORECASE
)
_HTML_IN_SVG = frozenset(("foreignobject", "desc", "title"))
_TEXT_IN_MATH = frozenset(("mi", "mo", "mn", "ms", "mtext"))
_VOID = frozenset(
    "area base br col embed hr img input link meta param source track wbr keygen".split()
)
# An end tag of one of these closes whatever foreign element was left open inside of it.
_CONTAINERS = BREAKOUT - {"body", "head"} | frozenset(
    "a article aside button details dialog fieldset figcaption figure footer form header label"
    " main nav noscript section select summary tbody td template tfoot th thead tr".split()
)
_CLOSES_P = BREAKOUT & frozenset(
    "blockquote center div dl h1 h2 h3 h4 h5 h6 hr listing menu ol p pre table ul".split()
) | frozenset(
    "address article aside details dialog fieldset figcaption figure footer form header main nav"
    " section summary".split()
)  # fmt: skip
_ALIKE = ({"li"}, {"dd", "dt"}, {"option"}, {"tr"}, {"td", "th"})
_BOUNDS = frozenset(("ul", "ol", "dl", "select", "table"))
_DEEPEST = 512  # elements within each other: Chromium's limit
_LOOKED_AT = 64  # of them for each tag, so that no markup costs more than in proportion to it


class ForeignElements:
    """The open elements from the outermost SVG or MathML element inwards; none in plain HTML.

    Where there are none, only a tag of `NAMESPACES` changes anything.
    """

    __slots__ = ("_first", "_opened", "_text", "open")

    def __init__(self, text: str) -> None:
        self._text = text
        self._opened: set[str] = set()  # the names of all that was ever opened here
        self._first: dict[str, int] = {}  # where an element of a name begins first, if at all
        self.open: list[tuple[str, str, bool]] = []
        """Name, namespace ("" for HTML), and whether HTML stands in it."""

    @property
    def inside(self) -> bool:
        """Whether the innermost open element is foreign: then CDATA is text."""
        return bool(self.open) and self.open[-1][1] != ""

    def start(self, name: str, attributes: str, *, empty: bool) -> str:
        """Take a start tag; return the namespace of its element, "" for HTML."""
        if not self.open:
            if name not in NAMESPACES:
                return ""
            if not empty:
                self._push(name, name)
            return name
        top, namespace, holds_html = self.open[-1]
        html = not namespace or (holds_html and name not in ("mglyph", "malignmark"))
        if not html and top == "annotation-xml" and name == "svg":
            html = True
        if not html and (name in BREAKOUT or (name == "font" and _FONT.search(attributes))):
            self._leave()
            html = True
        if html:
            return self._html(name, empty=empty)
        if not empty:
            holds_html = self._holds_html(name, namespace, attributes)
            self._push(name, namespace, holds_html=holds_html)
        return namespace

    @staticmethod
    def _holds_html(name: str, namespace: str, attributes: str) -> bool:
        if namespace == "svg":
            return name in _HTML_IN_SVG
        is_html = name == "annotation-xml" and _HTML_ENCODING.search(attributes) is not None
        return name in _TEXT_IN_MATH or is_html

    def _html(self, name: str, *, empty: bool) -> str:
        """Open an element by the rules of HTML; only inside of a foreign one it is remembered."""
        if name in NAMESPACES:
            if not empty:
                self._push(name, name)
            return name
        if self.open:
            if name in _CLOSES_P:
                self._close_html({"p"})
            for alike in _ALIKE:
                if name in alike:
                    self._close_html(alike)
            if name not in _VOID:
                self._push(name, "")
        return ""

    def _close_html(self, names: set[str]) -> None:
        for at in self._innermost():
            name, namespace, _ = self.open[at]
            if namespace or name in _BOUNDS:
                return
            if name in names:
                del self.open[at:]
                return

    def _innermost(self) -> range:
        """Return the places of the innermost open elements, from the inside outwards."""
        last = len(self.open) - 1
        return range(last, max(-1, last - _LOOKED_AT), -1)

    def _push(self, name: str, namespace: str, *, holds_html: bool = False) -> None:
        """Open an element. Beyond a depth that browsers cut off, too, it is not remembered."""
        if len(self.open) < _DEEPEST:
            self.open.append((name, namespace, holds_html))
            self._opened.add(name)

    @staticmethod
    def local(name: str) -> str:
        """Return the name itself: to HTML a colon is a letter."""
        return name

    def end(self, name: str, at: int) -> str:
        """Take an end tag that stands at `at`; return the namespace of the element it ends."""
        if not self.open:
            return ""
        foreign = self.inside
        if foreign and name in ENDS:
            self._leave()
            foreign = False
        for place in self._innermost() if name in self._opened else ():
            found, namespace, _ = self.open[place]
            if bool(namespace) is not foreign:
                break
            if found == name:
                del self.open[place:]
                return namespace
        around = foreign and name in _CONTAINERS and self._began(name) < at
        if around and all(one[1] for one in self.open[-_LOOKED_AT:]):
            self._leave()
            return ""
        return "svg" if foreign else ""

    def _began(self, name: str) -> int:
        """Return where an element of that name may have been opened first."""
        if name not in self._first:
            found = re.search(rf"<{name}[\s/>]", self._text, re.IGNORECASE)
            self._first[name] = found.start() if found else len(self._text)
        return self._first[name]

    def _leave(self) -> None:
        """Close foreign elements up to one that holds HTML, or to HTML itself."""
        while self.open and self.open[-1][1] and not self.open[-1][2]:
            self.open.pop()
