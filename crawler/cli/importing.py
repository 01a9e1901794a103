"""`crawler import`: WARC files, lists of URLs and sitemaps into a store."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from crawler.cli.declared import Argument, Option
from crawler.cli.terminal import Screen
from crawler.markup.words import plural

if TYPE_CHECKING:
    from crawler.export.import_ import ImportCounts
    from crawler.store.address import StoreAddress
    from crawler.web.refusal import Refusal


def import_(
    file: Annotated[Path, Argument(help="A WARC file, a list of URLs, or a sitemap.")],
    store: Annotated[
        str,
        Option(
            metavar="FILE",
            help="The store: a file, made where there is none, or a name (`shop` is data/shop.db).",
        ),
    ],
    seeds: Annotated[
        bool, Option("--seeds", help="WARC: only queue its URLs, do not store its pages.")
    ] = False,
    spider: Annotated[str, Option(help="Whose crawl it is to be.")] = "site",
) -> None:
    """Bring pages of a WARC file, or URLs to crawl, into a store.

    Example: crawler import crawl.warc.gz --store data/old.db
    """
    from crawler.cli.stores import target
    from crawler.errors import UsageError
    from crawler.web.refusal import ABOUT, Refusal

    path = target(store, Path(store), crawl="import")
    if not file.is_file():
        raise UsageError(f"{file}: there is no such file")
    other, bare = list[str](), list[str]()
    refused = Counter[Refusal]()
    brought, what = asyncio.run(_bring(file, path, seeds, spider, (other, bare), refused=refused))
    known = f"; {brought.known:,} more were known already" if brought.known else ""
    print(f"{plural(brought.new, what)} → {path}{known}", file=sys.stderr)
    if other:
        print(f"left out, because it is no response of HTTP: {_some(other)}", file=sys.stderr)
    if bare:
        print(f"left out, because the archive has no body of it: {_some(bare)}", file=sys.stderr)
    for reason, number in refused.items():
        print(f"{number:,} {reason}: {ABOUT[reason]}", file=sys.stderr)


def _some(urls: list[str]) -> str:
    more = f" and {len(urls) - 1:,} more" if len(urls) > 1 else ""
    return f"{urls[0]!r:.100}{more}"


async def _bring(
    file: Path,
    path: StoreAddress,
    seeds: bool,
    spider: str,
    left_out: tuple[list[str], list[str]],
    *,
    refused: Counter[Refusal],
) -> tuple[ImportCounts, str]:
    from crawler.cli.stores import lock_timeout
    from crawler.export import import_ as importing
    from crawler.export import warc
    from crawler.store import open_store

    store = open_store(path, lock_timeout=lock_timeout())
    await store.open()
    screen = Screen()
    state, number = "failed", 0

    def tick(done: int) -> None:
        nonlocal number
        number = done
        if screen.live:
            screen.show(plural(done, "page"))

    try:
        await store.begin_run(spider, "{}")
        if not file.name.endswith((".warc", ".warc.gz")):
            named = importing.urls_in(file, refused)
            found = await importing.seeds(store, named, refused), "new URL"
        else:
            with file.open("rb") as source:
                other, bare = (each.append for each in left_out)
                told = None if seeds else bare
                records = warc.read_warc(source, other, refused, bare=told)
                if seeds:
                    urls = (record[0] for record in records)
                    found = await importing.seeds(store, urls, refused), "new URL"
                else:
                    found = await importing.pages(store, records, tick, refused), "page"
        state = "finished"
    finally:
        screen.close()
        try:
            await store.end_run(state, "import")
        finally:
            await store.close()
    return found
