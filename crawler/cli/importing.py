"""`crawler import`: WARC files, lists of URLs and sitemaps into a store."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from crawler.cli.screen import Screen


def import_(
    file: Annotated[Path, typer.Argument(help="A WARC file, a list of URLs, or a sitemap.")],
    store: Annotated[Path, typer.Option(help="The store, made where there is none.")],
    seeds: Annotated[
        bool, typer.Option("--seeds", help="WARC: only queue its URLs, do not store its pages.")
    ] = False,
    spider: Annotated[str, typer.Option(help="Whose crawl it is to be.")] = "site",
) -> None:
    """Bring pages of a WARC file, or URLs to crawl, into a store.

    Example: crawler import crawl.warc.gz --store data/old.db
    """
    from crawler.errors import UsageError

    if not file.is_file():
        raise UsageError(f"{file}: there is no such file")
    number, what = asyncio.run(_bring(file, store, seeds, spider))
    print(f"{number:,} {what} → {store}", file=sys.stderr)


async def _bring(file: Path, path: Path, seeds: bool, spider: str) -> tuple[int, str]:
    from crawler import importing, warc
    from crawler.store import open_store

    store = open_store(str(path))
    await store.open()
    screen = Screen()
    state = "failed"
    try:
        await store.begin_run(spider, "{}")
        if not file.name.endswith((".warc", ".warc.gz")):
            found = await importing.seeds(store, importing.urls_in(file)), "new URLs queued"
        else:
            with file.open("rb") as source:
                records = warc.read_warc(source)
                if seeds:
                    urls = (record[0] for record in records)
                    found = await importing.seeds(store, urls), "new URLs queued"
                else:
                    tick = (lambda n: screen.show(f"{n:,} pages")) if screen.live else _still
                    found = await importing.pages(store, records, tick), "pages"
        state = "finished"
    finally:
        screen.close()
        await store.end_run(state, "import")
        await store.close()
    return found


def _still(number: int) -> None:
    """Show nothing."""
