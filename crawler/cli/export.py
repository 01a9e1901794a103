"""`crawler export`: what was found, as a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

from crawler.cli import options
from crawler.cli.declared import Argument, Option
from crawler.markup.words import plural

if TYPE_CHECKING:
    from crawler.export.choice import Choice
    from crawler.export.formats import WriteOptions
    from crawler.inspect.query import Reader

_CELLS = 24
_MOST_PROCESSES = 8

Output = Annotated[
    Path, Option("--output", "-o", metavar="FILE", help="The file; - is standard output.")
]
Format = Annotated[
    str | None,
    Option(
        "--format",
        "-f",
        metavar="FORMAT",
        help="jsonl, json, csv, parquet, sqlite, xlsx, warc, wacz, markdown, graphml; by"
        " default the file's ending.",
    ),
]
Run = Annotated[int | None, Option(help="Only what this run found.")]
Where = Annotated[
    str, Option("--where", metavar="SQL", help="Only rows that fulfil this condition.")
]
Include = Annotated[
    list[str] | None,
    Option("--include", metavar="REGEX", help="Only rows whose URL has a match."),
]
Exclude = Annotated[
    list[str] | None,
    Option("--exclude", metavar="REGEX", help="No rows whose URL has a match."),
]
Fields = Annotated[
    str, Option("--fields", metavar="NAMES", help="Only these columns, in this order.")
]
For = Annotated[
    list[str] | None,
    Option(
        "--for",
        metavar="PURPOSE",
        help="Leave out what its site reserves for it: train-ai, search … (tells each page).",
    ),
]
Follow = Annotated[
    bool, Option("--follow", help="Give rows as they are committed, until the crawl ends.")
]
SinceLast = Annotated[
    str | None,
    Option("--since-last", metavar="NAME", help="Go on where the export of this name stopped."),
]
After = Annotated[
    int | None,
    Option("--after", metavar="ID", help="Only rows with a higher id, as a reader says."),
]
Continue = Annotated[
    bool, Option("--continue", help="Add to the file what came since (jsonl, csv).")
]
Safe = Annotated[
    bool, Option("--safe", help="CSV: no text that a spreadsheet takes for a formula.")
]
Bom = Annotated[bool, Option("--bom", help="CSV: a byte order mark, as Excel wants one.")]
Article = Annotated[
    bool, Option("--article", help="Markdown: the main content alone, not the whole page.")
]

Sections = Annotated[
    bool, Option("--sections", help="GraphML: first path segments of hosts, not pages.")
]


def export(
    what: Annotated[str, Argument(help="pages, links, graph, an item type, or any SELECT.")],
    *,
    output: Output = Path("-"),
    format: Format = None,
    store: options.Seen = None,
    run: Run = None,
    where: Where = "",
    include: Include = None,
    exclude: Exclude = None,
    fields: Fields = "",
    for_: For = None,
    follow: Follow = False,
    since_last: SinceLast = None,
    after: After = None,
    continue_: Continue = False,
    safe: Safe = False,
    bom: Bom = False,
    article: Article = False,
    sections: Sections = False,
) -> None:
    """Write pages, links or items to a file.

    The file appears when it is complete; an interrupted export leaves nothing. With --follow or
    --since-last it grows, and no row is lost or comes twice, whoever is killed.

    Example: crawler export quote -o quotes.jsonl
    """
    from crawler.cli import stores
    from crawler.errors import UsageError
    from crawler.export import format_of
    from crawler.export.choice import Choice
    from crawler.export.formats import WriteOptions
    from crawler.inspect.query import Reader

    kind = format_of(output, format)
    names = tuple(filter(None, map(str.strip, fields.split(","))))
    taken, left = tuple(include or ()), tuple(exclude or ())
    choice = Choice(run, None, after, where=where, include=taken, exclude=left, fields=names)
    growing = follow or since_last is not None
    purposes = [name for text in for_ or () for name in text.split(",")]
    if purposes and (growing or " " in what.strip()):
        raise UsageError("--for goes with pages, links or an item type, and not with --follow")
    _refuse(kind, choice, continue_=continue_, growing=growing, article=article)
    _refuse_as_graph(kind, what, sections=sections, grows=growing or continue_)
    how = WriteOptions(safe=safe, bom=bom, told=_tell, table=what)
    with Reader(stores.any_of(store)) as reader:
        if purposes:
            choice = replace(choice, unreserved=_leave_out(reader, purposes))
        job = ExportJob(reader, what, kind, output, choice, how)
        if kind == "graphml":
            job.graph(sections=sections)
        elif kind in ("warc", "wacz", "markdown"):
            _say(job.archive(article=article), output)
        elif growing:
            _say(job.grow(since_last, live=follow), output)
        elif str(output) == "-":
            job.stream()
        else:
            _say(job.write(continued=continue_), output)


def _tell(text: str) -> None:
    print(f"crawler: {text}", file=sys.stderr)


def _filled(path: Path, fill: Callable[[IO[bytes]], int]) -> int:
    with path.open("wb") as out:
        return fill(out)


def _say(number: int, output: Path) -> None:
    if str(output) != "-":
        print(f"{plural(number, 'row')} → {output}", file=sys.stderr)


def _leave_out(reader: Reader, purposes: list[str]) -> str:
    """Return the condition that leaves out what is reserved, and tell each page of that."""
    from crawler.inspect.usage import Uses

    condition, left_out = Uses(reader).left_out(purposes)
    number = 0
    for number, page in enumerate(left_out, 1):  # noqa: B007  # the last one counts
        _tell(f"left out {page.url}: {page.reservation}")
    if number:
        _tell(f"left out, as reserved: {plural(number, 'page')}")
    return condition


def _refuse(kind: str, choice: Choice, *, continue_: bool, growing: bool, article: bool) -> None:
    """Refuse options that do not go together."""
    from crawler.errors import UsageError

    if continue_ and (choice.run is not None or choice.after is not None or growing):
        raise UsageError("--run goes neither with --continue nor do --after and --follow")
    if choice.fields and kind in ("warc", "wacz", "markdown", "graphml"):
        raise UsageError(f"--fields goes with rows, and {kind} has none")
    if article and kind != "markdown":
        raise UsageError("--article goes with markdown")


def _refuse_as_graph(kind: str, what: str, *, sections: bool, grows: bool) -> None:
    """Refuse what does not go with the graph of links."""
    from crawler.errors import UsageError

    if sections and kind != "graphml":
        raise UsageError("--sections goes with graphml: crawler export graph -o FILE.graphml")
    if kind == "graphml" and what != "graph":
        raise UsageError("graphml holds the graph of links: crawler export graph -o FILE.graphml")
    if kind == "graphml" and grows:
        raise UsageError("graphml is one whole; it goes neither with --continue nor with --follow")


def progress(number: int, total: int, output: str) -> str:
    """Return one line that says how far an export is; `total` is 0 where nobody knows it."""
    if not total:
        return f"{plural(number, 'row')} → {output}"
    share = min(1.0, number / total)
    full = int(share * _CELLS)
    cells = "█" * full + "░" * (_CELLS - full)
    return f"{cells} {share:4.0%}  {number:,} of {plural(total, 'row')} → {output}"


@dataclass(frozen=True, slots=True)
class ExportJob:
    """One export: what of which store goes where, and how."""

    reader: Reader
    what: str
    kind: str
    output: Path
    choice: Choice
    how: WriteOptions

    def stream(self) -> None:
        """Write rows to standard output."""
        from crawler import export as exports

        rows, typed = exports.select(self.reader, self.what, self.choice)
        exports.stream(rows, self.kind, sys.stdout.buffer, self._as_asked(typed))
        sys.stdout.buffer.flush()

    def write(self, *, continued: bool) -> int:
        """Write a file, or add to it what came since; return the number of rows."""
        from crawler import export as exports

        whole = self.choice == type(self.choice)() and not continued
        with self._bar(whole=whole):
            if continued:
                number = exports.go_on(
                    self.reader, self.what, self.kind, self.output, self.how, self.choice
                )
            else:
                rows, typed = exports.select(self.reader, self.what, self.choice)
                number = exports.write(rows, self.kind, self.output, self._as_asked(typed))
        return number

    def grow(self, name: str | None, *, live: bool) -> int:
        """Add to a file, or write to standard output, what came since, and return how many rows."""
        from crawler.export.follow import follow, open_sink

        path = self.reader.path
        with (
            open_sink(path, self.what, self.output, name, self.choice.after) as sink,
            self._bar(),
        ):
            return follow(self.reader, self.kind, self.choice, sink, self.how, live=live)

    def graph(self, *, sections: bool) -> None:
        """Write the graph of links as GraphML, and tell how much, and what is no node."""
        from crawler.export import to_file
        from crawler.export.graph import GraphSize, write_graph

        size = GraphSize()

        def fill(out: IO[bytes]) -> int:
            nonlocal size
            tick = self.how.tick
            size = write_graph(self.reader, out, tick, choice=self.choice, sections=sections)
            return size.nodes + size.edges

        if str(self.output) == "-":
            fill(sys.stdout.buffer)
            sys.stdout.buffer.flush()
        else:
            with self._bar():
                to_file(self.output, lambda part: _filled(part, fill))
            print(
                f"{plural(size.nodes, 'node')}, {plural(size.edges, 'edge')} → {self.output}",
                file=sys.stderr,
            )
        if size.left_out:
            _tell(
                f"left out, as what they lead to is no node: {plural(size.left_out, 'link')};"
                " crawler export links has them"
            )

    def archive(self, *, article: bool) -> int:
        """Write stored bodies, as WARC records or one Markdown file a page; return how many."""
        from crawler.cli.terminal import tell_damaged
        from crawler.errors import UsageError
        from crawler.export import to_file

        if self.what != "pages":
            raise UsageError(f"{self.kind} holds pages: crawler export pages -f {self.kind}")
        if str(self.output) == "-":
            raise UsageError(f"{self.kind} cannot go to standard output; name a file with -o")
        damaged: list[str] = []
        where = self.choice.condition("url", "page_id")
        with self._bar(whole=not where):
            if self.kind == "markdown":
                number = self._markdown(damaged, where, article=article)
            else:
                writer = self._archiver()
                fill = lambda part: writer(  # noqa: E731
                    self.reader, part, self.how.tick, damaged.append, where
                )
                number = to_file(self.output, fill)
        tell_damaged(damaged)
        return number

    def _archiver(self) -> Callable[..., int]:
        if self.kind == "wacz":
            from crawler.export.wacz import write_wacz

            return write_wacz
        from crawler.export.warc import write_warc

        return write_warc

    def _markdown(self, damaged: list[str], where: str, *, article: bool) -> int:
        from crawler.cli.signals import leave_interrupts
        from crawler.export.markdown import write_pages

        return write_pages(
            self.reader,
            self.output,
            self.how.tick,
            damaged.append,
            where=where,
            article=article,
            begin=leave_interrupts,
            processes=min(_MOST_PROCESSES, os.cpu_count() or 1),
        )

    def _as_asked(self, typed: WriteOptions) -> WriteOptions:
        how = self.how
        return replace(typed, safe=how.safe, bom=how.bom, tick=how.tick, told=how.told)

    @contextmanager
    def _bar(self, *, whole: bool = False) -> Iterator[None]:
        """Show on a terminal how far the export is; `whole` may count what there is."""
        from crawler import export as exports
        from crawler.cli.terminal import Screen

        screen = Screen()
        if screen.live and str(self.output) != "-":
            total = exports.total(self.reader, self.what) if whole else 0
            shown = str(self.output)
            self.how.tick = lambda number: screen.show(progress(number, total, shown))
        yield
        screen.close()
