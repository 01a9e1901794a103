"""Which rows and columns an export has, and how they are typed: one meaning for every format."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from crawler.errors import QueryError, UsageError
from crawler.export import item_rows
from crawler.export.formats import WriteOptions
from crawler.inspect.query import Reader, Rows
from crawler.store.sql_functions import pattern_of

if TYPE_CHECKING:
    from crawler.export import ExportPosition

PAGES = (
    *("url", "title", "status", "outcome", "depth", "fetched_at", "elapsed", "content_type"),
    *("encoding", "size", "content_hash", "attempts", "redirect_to", "requested_url", "error"),
    "page_id",
)
GRAPH = "graph"
_LINKS = (  # the view `links`, but page by page: it may go by URL, which jumps about in the lists
    "SELECT pages.url AS source, link.value AS target, link.key AS position, link_lists.page_id"
    " FROM link_lists CROSS JOIN pages ON pages.page_id = link_lists.page_id"
    " CROSS JOIN json_each(link_lists.targets) AS link"
)
_URLS = ("url", "page_url")
"""Columns of a SELECT by which patterns choose: the first that it has."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Rows by run, mark, SQL condition and patterns for their URL; columns by name.

    The URL of a page is its own, of a link its target, of an item its page's, of a SELECT its
    column `url` or `page_url`. `since` and `after` take what came or changed since an earlier
    export, and what has a higher id, but for the ranges of ids in `beyond`; `limit` the first of
    them.
    """

    run: int | None = None
    since: ExportPosition | None = None
    after: int | None = None
    beyond: tuple[tuple[int, int], ...] = ()
    limit: int | None = None
    where: str = ""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    unreserved: str = ""
    """The condition on `page_id` that leaves out what is reserved: `inspect.usage.Uses`."""

    def __post_init__(self) -> None:
        """Refuse patterns that are none, before anything is read."""
        for pattern in (*self.include, *self.exclude):
            try:
                pattern_of(pattern)
            except QueryError as error:
                raise UsageError(str(error)) from None

    def condition(self, url: str, id_column: str) -> str:
        """Return the rows as `WHERE …`, or nothing where all are chosen."""
        found = [] if self.run is None else [f"run_id = {int(self.run)}"]
        if self.since is not None:
            found.append(self.since.condition(id_column))
        if self.after is not None:
            found.append(self._open(id_column, self.after))
        found += [self.unreserved] if self.unreserved else []
        found += self.asked(url)
        return f" WHERE {' AND '.join(found)}" if found else ""

    def _open(self, id_column: str, after: int) -> str:
        """Return what is above `after` and in none of the ranges `beyond`: range by range."""
        if not self.beyond:
            return f"{id_column} > {int(after)}"
        ends = [after, *(last for _, last in self.beyond)]
        begins = [first for first, _ in self.beyond]
        holes = [
            f"{id_column} BETWEEN {end + 1} AND {begin - 1}"
            for end, begin in zip(ends, begins, strict=False)
        ]
        return f"({' OR '.join([*holes, f'{id_column} > {int(ends[-1])}'])})"

    def end(self, id_column: str) -> str:
        """Return the order of the rows, and where they end."""
        return f" ORDER BY {id_column}" + ("" if self.limit is None else f" LIMIT {self.limit}")

    def asked(self, url: str) -> list[str]:
        """Return what `where` and the patterns ask for, in SQL."""
        found = []
        if self.include:
            found.append("(" + " OR ".join(f"{url} REGEXP {_text(p)}" for p in self.include) + ")")
        found += [f"{url} NOT REGEXP {_text(pattern)}" for pattern in self.exclude]
        if self.where:
            found.append(f"({self.where}\n)")  # the condition may end in a comment
        return found


ALL = Choice()


def select(reader: Reader, what: str, choice: Choice = ALL) -> tuple[Rows, WriteOptions]:
    """Return the rows of pages, links, an item type, or any SELECT, and how they are typed.

    QueryError names what there is, when `what` or a field is none of it.
    """
    if " " in what.strip():
        return _of_select(reader, what.strip(), choice)
    if what == "pages":
        return _pages(reader, choice)
    if what == "links":
        return _links(reader, choice)
    types = item_rows.item_types(reader)
    if what == GRAPH and what not in types:
        raise QueryError("the graph is GraphML: crawler export graph -o FILE.graphml")
    if what not in types:
        known = ", ".join(["pages", "links", *sorted(types)])
        raise QueryError(
            f"{reader.path} holds no {what!r} to export; it holds: {known}; or give a SELECT"
        )
    own = types[what]
    only = _known(choice.fields, own.kinds, what) or None
    where = choice.condition("page_url", "item_id") + choice.end("item_id")
    # The rows are being read when `read` reads some once more, so that both see the same store.
    read = lambda names: own.rows(reader, where, names).rows  # noqa: E731
    return own.rows(reader, where, only), WriteOptions(kinds=own.kinds, table=what, read=read)


def _pages(reader: Reader, choice: Choice) -> tuple[Rows, WriteOptions]:
    there = reader.query("SELECT * FROM pages LIMIT 0").columns
    columns = _known(choice.fields, there, "pages") or PAGES
    end = f"FROM pages{choice.condition('url', 'page_id')}{choice.end('page_id')}"
    sql = f"SELECT {_names(columns)} {end}"
    rows = reader.query(sql)
    read = lambda only: reader.query(f"SELECT {_names(only)} {end}").rows  # noqa: E731
    declared = zip(columns, reader.kinds(sql), strict=False)
    kinds = {name: kind for name, kind in declared if kind} | {"fetched_at": "TIMESTAMP"}
    return rows, WriteOptions(kinds=kinds, table="pages", read=read)


def _links(reader: Reader, choice: Choice) -> tuple[Rows, WriteOptions]:
    chosen = replace(choice, where="", include=(), exclude=())
    where = chosen.condition("url", "page_id")
    within = f" WHERE pages.page_id IN (SELECT page_id FROM pages{where})" if where else ""
    sql, asked = _LINKS + within, choice.asked("target")
    fields = _known(choice.fields, reader.query(f"{_LINKS} LIMIT 0").columns, "links")
    if asked or fields:
        sql = f"SELECT {_names(fields) or '*'} FROM ({sql}) AS chosen"
        sql += f" WHERE {' AND '.join(asked)}" if asked else ""
    return reader.query(sql), WriteOptions(table="links")


def _of_select(reader: Reader, sql: str, choice: Choice) -> tuple[Rows, WriteOptions]:
    if choice.run is not None:
        raise UsageError("--run goes with pages, links or an item type; write it into the SQL")
    if choice.unreserved:
        raise UsageError("--for goes with pages, links or an item type")
    if choice.since is not None or choice.after is not None:
        raise UsageError("only pages, links or an item type go on from where they were")
    if choice != ALL:
        sql = sql.rstrip("; \n")
        columns = reader.query(f"SELECT * FROM ({sql}\n) AS chosen LIMIT 0").columns
        fields = _known(choice.fields, columns, "the SELECT")
        url = next((name for name in _URLS if name in columns), None)
        if url is None and (choice.include or choice.exclude):
            raise UsageError("--include and --exclude need a column url or page_url in the SELECT")
        asked = choice.asked(url or "")
        sql = f"SELECT {_names(fields) or '*'} FROM ({sql}\n) AS chosen"
        sql += f" WHERE {' AND '.join(asked)}" if asked else ""
    return typed(reader, sql)


def typed(reader: Reader, sql: str) -> tuple[Rows, WriteOptions]:
    """Return what a SELECT answers, typed as the columns are declared from which its own come."""
    rows = unique(reader.query(sql))
    found = reader.kinds(sql)
    if len(found) != len(rows.columns):
        return rows, WriteOptions(table="rows")
    kinds = {name: kind for name, kind in zip(rows.columns, found, strict=True) if kind}
    within = f'WITH "~" ({_names(rows.columns)}) AS ({sql.strip().rstrip("; ")}\n)'
    read = lambda only: reader.query(f'{within} SELECT {_names(only)} FROM "~"').rows  # noqa: E731
    return rows, WriteOptions(kinds=kinds, table="rows", read=read)


def unique(rows: Rows, fold: Callable[[str], str] = str) -> Rows:
    """Return columns of one name, as a join has them, names of their own: page_id, page_id_2."""
    made: dict[str, str] = {}
    for name in rows.columns:
        number, new = 1, name
        while fold(new) in made:
            number += 1
            new = f"{name}_{number}"
        made[fold(new)] = new
    return Rows(tuple(made.values()), rows.rows)


def with_id(reader: Reader, what: str, choice: Choice) -> tuple[Choice, str]:
    """Return a choice whose fields have the id by which an export goes on, and the id's name."""
    own = item_rows.item_types(reader).get(what)
    name = "page_id" if own is None or what in ("pages", "links") else own.shown("item_id")
    if not choice.fields or name in choice.fields:
        return choice, name
    return replace(choice, fields=(name, *choice.fields)), name


def _known(fields: Sequence[str], there: Iterable[str], what: str) -> tuple[str, ...]:
    """Return the fields as the columns are spelled; UsageError for one that is not there."""
    columns = {name.lower(): name for name in there}
    found = []
    for name in fields:
        column = columns.get(name.lower())
        if column is None:
            near = difflib.get_close_matches(name, columns.values(), 1)
            hint = f"did you mean {near[0]}?" if near else f"it has: {', '.join(columns.values())}"
            raise UsageError(f"--fields: {what} has no {name!r}; {hint}")
        found.append(column)
    return tuple(dict.fromkeys(found))


def _names(columns: Iterable[str]) -> str:
    return ", ".join('"' + name.replace('"', '""') + '"' for name in columns)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
