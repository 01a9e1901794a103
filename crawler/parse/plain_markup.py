"""A page in plain markup, of what only a tokenizer understands: for the sweeps of its text."""

from __future__ import annotations

from crawler.parse.tokenizer import RAW, Tag, tags

_UNSEEN = RAW | {"br", "img", "input", "wbr"}  # of XHTML, where any element may hold text


def plain_markup(html: str, *, xml: bool = False) -> str:
    """Return a page with what only a tokenizer understands said in plain markup.

    Elements of raw text, CDATA and comments are gone, but for the text of `xmp` and `plaintext`,
    which is seen; of a picture all is gone that is not drawn. `xml`: the page is XHTML, whose
    styles stay.
    """
    kept: list[str] = []
    unseen = 0  # open elements of a picture, or of XHTML, that are not shown
    drawn = _Drawn(xml=xml)
    foreign = ""  # of the tag before
    for tag in tags(html, xml=xml):
        if not unseen and drawn:
            before = tag.before.replace("\0", "\ufffd") if foreign else tag.before
            kept.append(before.replace("<", "&lt;"))
        foreign = tag.foreign
        name = "pre" if xml and tag.name in ("xmp", "plaintext") else tag.name
        drawn.take(tag)
        if xml and name == "style" and not tag.foreign:
            kept.append(f"<style{tag.attributes}>" if not tag.ends else f"{tag.before}</style>")
        if (tag.foreign or xml) and name in (_UNSEEN if xml else RAW):
            if name == "br" and not (tag.ends or unseen):
                kept.append("<br>")
            unseen = max(0, unseen + (-1 if tag.ends else 1))
        elif name and not unseen and (tag.foreign or name not in RAW or name == "xmp"):
            attributes = tag.attributes.replace("<", "&lt;")
            written = "span" if tag.foreign == "other" else name
            kept.append(f"<{'/' if tag.ends else ''}{written}{attributes}>")
            if name in ("xmp", "plaintext"):
                kept.append(_escaped(tag.raw))
    return "".join(kept)


# The elements of SVG that hold others which are drawn, there or where they are used.
_DRAWN_IN = frozenset(
    "a clippath defs foreignobject g marker mask pattern svg switch symbol text".split()
)


class _Drawn:
    """Whether text is shown where it stands: in a picture only that of `text`, and HTML in it.

    In a picture of HTML any other element of HTML ends it, in `xml` such a one is not drawn.
    """

    __slots__ = ("_chosen", "_open", "_passed", "_xml")

    def __init__(self, *, xml: bool) -> None:
        self._xml = xml
        self._open: list[str] = []  # elements of SVG, from the outside inwards
        self._chosen: set[int] = set()  # depths of each `switch` that has its one child
        self._passed = 0  # the depth of one that has another child open, which is not drawn

    def take(self, tag: Tag) -> None:
        """Take the next tag."""
        if tag.foreign == "svg":
            if not tag.ends:
                self._start(tag.name)
            elif tag.name in self._open:
                while self._open.pop() != tag.name:
                    pass
                depth = len(self._open)
                self._chosen = {one for one in self._chosen if one <= depth}
                self._passed = self._passed if self._passed < depth else 0
        elif self._xml:
            return
        elif self._open and tag.name and self._open[-1] not in ("foreignobject", "title", "desc"):
            self._open.clear()
            self._chosen.clear()
            self._passed = 0

    def _start(self, name: str) -> None:
        depth = len(self._open)
        if depth >= 64:
            return
        if depth and self._open[-1] == "switch":
            if depth in self._chosen:
                self._passed = self._passed or depth
            self._chosen.add(depth)
        self._open.append(name)

    def __bool__(self) -> bool:
        drawn, links = not self._open, 0
        if self._passed:
            return False
        for name in reversed(self._open):
            drawn = drawn or name in ("text", "foreignobject")
            links += name == "a"
            if (name in ("title", "desc", "svg") and not drawn) or links > 1:
                return False
            if drawn and name not in _DRAWN_IN:
                return False
        return drawn


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
