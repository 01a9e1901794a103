"""Pages as Markdown: whole, or the main content alone.

What a reader does not see is left out, as it is of `page.text`. docs/decisions/0012-markdown.md has
what was measured.
"""

from __future__ import annotations

from typing import Any

from crawler import urls
from crawler.parse.hidden import may_hide, seen
from crawler.parse.invisible import visible


def markdown_of(html: str, url: str = "", *, main: bool = False, hidden: bool = False) -> str:
    """Return a page as Markdown; `main` leaves out navigation and other boilerplate.

    `hidden` keeps what a reader does not see.
    """
    from crawler.parse.article import article_of
    from crawler.parse.markdown_writer import MarkdownWriter

    if not hidden and may_hide(html):
        html = seen(html)[0]
    root = _tree(html)
    if root is None:
        return ""
    base = next((one.get("href") for one in root.iter("base") if one.get("href")), "")
    against = urls.join(url, base) if url and base else base or url
    writer = MarkdownWriter(against or url)
    text = writer.page(article_of(root) if main else root)
    if writer.deep and not main:  # libxml2 lets go of what lies deeper than 2048
        whole = _tree(html, deep=True)
        text = MarkdownWriter(against or url).page(whole) if whole is not None else text
    return text if hidden else visible(text)[0]


def _tree(html: str, *, deep: bool = False) -> Any:
    """Return the root of a page, None where there is nothing in it; `deep` has no limit."""
    from lxml import etree

    target = {"target": etree.TreeBuilder()} if deep else {}
    parser = etree.HTMLParser(
        recover=True,
        encoding="utf-8",
        huge_tree=True,
        remove_comments=True,  # lxml looks up from each to the root
        remove_pis=True,
        **target,  # type: ignore[arg-type]
    )
    try:
        return etree.fromstring(html.encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError:  # nothing but a comment
        return None
