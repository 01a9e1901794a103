"""What of a page is no part of its document: the content of `template` and `noscript`."""

from __future__ import annotations

from crawler.parse.tokenizer import Tag, attributes_of

# What may have a shadow root, besides custom elements, and what says nothing of where one stands
# (https://dom.spec.whatwg.org/#dom-element-attachshadow).
_HOSTS = frozenset(
    "article aside blockquote body div footer h1 h2 h3 h4 h5 h6 header main nav p section span"
    .split()
)  # fmt: skip
_NO_PARENTS = frozenset(
    "area base br col embed hr img input link meta param script source style title track wbr"
    .split()
)  # fmt: skip


def is_host(name: str) -> bool:
    """Return whether an element of that name may have a shadow root."""
    return name in _HOSTS or "-" in name


class Apart:
    """What is open of `template` and `noscript`, whose content is no part of the document.

    With scripts on `noscript` is text: nothing in it is an element of the page. Only its links are
    taken, as no scripts run here. False where nothing is open.
    """

    __slots__ = ("_host", "_noscript", "_templates", "_xml")

    def __init__(self, *, xml: bool = False) -> None:
        self._templates: list[bool] = []  # whether each is inert: not so what makes a shadow root
        self._noscript, self._xml = False, xml
        self._host = (
            False  # whether the element that is open may have a shadow root, as far as seen
        )

    def take(self, tag: Tag) -> None:
        """Take the next tag."""
        if tag.foreign:
            return
        if tag.name == "template":
            if not tag.ends:
                mode = attributes_of(tag.attributes).get("shadowrootmode", "").lower()
                self._templates.append(not (self._host and mode in ("open", "closed")))
                self._host = True
            elif self._templates:
                self._host = self._templates.pop()  # an element has but one shadow root
        elif tag.name == "noscript" and not self._xml:
            self._noscript = not tag.ends
        elif tag.name not in _NO_PARENTS:
            self._host = tag.ends or is_host(tag.name)

    def __bool__(self) -> bool:
        return self._noscript or bool(self._templates)

    @property
    def inert(self) -> bool:
        """Whether even links count for nothing."""
        return any(self._templates)
