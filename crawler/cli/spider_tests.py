"""`crawler test`: a spider against recorded answers, and the recording of them."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from crawler.cli import options
from crawler.cli.declared import Argument, Exit, Option
from crawler.markup.words import plural

if TYPE_CHECKING:
    from crawler.spider import Spider

RECORDINGS = Path("tests") / "recordings"
_MOST = 20  # pages of a recording, unless told otherwise


def test(
    names: Annotated[
        list[str],
        Argument(help="A spider; or: record SPIDER [URL…].", metavar="[record] SPIDER"),
    ],
    *,
    update: Annotated[
        bool, Option("--update", help="Write the snapshot of the items anew.")
    ] = False,
    name: Annotated[
        str | None, Option(help="The recording's name; by default the spider's.")
    ] = None,
    callback: Annotated[
        str | None,
        Option(help="record: the callback of the URLs; by default that of a rule, or parse."),
    ] = None,
    max_pages: Annotated[
        int, Option("--max-pages", min=1, metavar="N", help="record: at most so many pages.")
    ] = _MOST,
    store: Annotated[
        str | None,
        Option(metavar="FILE", help="record: from this store, without the network."),
    ] = None,
    arguments: Annotated[
        list[str] | None, Option("-a", help="Set an attribute.", metavar="NAME=VALUE")
    ] = None,
    set_: options.Set = None,
) -> None:
    """Test a spider over recorded answers; `record` makes them.

    Without the network. A recording stands in tests/recordings/, with the snapshot of its items
    beside it. Exit code 1: the items differ, and the lines say which fields.

    Example: crawler test record quotes --max-pages 10
    """
    if names[0] == "record" and len(names) > 1:
        _record(
            names[1],
            names[2:],
            name=name,
            callback=callback,
            max_pages=max_pages,
            store=store,
            arguments=arguments or [],
            set_=set_,
        )
        return
    if len(names) > 1:
        from crawler.errors import UsageError

        raise UsageError(f"{names[1]}: one spider at a time; or: crawler test record {names[0]} …")
    _test(names[0], name, arguments, update)


def recording_file(spider: str, name: str | None) -> Path:
    """Return the file of a spider's recording."""
    from crawler.testing.recording import ENDING

    named = name or spider
    return Path(named) if named.endswith(ENDING) else RECORDINGS / f"{named}{ENDING}"


def made(text: str, recorded: dict[str, object], arguments: list[str] | None) -> Spider:
    """Return the spider, with the arguments of its recording where none are given."""
    from crawler.cli import spider_loader

    kind = spider_loader.find(text)
    given = spider_loader.values_of(kind, arguments or [])
    return kind(**({**recorded, **given}))  # type: ignore[arg-type]


def _test(text: str, name: str | None, arguments: list[str] | None, update: bool) -> None:
    from crawler.cli import spider_loader
    from crawler.testing.changes import ItemsChanged, assert_items, beside
    from crawler.testing.recording import Recording

    file = recording_file(spider_loader.find(text).name, name)
    recording = Recording.load(file)
    spider = made(text, recording.arguments, arguments)
    began, snapshot = time.perf_counter(), beside(file)
    fresh = not snapshot.exists()
    try:
        crawled = assert_items(spider, recording, snapshot, update=update or fresh)
    except ItemsChanged as changed:
        print(changed)
        raise Exit(1) from None
    seconds = time.perf_counter() - began
    told = f"{snapshot} is written" if update or fresh else "as in the snapshot"
    print(
        f"{spider.name}: {plural(len(crawled.pages), 'page')},"
        f" {plural(len(crawled.items), 'item')}, {told} ({seconds:.2f} s)"
    )
    if crawled.missing:
        print(f"not recorded, so not visited: {len(crawled.missing):,}, as {crawled.missing[0]}")
    if crawled.left:
        print(f"downloads and streams, not played: {len(crawled.left):,}")


def _record(
    text: str,
    urls: list[str],
    *,
    name: str | None,
    callback: str | None,
    max_pages: int,
    store: str | None,
    arguments: list[str],
    set_: list[str] | None,
) -> None:
    from crawler.cli import spider_loader, stores
    from crawler.config import layers
    from crawler.testing import record
    from crawler.testing.recording import StartPage

    kind = spider_loader.find(text)
    spider = spider_loader.load(text, arguments)
    file = recording_file(kind.name, name)
    if store is not None:
        config = layers.load(None, spider=spider.settings)
        recording = record.recording_of(stores.find(store), spider, config, most=max_pages)
    else:
        starts = [StartPage(url, callback) for url in urls]
        made = record.record(spider, starts, max_pages=max_pages, overrides=set_ or ())
        recording = asyncio.run(made)
    size = file.stat().st_size if file.exists() else 0
    written = recording.save(file)
    before = f" ({size:,} before)" if size else ""
    kept = f"{plural(len(recording), 'answer')}, {plural(written, 'byte')}{before}"
    print(f"{file}: {kept}; secrets are masked")
    print(f"Next: crawler test {text}")
