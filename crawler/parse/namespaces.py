"""The namespaces of XHTML: which elements of a document in XML are those of HTML.

By https://www.w3.org/TR/xml-names/, as far as the tags need it: a prefix stands for what its
nearest `xmlns:` says, an element without one is in the namespace of the nearest `xmlns`.
"""

from __future__ import annotations

import re

from crawler.lazy_regex import lazy
from crawler.parse.references import decoded

_XHTML = "http://www.w3.org/1999/xhtml"
_KNOWN = {
    _XHTML: "",
    "http://www.w3.org/2000/svg": "svg",
    "http://www.w3.org/1998/Math/MathML": "math",
    "http://www.w3.org/1999/xlink": "xlink",
}
_DECLARED = re.compile(
    r"""(?:^|[\t\n\r ])xmlns(?::([^\s=]+))?[\t\n\r ]*=[\t\n\r ]*(?:"([^"]*)"|'([^']*)')"""
)
# A document type, with the declarations in it.
_DOCTYPE = lazy(
    r"""<!DOCTYPE(?:[^\[>"']++|"[^"]*+"|'[^']*+'
    |\[(?:[^\]"'<]++|"[^"]*+"|'[^']*+'|<!--(?:[^-]++|-(?!->))*+-->|<)*+\])*+>""",
    re.VERBOSE,
)
_NONE = {"": "other"}  # what holds where nothing is declared: such elements are none of HTML
_DEEPEST = 4096  # elements within each other that are remembered


class Namespaces:
    """The open elements of a document in XML, with the namespaces that hold in them."""

    __slots__ = ("_known", "open")

    def __init__(self) -> None:
        self.open: list[tuple[str, str, dict[str, str]]] = []
        """Name, namespace ("" for HTML), and the namespaces by prefix inside of it."""
        self._known = _NONE

    @property
    def inside(self) -> bool:
        """Whether the innermost open element is foreign."""
        return bool(self.open) and self.open[-1][1] != ""

    def start(self, name: str, attributes: str, *, empty: bool) -> str:
        """Take a start tag; return the namespace of its element, "" for HTML."""
        known = self.open[-1][2] if self.open else _NONE
        if "xmlns" in attributes:
            known = dict(known)
            for prefix, double, single in _DECLARED.findall(attributes):
                known[prefix] = _KNOWN.get(decoded(double or single), "other")
        prefix, _, _ = name.rpartition(":")
        namespace = known.get(prefix, "other")
        self._known = known
        if not empty and len(self.open) < _DEEPEST:
            self.open.append((name, namespace, known))
        return namespace

    def spelled(self, attributes: str) -> str:
        """Return the attributes of the tag just taken, those of XLink under its usual prefix."""
        if "xlink" in self._known.values():
            for prefix, namespace in self._known.items():
                if namespace == "xlink" and prefix not in ("", "xlink"):
                    found = rf"(?<=[\t\n\r ]){re.escape(prefix)}:(?=href[\t\n\r =])"
                    attributes = re.sub(found, "xlink:", attributes)
        return attributes

    def end(self, name: str, at: int) -> str:
        """Take an end tag, wherever it stands; return the namespace of the element that it ends."""
        for at in range(len(self.open) - 1, max(-1, len(self.open) - 65), -1):
            if self.open[at][0] == name:
                namespace = self.open[at][1]
                del self.open[at:]
                return namespace
        return "other"

    @staticmethod
    def local(name: str) -> str:
        """Return a name without its prefix."""
        return name.rpartition(":")[2]


def end_of_declaration(text: str, start: int, end: int) -> int:
    """Return where a processing instruction or a document type ends that begins at `start`.

    `end` is where HTML has it end, and anything else.
    """
    if text.startswith("<?", start):
        found = text.find("?>", start + 2)
        return found + 2 if found >= 0 else len(text)
    doctype = _DOCTYPE.match(text, start)
    return doctype.end() if doctype else end
