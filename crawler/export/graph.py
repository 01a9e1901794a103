"""The graph of links as GraphML: of pages, or of the sections of each host.

Written as the GraphML primer has it (graphml.graphdrawing.org): keys first, then nodes, then edges.
A node's id is its URL. Nothing is held in memory but the links of one page; sections are counted in
a database of their own, which SQLite keeps on the disk where it is large, and drops at the end.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from html import escape
from itertools import groupby
from operator import itemgetter
from typing import IO, Any

from crawler import urls
from crawler.export.choice import ALL, Choice
from crawler.inspect.query import Reader
from crawler.lazy_regex import lazy
from crawler.store import damage
from crawler.web import outcome

PAGE_KEYS = {
    "label": "string",  # what Gephi and yEd show
    "title": "string",
    "outcome": "string",
    "status": "int",
    "depth": "int",
    "size": "long",
}
SECTION_KEYS = {"label": "string", "pages": "long", "stored": "long", "internal": "long"}
"""`stored`: those of its pages that are kept; `internal`: links between pages of the section."""
EDGE_KEYS = {"weight": "long", "redirects": "long"}
"""`weight`: how many links and redirects lead there; `redirects`: how many of them are such."""

_ILLEGAL = lazy("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, 2.2 Char
_BREAKS = {9: "&#9;", 10: "&#10;", 13: "&#13;"}  # else a parser makes them spaces

Edge = tuple[str, str, int, int]
"""Source and target, both URLs of nodes, then `weight` and `redirects`."""


@dataclass(slots=True)
class GraphSize:
    """How much was written, and how many links and redirects led to what is no node."""

    nodes: int = 0
    edges: int = 0
    left_out: int = 0


class LinkGraph:
    """The pages of a store by their URLs, and what leads from one to another.

    A URL is one node, whatever was asked of it how often. What is committed while this reads is
    left out, so that every edge has its nodes.
    """

    def __init__(self, reader: Reader, choice: Choice = ALL) -> None:
        """`choice` says which pages are nodes."""
        [(last,)] = reader.query("SELECT coalesce(max(page_id), 0) FROM pages").rows
        asked = f" AND ({choice.where}\n)" if choice.where else ""
        bounded = replace(choice, where=f"page_id <= {int(last)}{asked}")
        self._where = bounded.condition("url", "page_id")
        self._first = (
            f"page_id = (SELECT min(page_id) FROM pages AS same{self._where}"
            " AND same.url = pages.url)"
        )
        self._reader = reader
        self.left_out = 0

    def pages(self) -> Iterator[tuple[str, str | None, str, int | None, int, int | None]]:
        """Yield URL, title, outcome, status, depth and size of each node."""
        columns = "url, title, outcome, status, depth, size"
        sql = f"SELECT {columns} FROM pages{self._where} AND {self._first} ORDER BY page_id"
        yield from self._reader.query(sql).rows

    def edges(self) -> Iterator[Edge]:
        """Yield the edges: links, those from one page to another as one; then redirects."""
        one = f"SELECT page_id, url, redirect_to FROM pages{self._where} AND {self._first}"
        there = f"EXISTS (SELECT 1 FROM pages{self._where} AND pages.url = "
        links = self._reader.query(
            f"SELECT source.url, link.value, {there}link.value) FROM ({one}) AS source"
            " CROSS JOIN link_lists ON link_lists.page_id = source.page_id"
            " CROSS JOIN json_each(link_lists.targets) AS link ORDER BY source.page_id"
        ).rows
        for source, found in groupby(links, itemgetter(0)):
            for target, number in self._known(found).items():
                yield source, target, number, 0
        redirects = self._reader.query(
            f"SELECT source.url, redirect_to, {there}source.redirect_to) FROM ({one}) AS source"
            " WHERE redirect_to IS NOT NULL ORDER BY source.page_id"
        ).rows
        for source, found in groupby(redirects, itemgetter(0)):
            for target in self._known(found):
                yield source, target, 1, 1

    def _known(self, found: Iterable[tuple[Any, ...]]) -> Counter[str]:
        """Return the targets that are nodes; count those that are none."""
        targets = Counter[str]()
        for _, target, is_node in found:
            if is_node:
                targets[target] += 1
            else:
                self.left_out += 1
        return targets


def section_of(url: str) -> str:
    """Return the URL of the section that a URL belongs to: its host and its first path segment."""
    host, target = urls.split(url)
    return f"{host}/{target[1:].partition('?')[0].partition('/')[0]}"


def write_graph(
    reader: Reader,
    out: IO[bytes],
    tick: Callable[[int], None],
    *,
    choice: Choice = ALL,
    sections: bool = False,
) -> GraphSize:
    """Write the graph of links as GraphML, UTF-8; `tick` hears the number of nodes and edges.

    With `sections` a node is what `section_of` says, and an edge leads to another section.
    """
    graph = LinkGraph(reader, choice)
    written = _Writer(out, tick)
    with damage.told(reader.path, "a url of pages or link_lists"):
        if sections:
            _write_sections(graph, written)
        else:
            written.begin(PAGE_KEYS)
            for url, *values in graph.pages():
                written.node(url, (url, *values))
            for source, target, *values in graph.edges():
                written.edge(source, target, values)
    written.end()
    written.size.left_out = graph.left_out
    return written.size


def _write_sections(graph: LinkGraph, written: _Writer) -> None:
    with closing(sqlite3.connect("", isolation_level=None)) as db:
        db.executescript(_SECTIONS)
        db.execute("BEGIN")
        stored = outcome.having("stored")
        pages = ((section_of(url), what in stored) for url, _, what, *_ in graph.pages())
        db.executemany(_ADD_PAGE, pages)
        edges = (
            (section_of(source), section_of(target), *values)
            for source, target, *values in graph.edges()
        )
        db.executemany(_ADD_EDGE, edges)
        written.begin(SECTION_KEYS)
        for name, *values in db.execute(_NODES):
            written.node(name, (name, *values))
        for source, target, *values in db.execute(_EDGES):
            written.edge(source, target, values)


_SECTIONS = """
CREATE TABLE sections (name TEXT PRIMARY KEY, pages INTEGER, stored INTEGER) WITHOUT ROWID;
CREATE TABLE edges (
    source TEXT, target TEXT, weight INTEGER, redirects INTEGER, PRIMARY KEY (source, target)
) WITHOUT ROWID;
"""
_ADD_PAGE = (
    "INSERT INTO sections VALUES (?, 1, ?) ON CONFLICT DO UPDATE SET"
    " pages = pages + 1, stored = stored + excluded.stored"
)
_ADD_EDGE = (
    "INSERT INTO edges VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
    " weight = weight + excluded.weight, redirects = redirects + excluded.redirects"
)
_NODES = (
    "SELECT name, pages, stored, coalesce(weight, 0) FROM sections"
    " LEFT JOIN edges ON source = name AND target = name ORDER BY name"
)
_EDGES = "SELECT * FROM edges WHERE source <> target ORDER BY source, target"


class _Writer:
    """Writes elements in their order, and counts them."""

    def __init__(self, out: IO[bytes], tick: Callable[[int], None]) -> None:
        self.size = GraphSize()
        self._out = out
        self._tick = tick
        self._names: dict[str, list[str]] = {}

    def begin(self, node_keys: Mapping[str, str]) -> None:
        self._names = {"node": list(node_keys), "edge": list(EDGE_KEYS)}
        self._put(
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<graphml xmlns="http://graphml.graphdrawing.org/xmlns"'
            ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
            ' xsi:schemaLocation="http://graphml.graphdrawing.org/xmlns'
            ' http://graphml.graphdrawing.org/xmlns/1.0/graphml.xsd">\n'
        )
        for domain, keys in (("node", node_keys), ("edge", EDGE_KEYS)):
            for name, kind in keys.items():
                self._put(
                    f'<key id="{domain}-{name}" for="{domain}" attr.name="{name}"'
                    f' attr.type="{kind}"/>\n'
                )
        self._put('<graph id="links" edgedefault="directed">\n')

    def node(self, url: str, values: Iterable[object]) -> None:
        self.size.nodes += 1
        self._put(f'<node id="{_text(url)}">{self._data("node", values)}</node>\n')

    def edge(self, source: str, target: str, values: Iterable[object]) -> None:
        self.size.edges += 1
        ends = f'source="{_text(source)}" target="{_text(target)}"'
        self._put(f"<edge {ends}>{self._data('edge', values)}</edge>\n")

    def end(self) -> None:
        self._put("</graph>\n</graphml>\n")

    def _data(self, domain: str, values: Iterable[object]) -> str:
        return "".join(
            f'<data key="{domain}-{name}">{_text(str(value))}</data>'
            for name, value in zip(self._names[domain], values, strict=True)
            if value is not None
        )

    def _put(self, text: str) -> None:
        self._out.write(text.encode())
        self._tick(self.size.nodes + self.size.edges)


def _text(value: str) -> str:
    """Return a text for an element or an attribute; what XML cannot hold becomes U+FFFD."""
    return escape(_ILLEGAL.sub("\ufffd", value)).translate(_BREAKS)
