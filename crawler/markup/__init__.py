"""HTML from values: whatever is not `Html` already is escaped, so nothing foreign becomes markup.

What a server says is untrusted: control characters and those that turn directions are written out,
as on the terminal.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from crawler.lazy_regex import lazy

# C0 but tab and line feed, DEL, C1; what turns directions (Unicode TR9); line and paragraph
# separators; halves of surrogate pairs, which no encoding can write.
_CONTROLS = lazy(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_VOID = frozenset({"input", "link", "meta", "br", "hr", "img"})


class Html(str):
    """Text that is markup: made by `el`, or written in our own code."""

    __slots__ = ()


def visible(text: str) -> str:
    """Return a text in which no character is hidden or turns others around: such are written out.

    As JSON writes them: `\\u202e`.
    """
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def text(value: Any) -> Html:
    """Return any value as text of a page; `Html` as it is, None as nothing."""
    if isinstance(value, Html):
        return value
    from html import escape  # its table of entities is large, and words are needed more often

    return Html("" if value is None else escape(visible(str(value))))


def join(parts: Iterable[Any], between: str = "") -> Html:
    """Return several values as one."""
    return Html(text(between).join(text(part) for part in parts))


def el(name: str, /, *children: Any, **attributes: Any) -> Html:
    """Return an element; `class_` is `class`, and other underscores are hyphens.

    An attribute of None or False is left out, and of one that is True only the name is written.
    """
    said = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Html(f"<{name}{said}>")
    return Html(f"<{name}{said}>{join(children)}</{name}>")


def _attribute(key: str, value: Any) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{text(value)}"'
