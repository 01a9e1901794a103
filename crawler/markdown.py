"""Pages as Markdown: whole with markdownify, the main content alone with trafilatura.

Chosen by measuring on real pages (docs/decisions/0012-markdown.md). Both come with the extra
`markdown`.
"""

from __future__ import annotations

import warnings

from crawler.errors import UsageError

_EXTRA = "Markdown needs more packages: pip install 'crawlkeep[markdown]'"


def markdown_of(html: str, url: str = "", *, main: bool = False) -> str:
    """Give a page as Markdown; `main` leaves out navigation and other boilerplate.

    UsageError where the extra `markdown` is not installed.
    """
    return _main(html, url) if main else _whole(html)


def _whole(html: str) -> str:
    try:
        from markdownify import MarkdownConverter
    except ImportError:
        raise UsageError(_EXTRA) from None
    from bs4 import XMLParsedAsHTMLWarning

    from crawler.soup import soup_of

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)
        soup = soup_of(html)
    for tag in soup(["script", "style", "template", "head"]):
        tag.decompose()
    text: str = MarkdownConverter(heading_style="ATX", bullets="-").convert_soup(soup)
    lines = [line.rstrip() for line in text.splitlines()]
    kept = [line for at, line in enumerate(lines) if line or (at and lines[at - 1])]
    return "\n".join(kept).strip() + "\n"


def _main(html: str, url: str) -> str:
    try:
        from trafilatura import extract
    except ImportError:
        raise UsageError(_EXTRA) from None
    if not html.strip():
        return ""
    text: str | None = extract(
        html.encode(),
        url=url or None,
        output_format="markdown",
        include_links=True,
        include_tables=True,
        include_formatting=True,
    )
    return f"{text}\n" if text else ""
