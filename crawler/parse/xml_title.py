"""The title of a document in XML, of whose elements none is text by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crawler.parse.tokenizer import Tag


class XmlTitle:
    """The first title of a document, of a picture the first in its root; its own text alone.

    https://html.spec.whatwg.org/#the-title-element-2
    """

    __slots__ = ("_depth", "_inside", "_picture", "texts")

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._depth = self._inside = 0  # open elements of the document, and from the title on
        self._picture: bool | None = None

    def take(self, tag: Tag, *, counts: bool) -> bool:
        """Take the next tag; return whether the title ends with it, or the document within it.

        `counts` says that the tag is part of the document, and no template's.
        """
        if self._picture is None:
            self._picture = tag.foreign == "svg"
        if self._inside == 1:
            self.texts.append(tag.before)
        if tag.ends:
            was = self._inside
            self._depth -= 1
            self._inside -= was > 0
            return was > 0 and (self._inside == 0 or not tag.name)
        self._inside += self._inside > 0 or (counts and self._is_title(tag, self._depth))
        self._depth += 1
        return False

    def _is_title(self, tag: Tag, depth: int) -> bool:
        at_its_place = tag.foreign == "svg" and depth == 1 if self._picture else not tag.foreign
        return tag.name == "title" and at_its_place
