"""Pages as Markdown: whole with markdownify, the main content alone with trafilatura.

Chosen by measuring on real pages (docs/decisions/0012-markdown.md). Both come with the extra
`markdown`. What a reader does not see is left out, as it is of `page.text`.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from crawler.errors import UsageError
from crawler.parse.hidden import seen
from crawler.parse.invisible import visible

if TYPE_CHECKING:
    from bs4 import BeautifulSoup
    from bs4.element import Tag

_EXTRA = "Markdown needs more packages: pip install 'crawlkeep[markdown]'"
_MOST_SPAN = 1000  # rows that one cell may span; more are no table


def markdown_of(html: str, url: str = "", *, main: bool = False, hidden: bool = False) -> str:
    """Return a page as Markdown; `main` leaves out navigation and other boilerplate.

    `hidden` keeps what a reader does not see. UsageError where the extra `markdown` is not
    installed.
    """
    if hidden:
        return _main(html, url) if main else _whole(html, url)
    html = seen(html)[0]
    return visible(_main(html, url) if main else _whole(html, url))[0]


def _whole(html: str, url: str) -> str:
    try:
        from markdownify import MarkdownConverter
    except ImportError:
        raise UsageError(_EXTRA) from None
    from bs4 import XMLParsedAsHTMLWarning

    from crawler.parse.soup import soup_of

    class Converter(MarkdownConverter):
        """Escapes what would end a cell of a table."""

        def convert_td(self, el: Any, text: str, parent_tags: Any) -> str:
            return str(super().convert_td(el, _cell(text), parent_tags))  # type: ignore[misc]

        def convert_th(self, el: Any, text: str, parent_tags: Any) -> str:
            return str(super().convert_th(el, _cell(text), parent_tags))  # type: ignore[misc]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)
        soup = soup_of(html)
    _make_absolute(soup, url)
    for tag in soup(["script", "style", "template", "head"]):
        tag.decompose()
    for table in soup("table"):
        _spread(soup, table)
    converter = Converter(heading_style="ATX", bullets="-", sup_symbol="<sup>", sub_symbol="<sub>")
    text: str = converter.convert_soup(soup)
    lines = [line.rstrip() for line in text.splitlines()]
    kept = [line for at, line in enumerate(lines) if line or (at and lines[at - 1])]
    return "\n".join(kept).strip() + "\n"


def _cell(text: str) -> str:
    """Escape the pipes of a cell that are not escaped yet."""
    return text.replace("\\|", "|").replace("|", "\\|")


def _make_absolute(soup: BeautifulSoup, url: str) -> None:
    """Make the references of links and images absolute: a Markdown file has no base."""
    base = soup.find("base", href=True)
    against = urljoin(url, str(base["href"])) if base is not None else url
    for tag in soup(["a", "img"]):
        name = "href" if tag.name == "a" else "src"
        reference = tag.get(name)
        if not against or not isinstance(reference, str):
            continue
        try:
            tag[name] = urljoin(against, reference.strip())
        except ValueError:  # no URL: it stays as it is
            continue


def _spread(soup: BeautifulSoup, table: Tag) -> None:
    """Put an empty cell into each further row that a cell spans, so that columns stay in line."""
    spans: dict[int, int] = {}  # rows still to come, by column
    for row in table("tr"):
        if row.find_parent("table") is not table:
            continue
        column = 0
        for cell in row.find_all(["td", "th"], recursive=False):
            while spans.get(column, 0) > 0:
                spans[column] -= 1
                cell.insert_before(soup.new_tag("td"))
                column += 1
            rows, width = _number(cell.get("rowspan")), _number(cell.get("colspan"))
            for further in range(width):
                spans[column + further] = rows - 1
            column += width
        while spans.get(column, 0) > 0:
            spans[column] -= 1
            row.append(soup.new_tag("td"))
            column += 1


def _number(text: Any) -> int:
    return max(1, min(_MOST_SPAN, int(text))) if isinstance(text, str) and text.isdecimal() else 1


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
