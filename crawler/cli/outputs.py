"""`-o FILE` of `run` and `crawl`: what the crawl found, in files that are written at its end."""

from __future__ import annotations

import importlib.util
import os
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from crawler.errors import QueryError, UsageError
from crawler.markup.words import plural
from crawler.store.address import StoreAddress

if TYPE_CHECKING:
    from crawler.engine.summary import Summary
    from crawler.inspect.query import Reader

ITEMS = "items"
_OF_PAGES = ("warc", "wacz", "markdown")
_NEEDS = {
    "parquet": ("pyarrow", "parquet"),
    "xlsx": ("xlsxwriter", "xlsx"),
    "wacz": ("surt", "wacz"),
    "warc": ("warcio", "warc"),
}
"""The module that a format needs, and the extra that brings it."""
_TYPE = "{type}"


class Output(Struct, frozen=True):
    """A file to write at the end: `what` is `items` (of all types), a table, or an item type."""

    path: Path
    kind: str
    what: str

    @property
    def shown(self) -> str:
        """The name as messages have it."""
        return str(self.path)


def outputs_of(
    texts: Sequence[str] | None,
    store: StoreAddress,
    *,
    what: str = ITEMS,
    values: Mapping[str, object] | None = None,
) -> tuple[Output, ...]:
    """Return the files that `-o` names; UsageError for what could not be written at the end.

    `TABLE=FILE` has one table, `{type}` in a name makes a file for each item type; `values` are
    filled in as in `--store`, and `what` is written where no table is named.
    """
    found: list[Output] = []
    for text in texts or ():
        output = _parsed(text, what, values or {})
        if any(output.path.absolute() == other.path.absolute() for other in found):
            raise UsageError(f"-o {text}: this file is named twice")
        if isinstance(store, Path) and output.path.resolve() == store.resolve():
            raise UsageError(f"-o {text}: that is the store itself; choose another file")
        _refuse_unwritable(output)
        found.append(output)
    return tuple(found)


def _parsed(text: str, what: str, values: Mapping[str, object]) -> Output:
    from crawler.cli import stores
    from crawler.export import format_of

    table, equals, file = text.partition("=")
    if not equals or not table.isidentifier():
        table, file = what, text
    parts = (stores.templated(part, values, option="-o") or "" for part in file.split(_TYPE))
    path = Path(_TYPE.join(parts))
    if file == "-" or not path.name:
        raise UsageError(f"-o {text}: name a file; `crawler export` writes to standard output")
    if not path.suffix:
        raise UsageError(f"-o {text}: its ending says the format, as in {text}.jsonl")
    kind = format_of(path, None)
    if kind == "graphml":
        raise UsageError(f"-o {text}: after the crawl: crawler export graph -o {path}")
    if kind in _OF_PAGES:
        if equals and table != "pages":
            raise UsageError(f"-o {text}: {kind} holds pages, and no {table}")
        table = "pages"
    if _TYPE in file and table != ITEMS:
        raise UsageError(f"-o {text}: {_TYPE} stands for each item type, and {table} is one table")
    return Output(path, kind, table)


def _refuse_unwritable(output: Output) -> None:
    """Refuse before the crawl what would fail after it."""
    path = output.path
    if path.is_dir() and output.kind != "markdown":
        raise UsageError(f"-o {path}: that is a folder; name a file in it")
    there = path.absolute().parent
    while not there.exists():
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise UsageError(f"-o {path}: {there} cannot be written to; choose another file")
    module, extra = _NEEDS.get(output.kind, ("", ""))
    if module and importlib.util.find_spec(module) is None:
        raise UsageError(f"-o {path}: {output.kind} needs: pip install 'crawlkeep[{extra}]'")


@contextmanager
def told_if_unwritten(outputs: Sequence[Output]) -> Iterator[None]:
    """Warn of files that are not written, as the crawl ends in an error."""
    with ExitStack() as unwritten:
        for output in reversed(outputs):
            unwritten.callback(
                _tell, f"{output.shown} is not written, as the crawl failed; what is there is older"
            )
        yield
        unwritten.pop_all()


def write(outputs: Sequence[Output], store: StoreAddress, summary: Summary) -> None:
    """Write what the store holds by now, of all runs, and tell how much, and whether it is all."""
    if not outputs:
        return
    from crawler.inspect.query import Reader

    with Reader(store) as reader:
        for output in outputs:
            for one in _each_type(reader, output) if _TYPE in output.shown else [output]:
                _tell(f"{_written(reader, one, store)}{_missing(summary)}")


def _each_type(reader: Reader, output: Output) -> Iterator[Output]:
    from crawler.export.all_items import items_by_type

    types = items_by_type(reader)
    if not types:
        _tell(f"{output.shown}: there are no items, so no file is written")
    for part in types:
        yield replace(output, path=Path(output.shown.replace(_TYPE, part.name)), what=part.name)


def _written(reader: Reader, output: Output, store: StoreAddress) -> str:
    """Write one file, and return how much is in it."""
    if output.what in ("pages", "links"):
        number = _write_table(reader, output)
        return f"{plural(number, output.what.removesuffix('s'))} → {output.shown}"
    from crawler.export.all_items import items_by_type, write_items

    types = items_by_type(reader, None if output.what == ITEMS else output.what)
    if output.what != ITEMS and not types:
        known = ", ".join([ITEMS, "pages", "links", *(t.name for t in items_by_type(reader))])
        raise QueryError(f"-o {output.what}={output.shown}: there is none; there are: {known}")
    from crawler.export.formats import WriteOptions

    number = write_items(types, output.kind, output.path, WriteOptions(told=_tell))
    if number:
        return f"{plural(number, 'item')} → {output.shown}"
    pages = shlex.join(["-o", f"pages={output.shown}"])
    return f"0 items → {output.shown} (pages are in {store}, and in a file by {pages})"


def _write_table(reader: Reader, output: Output) -> int:
    from crawler.cli.export import ExportJob
    from crawler.export.choice import ALL
    from crawler.export.formats import WriteOptions

    job = ExportJob(reader, output.what, output.kind, output.path, ALL, WriteOptions(told=_tell))
    return job.archive(article=False) if output.kind in _OF_PAGES else job.write(continued=False)


def _missing(summary: Summary) -> str:
    """Return what is said where the crawl ended before its end."""
    if summary.state == "finished" and not summary.queued:
        return ""
    from crawler.cli import ending

    why = summary.reason if summary.reason != "finished" else summary.state
    return (
        f"; not all: the crawl ended early ({why}, {summary.queued:,} queued);"
        f" to go on: {ending.command()}"
    )


def _tell(text: str) -> None:
    print(f"crawler: {text}", file=sys.stderr)
