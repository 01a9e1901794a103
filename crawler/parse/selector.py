"""A page as a parsel Selector, from its bytes where that gives the same tree as from its text.

parsel writes the text as UTF-8 again and makes a parser for each page. Where the body is that UTF-8
already, a tenth of the time goes without (docs/decisions/0023-reparse.md).
"""

from __future__ import annotations

from lxml import etree, html
from parsel import Selector

_PARSER = html.HTMLParser(recover=True, encoding="utf-8", huge_tree=True)  # as parsel makes it


def selector_of(text: str, body: bytes, encoding: str, url: str) -> Selector:
    """Return `Selector(text, type="html", base_url=url)`; `text` is `body` by `encoding`."""
    # parsel leaves out zero bytes, and white space around it, of which Unicode has more than ASCII.
    # U+FFFD and U+FFFF may stand for bytes that are no UTF-8.
    bare = body.strip()
    framed = encoding == "utf-8" and bare[:1] == b"<" and bare[-1:] == b">"
    if framed and b"\0" not in bare and "\ufffd" not in text and "\uffff" not in text:
        try:
            root = etree.fromstring(bare, _PARSER, base_url=url)
        except etree.XMLSyntaxError:  # nothing but a comment
            root = None
        if root is not None:
            return Selector(root=root, type="html")  # unasked, it takes XHTML for XML
    return Selector(text or "<html></html>", type="html", base_url=url)
