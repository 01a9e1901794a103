"""What a page says for machines: JSON-LD, microdata, Open Graph, and the rows of its tables."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from crawler.errors import UsageError
from crawler.parse.article import text_of
from crawler.web.record_types import Refuse, column_names, refuse_for

if TYPE_CHECKING:
    from crawler.web.page import ScrapedPage

_COMMENT = re.compile(r"<!--|(?://\s*)?<!\[CDATA\[|/\*\s*<!\[CDATA\[\s*\*/")
_MOST_COLUMNS, _MOST_ROWS = 1000, 65534  # that a cell spans (HTML 4.9.11)
_MOST_CELLS = 1_000_000  # of a table, that are not written
_MOST_READ = 10  # times that a page is read for microdata: items may share what they refer to
_DEEPEST = 100  # items within each other
_SOURCES = frozenset(("audio", "embed", "iframe", "img", "source", "track", "video"))
_LINKS = frozenset(("a", "area", "link"))


# ---------------------------------------------------------------- JSON-LD


def jsonld(page: ScrapedPage) -> list[dict[str, Any]]:
    """Return the objects of all scripts of JSON-LD (https://www.w3.org/TR/json-ld11/#h-embed).

    A script that is no JSON is counted, and kept among the problems.
    """
    found: list[dict[str, Any]] = []
    if not page.response.is_html:
        return found
    for script in page.xpath("//script[@type]"):
        kind = script.root.get("type").partition(";")[0].strip().lower()
        text = script.xpath("string()").get() or ""
        if kind != "application/ld+json" or not text.strip():
            continue
        try:
            value = json.loads(_bare(text.strip()), strict=False)  # sites break lines within texts
        except (ValueError, RecursionError) as error:
            refuse_for(page.visit, page.url)("jsonld", f"a script is no JSON: {error}", text[:2000])
            continue
        found += _objects(value)
    return found


def _bare(text: str) -> str:
    """Return a script without a comment or CDATA around it, and a semicolon behind it."""
    begin = _COMMENT.match(text)
    text = text[begin.end() :] if begin else text
    end = text.removesuffix("*/").rstrip()
    if end.endswith("]]>"):
        text = end[:-3].rstrip().removesuffix("//").removesuffix("/*")
    return text.removesuffix("-->").strip().rstrip(";")


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict) and isinstance(one.get("@graph"), list):
            yield from (each for each in one["@graph"] if isinstance(each, dict))
        elif isinstance(one, dict):
            yield one


# ---------------------------------------------------------------- microdata


def microdata(page: ScrapedPage) -> list[dict[str, Any]]:
    """Return the top items (https://html.spec.whatwg.org/multipage/microdata.html).

    A property has its value, or a list where it has several; URLs are absolute.
    """
    if not page.response.is_html:
        return []
    root = page.selector.root
    reading = _Microdata(page, root)
    tops = root.xpath("//*[@itemscope][not(@itemprop)]")
    found = [reading.item(element, frozenset()) for element in tops]
    if reading.left_out:
        refuse_for(page.visit, page.url)(
            "microdata", f"{reading.left_out}; the rest is left out", ""
        )
    return found


class _Microdata:
    """Reads items; an item within itself, by `itemref`, ends there."""

    def __init__(self, page: ScrapedPage, root: Any) -> None:
        self._page = page
        self._left = 100_000 + _MOST_READ * len(page.html)
        self.left_out = ""
        self._by_id: dict[str, Any] = {}
        for element in root.xpath("//*[@id]"):
            self._by_id.setdefault(element.get("id"), element)

    def item(self, element: Any, within: frozenset[Any]) -> dict[str, Any]:
        types = (element.get("itemtype") or "").split()
        found: dict[str, Any] = {"type": types[0] if len(types) == 1 else types}
        if element.get("itemid"):
            identity = element.get("itemid").strip()
            found["id"] = self._page.urljoin(identity) or identity
        properties: dict[str, Any] = {}
        for each in self._properties(element):
            if self._left < 0:
                self.left_out = "items share too much of what they refer to"
                break
            value = self._value(each, within | {element})
            for name in dict.fromkeys(each.get("itemprop").split()):
                properties.setdefault(name, []).append(value)
        found["properties"] = {
            name: values[0] if len(values) == 1 else values for name, values in properties.items()
        }
        return found

    def _properties(self, item: Any) -> list[Any]:
        """Return the elements that are properties of an item, in the order of the page."""
        roots = [*item.iterchildren("*")]
        named = (self._by_id.get(name) for name in (item.get("itemref") or "").split())
        waiting = [*roots, *(element for element in named if element is not None)][::-1]
        seen, found = {item}, []
        while waiting and self._left >= 0:
            element = waiting.pop()
            self._left -= 10  # characters of an element
            if element in seen or not isinstance(element.tag, str):
                continue
            seen.add(element)
            if element.get("itemprop"):
                found.append(element)
            if element.get("itemscope") is None:
                waiting += [*element.iterchildren("*")][::-1]
        return found

    def _value(self, element: Any, within: frozenset[Any]) -> Any:
        tag = element.tag.lower()
        if element.get("itemscope") is not None:
            if len(within) > _DEEPEST:
                self.left_out = f"over {_DEEPEST} items are within each other"
            return (
                self.item(element, within) if element not in within and not self.left_out else None
            )
        if element.get("content") is not None:  # of meta, and in the wild of any element
            return element.get("content")
        place = "src" if tag in _SOURCES else "href" if tag in _LINKS else "data"
        url = element.get(place) if place != "data" or tag == "object" else None
        if url is not None:
            return self._page.urljoin(url) or url
        if tag in ("data", "meter") and element.get("value") is not None:
            return element.get("value")
        if tag == "time" and element.get("datetime") is not None:
            return element.get("datetime")
        text = _text(element)
        self._left -= len(text)
        return text


def _text(element: Any) -> str:
    return " ".join(text_of(element).split())


# ---------------------------------------------------------------- Open Graph


class OpenGraph(dict[str, str]):
    """The first value of each property; `all` has every one, in their order."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        super().__init__(reversed(pairs))
        self._pairs = pairs

    def all(self, name: str) -> list[str]:
        """Return every value of a property, such as `og:image` or `article:tag`."""
        return [value for key, value in self._pairs if key == name]


def opengraph(page: ScrapedPage) -> OpenGraph:
    """Return what `<meta property="og:…">` say (https://ogp.me/), and the like of Twitter."""
    pairs: list[tuple[str, str]] = []
    for meta in page.xpath("//meta[@content]") if page.response.is_html else ():
        for attribute in ("property", "name"):
            name = meta.root.get(attribute, "").strip().lower()
            if ":" in name and (attribute == "property" or name.startswith(("og:", "twitter:"))):
                pairs.append((name, meta.root.get("content").strip()))
                break
    return OpenGraph(pairs)


# ---------------------------------------------------------------- tables


def table(page: ScrapedPage, css: str) -> list[dict[str, str]]:
    """Return the rows of a table, by the names of its header: see `ScrapedPage.table`."""
    found = page.css(css) if page.response.is_html else []
    elements = [one.root for one in found if getattr(one.root, "tag", None) == "table"]
    if not elements:
        raise UsageError(f"{page.url}: {css!r} finds no table")
    rows = _grid(elements[0], refuse_for(page.visit, page.url))
    if not rows:
        return []
    place = next((n for n, (row, head) in enumerate(rows) if head and any(row)), 0)
    names = column_names(rows[place][0])
    body = [row for row, head in rows[place + 1 :] if not head]
    return [dict(zip(names, row + [""] * (len(names) - len(row)), strict=False)) for row in body]


def _grid(element: Any, refuse: Refuse) -> list[tuple[list[str], bool]]:
    """Return the texts of a table's rows, spans filled, each with whether it is a header."""
    rows: list[tuple[list[str], bool]] = []
    spanning: dict[int, tuple[int, str]] = {}  # column → rows to come, text
    widest = unwritten = 0
    for row in element.xpath("./tr | ./thead/tr | ./tbody/tr | ./tfoot/tr"):
        line: list[str] = []
        own = list(row.iterchildren("td", "th"))
        for place, cell in enumerate(own):
            _span(line, spanning)
            text = _text(cell)
            left = _MOST_CELLS + 1 - unwritten - (len(line) - place)
            wide = min(_number(cell.get("colspan"), _MOST_COLUMNS), 1 + max(0, left))
            high = _number(cell.get("rowspan"), _MOST_ROWS)
            for _ in range(wide):
                if high > 1:
                    spanning[len(line)] = (high - 1, text)
                line.append(text)
        _span(line, spanning)
        widest = max(widest, len(line))
        unwritten += widest - len(own)
        if unwritten > _MOST_CELLS:
            refuse("table", f"spans make over {_MOST_CELLS:,} cells; the rest is left out", "")
            break
        heading = row.getparent().tag == "thead" or all(cell.tag == "th" for cell in own)
        rows.append((line, bool(own) and heading))
    return rows


def _span(line: list[str], spanning: dict[int, tuple[int, str]]) -> None:
    """Add the cells that rows above have in the next columns of a row."""
    while len(line) in spanning:
        column = len(line)
        left, text = spanning[column]
        if left > 1:
            spanning[column] = (left - 1, text)
        else:
            del spanning[column]
        line.append(text)


def _number(text: str | None, most: int) -> int:
    digits = (text or "").strip()
    if not (digits.isascii() and digits.isdigit()):
        return 1
    return max(1, min(int(digits.lstrip("0")[:9] or 0), most))  # int() takes 4,300 digits
