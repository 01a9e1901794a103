"""`crawler search`: words in the text of pages."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

from crawler.cli import options
from crawler.cli.declared import Argument, Option
from crawler.markup.words import plural

if TYPE_CHECKING:
    from crawler.store.address import StoreAddress


def search(
    words: Annotated[list[str] | None, Argument(help='Words, "a phrase", OR, NOT, begin*.')] = None,
    site: Annotated[str | None, Option(help="Only pages of this host and those below it.")] = None,
    limit: Annotated[int, Option(min=1, help="How many pages at most.")] = 10,
    store: options.Seen = None,
    index: Annotated[
        bool, Option("--index", help="Index the stored pages that are not indexed yet.")
    ] = False,
    json: Annotated[bool, Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Find pages by words in their title and text, the best first.

    Example: crawler search "write ahead log" --site sqlite.org --limit 5
    """
    from crawler.cli import stores
    from crawler.cli.terminal import Screen, tell_damaged
    from crawler.errors import UsageError
    from crawler.inspect import search as searching
    from crawler.inspect.query import Reader

    path = stores.any_of(store)
    if index:
        screen = Screen()
        damaged: list[str] = []
        number = searching.index(
            path,
            lambda done: screen.show(plural(done, "page")) if screen.live else None,
            damaged.append,
            lock_timeout=stores.lock_timeout(),
        )
        screen.close()
        tell_damaged(damaged)
        print(f"{plural(number, 'page')} indexed in {path}", file=sys.stderr)
    if not words:
        if index:
            return
        raise UsageError("name the words to look for, or --index to make the index")
    with Reader(path) as reader:
        rows = searching.search(reader, " ".join(words), site=site, limit=limit)
        if json:
            from crawler.export import stream
            from crawler.export.formats import WriteOptions

            stream(rows, "jsonl", sys.stdout.buffer, WriteOptions())
            sys.stdout.buffer.flush()
            return
        found = False
        for url, title, snippet in rows.rows:
            found = True
            print(f"{title or '(no title)'}\n  {url}\n  {' '.join(snippet.split())}\n")
    if not found:
        told = f"no page of {path} has {' '.join(words)!r}"
        print(f"{told}{f' on {site}' if site else ''}; {_hint(path)}", file=sys.stderr)


def _hint(path: StoreAddress) -> str:
    """Return why words may not be found: no page is indexed, or none has them all."""
    from crawler.inspect.query import Reader

    with Reader(path) as reader:
        if not list(reader.query("SELECT 1 FROM texts LIMIT 1").rows):
            return "none of its pages is indexed yet: crawler search --index"
    return "fewer words, OR between them, or begin* find more"
