"""`crawler heal`: what could stand in the place of selectors that find nothing any more."""

from __future__ import annotations

import asyncio
import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from crawler.cli import options
from crawler.cli.declared import Argument, Exit, Option
from crawler.markup.words import plural

if TYPE_CHECKING:
    from crawler.spider import Spider
    from crawler.testing.heal import Proposal
    from crawler.testing.recording import Recording


def heal(
    spider: Annotated[str, Argument(help="A spider's name, module:Class, or a .py file.")],
    *,
    name: Annotated[
        str | None, Option(help="The recording's name; by default the spider's.")
    ] = None,
    new: Annotated[
        Path | None,
        Option(metavar="FILE", help="A recording of the site as it is now."),
    ] = None,
    store: Annotated[
        str | None,
        Option(metavar="FILE", help="A store with the site's pages as they are now."),
    ] = None,
    arguments: Annotated[
        list[str] | None, Option("-a", help="Set an attribute.", metavar="NAME=VALUE")
    ] = None,
    set_: options.Set = None,
) -> None:
    """Propose selectors where a site has changed.

    What the spider found in its recording says what it should find on the new pages, which are
    fetched, or come from --new or --store. A selector is proven where the spider gives all it gave
    before. The changes are printed as a diff to be taken with `git apply`; no file is changed.
    Exit code 1: something is not proven.

    Example: crawler heal quotes > quotes.diff
    """
    from crawler.cli import spider_loader
    from crawler.cli.spider_tests import made, recording_file
    from crawler.testing.heal import Healer, diff_of
    from crawler.testing.recording import Recording

    old = Recording.load(recording_file(spider_loader.find(spider).name, name))
    make = functools.partial(made, spider, old.arguments, arguments)
    now = _now(make(), old, new, store, set_)
    healer = Healer(make, old, now)
    proposals = healer.heal()
    for each in proposals:
        print(_told(each), file=sys.stderr)
    if not proposals:
        print(
            f"{spider}: every selector that found something still does, in"
            f" {plural(healer.pages, 'page')}; see what differs: crawler test {spider}",
            file=sys.stderr,
        )
    print(diff_of(proposals), end="")
    if any(not each.proven for each in proposals):
        raise Exit(1)


def _now(
    spider: Spider, old: Recording, new: Path | None, store: str | None, set_: list[str] | None
) -> Recording:
    """Return the answers of the site as it is now; UsageError where none can be had."""
    from crawler.cli import stores
    from crawler.testing import record
    from crawler.testing.recording import Recording, StartPage

    if new is not None:
        return Recording.load(new)
    if store is not None:
        return record.recording_of(stores.find(store), spider)
    pages = [StartPage(each.url) for each in old if each.method == "GET" and each.status == 200]
    return asyncio.run(record.record(spider, pages, overrides=set_ or ()))


def _told(each: Proposal) -> str:
    where = " in ".join(f"`{query}`" for query in reversed(each.way))
    if not each.new:
        return f"{each.place}: {where} finds nothing, and {each.why}"
    verdict = "proven" if each.proven else f"NOT proven, {each.why}"
    return (
        f"{each.place}: {where} finds nothing; `{each.new}` gives everything as before in"
        f" {each.right} of {plural(each.of, 'page')}: {verdict}"
    )
