"""Lines that styles make: what `display` puts on lines of its own, or into one.

`<span style="display: block">` ends a line as `<div>` does, the children of `display: flex` are
boxes of their own, and `<li style="display: inline">` ends none. Only `style` attributes are read:
this is for large pages, `inner_text` reads small ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from crawler.lazy_regex import lazy
from crawler.parse.css import declarations, display_of
from crawler.parse.glance import MOST_STYLES, Glance
from crawler.parse.hidden_walk import ENDS_P
from crawler.parse.hints import hinted, last_tag, style
from crawler.parse.tokenizer import Span, attributes_of, spans

_BOX = (
    r"(?:display\s*+:\s*+(?!none)|float\s*+:\s*+(?:left|right|inline-)"
    r"|position\s*+:\s*+(?:absolute|fixed))"
)
_STYLED = lazy(rf"""style\s*+=\s*+["']?[^"'<>]*?{_BOX}""".encode())
_STYLES = frozenset((style(r"(?:display|float|position)\s*+:"),))
_LONG_STYLE = 2000  # characters of a style attribute; what is longer is not looked through
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_BOXES = ("flex", "grid", "inline-flex", "inline-grid")  # whose children are boxes in any case
_IN_LINE = ("inline", "contents")
_LINES = ("flex", "grid", "block", "list-item", "table", "table-row", "table-cell", "flow-root")
_LOOKED_AT = 64  # open elements for each end tag
_BREAK = "<br>"


class _Shown(NamedTuple):
    """An open element: whether it ends a line, holds boxes, or was put into a line.

    `cells` counts the rows of a table in a line, and the cells of the last of them.
    """

    name: str
    line: bool = False
    boxes: bool = False
    inline: bool = False
    cells: list[int] | None = None


def may_display(html: str, look: Glance) -> bool:
    """Return whether styles of a page may make or unmake lines, at little cost."""
    if len(look.styles) > MOST_STYLES:
        return any(word in html for word in ("display", "float", "position"))
    return any(_may_box(look.low, at) for at in look.styles)


def _may_box(low: bytes, at: int) -> bool:
    """Return whether a style attribute may make a box, as one may that is long."""
    end = at + _LONG_STYLE
    return _STYLED.match(low, at, end) is not None or low.find(b">", at, end) < 0


def in_lines(html: str, is_block: Callable[[str], bool]) -> str:
    """Return a page with its lines in markup; `is_block` tells which elements end one by name."""
    kept: list[str] = []
    at = 0
    for start, end, written in _changes(html, is_block):
        kept += (html[at:start], written)
        at = end
    return "".join([*kept, html[at:]])


def _changes(html: str, is_block: Callable[[str], bool]) -> Iterable[tuple[int, int, str]]:
    """Return what is written in the place of which stretch."""
    near = _near(html, is_block)
    if near is not None:
        return near
    lines = _Lines(is_block)
    return (change for span in spans(html) for change in lines.take(span))


def _near(html: str, is_block: Callable[[str], bool]) -> list[tuple[int, int, str]] | None:
    """Return the same by a look at few of the tags; None where that does not tell."""
    places = hinted(html, frozenset(), _STYLES)
    if places is None:
        return None
    found: list[tuple[int, int, str]] = []
    lines = _Lines(is_block)
    at = behind = 0
    for start, end in places:
        if start < behind:
            continue
        for span in spans(html, start):
            if span.start >= end and not lines.open:
                behind = span.start
                break
            if not lines.open:
                if span.ends or span.foreign or not _tells(_display(span)):
                    continue
                last, at = last_tag(html[at:start], ENDS_P), start
                if last == "?":
                    return None
                lines.paragraph = last == "p" if last else lines.paragraph
            elif span.ends and not span.foreign and not lines.knows(span.name):
                return None  # it may end what stands around
            found += lines.take(span)
            at = span.end
        else:
            break
    return found


class _Lines:
    """Where a walk over the tags of a page stands: the open elements, and whether a paragraph is.

    `is_block` tells which elements end a line by name.
    """

    def __init__(self, is_block: Callable[[str], bool]) -> None:
        self.open: list[_Shown] = []
        self.paragraph = False
        self._is_block = is_block

    def knows(self, name: str) -> bool:
        """Return whether an element of a name is open."""
        return any(one.name == name for one in self.open[-_LOOKED_AT:])

    def take(self, span: Span) -> Iterator[tuple[int, int, str]]:
        """Take in a tag; yield what is written in the place of which stretch."""
        if span.foreign:
            return
        stack, name = self.open, span.name
        ended = self.paragraph and name in ENDS_P
        self.paragraph = (self.paragraph and not ended) or (name == "p" and not span.ends)
        if span.ends:
            closed = _closed(stack, name)
            if closed.inline:
                yield span.start, span.end, "</span>"
            elif closed.line:
                yield span.end, span.end, _BREAK
            return
        cells = stack[-1].cells if stack and name in _PARTS else None
        if cells is not None:
            yield span.start, span.start + 1 + len(name), f"{_before(name, cells)}<span"
            stack.append(_Shown(name, inline=True, cells=cells))
            return
        display = _display(span)
        line = display in _LINES or bool(stack and stack[-1].boxes)
        # A paragraph is one whatever its display:
        # https://html.spec.whatwg.org/#rendered-text-collection-steps
        inline = display.startswith(_IN_LINE) and not line and name != "p" and self._is_block(name)
        if inline:
            before = "</p>" if ended else ""  # as its name does
            yield span.start, span.start + 1 + len(name), f"{before}<span"
        elif line:
            yield span.start, span.start, _BREAK
        if name not in _VOID:
            cells = [0, 0] if display == "inline-table" else None
            stack.append(_Shown(name, line, display in _BOXES, inline, cells))


def _tells(display: str) -> bool:
    """Return whether an element with that `display`, or what is in it, is shown otherwise."""
    return display in (*_LINES, *_BOXES) or display.startswith(_IN_LINE)


_PARTS = frozenset("tr td th tbody thead tfoot".split())


def _before(name: str, cells: list[int]) -> str:
    """Return what stands before a part of a table in a line, and count it."""
    if name == "tr":
        cells[:] = [cells[0] + 1, 0]
        return _BREAK if cells[0] > 1 else ""
    cells[1] += name in ("td", "th")
    return " " if name in ("td", "th") and cells[1] > 1 else ""


def _closed(stack: list[_Shown], name: str) -> _Shown:
    """Close the innermost open element of that name, and those within it."""
    for at in range(len(stack) - 1, max(-1, len(stack) - _LOOKED_AT), -1):
        if stack[at].name == name:
            found = stack[at]
            del stack[at:]
            return found
    return _Shown(name)


def _display(span: Span) -> str:
    if not span.attributes:
        return ""
    return display_of(declarations(attributes_of(span.attributes).get("style", "")).style)
