"""`crawler why`: everything that a store knows of one URL, and what would refuse it now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from crawler.cli import options
from crawler.cli.declared import Argument, Option

if TYPE_CHECKING:
    from crawler.inspect.life import Line
    from crawler.inspect.query import Reader
    from crawler.spider import Spider


def why(
    url: Annotated[str, Argument(metavar="URL", help="What to ask about.")],
    store: options.Seen = None,
    spider: Annotated[
        str | None, Option(help="The spider whose rules count. By default the store's.")
    ] = None,
) -> None:
    """Explain why a URL was fetched, or was not.

    Where it was found, each try, its outcome and items; then what scope, traps, each rule and
    robots.txt say to it now. Also for a URL that was never fetched.

    Example: crawler why https://example.com/private/ --store example.com
    """
    from crawler import urls as addresses
    from crawler.cli import stores
    from crawler.errors import UsageError
    from crawler.inspect.query import Reader
    from crawler.inspect.why import why as ask

    try:
        target = addresses.from_cli(url)
    except ValueError as error:
        raise UsageError(f"{error}; give one like https://example.com/") from None
    with Reader(stores.any_of(store)) as reader:
        kind, note = _spider(reader, spider)
        rules = kind.rules if kind is not None else ()
        domains = kind.allowed_domains if kind is not None else ()
        steps = kind.settings.get("links", {}).get("canonicalize", ()) if kind is not None else ()
        lines = ask(reader, target, rules, domains, known=steps)
    write(lines)
    if note:
        print(f"{'note':10} {note}")


def write(lines: Sequence[Line]) -> None:
    """Print what is about what, in two columns."""
    for about, text in lines:
        print(f"{about:10} {text}")


def _spider(reader: Reader, named: str | None) -> tuple[type[Spider] | None, str]:
    """Return the class of the store's spider, or print why its rules are not known.

    A store is data: what it names is looked up among the spiders in `spiders/`, and no file, module
    or class that it names is imported. Only `--spider` may name one.
    """
    from crawler.cli.spider_loader import find, shown
    from crawler.errors import SpiderError
    from crawler.spider import SitemapSpider, SiteSpider

    rows = list(reader.query("SELECT value FROM crawl WHERE key = 'spider'").rows)
    name = named or (rows[0][0] if rows else SiteSpider.name)
    for built_in in (SiteSpider, SitemapSpider):
        if name == built_in.name:
            return built_in, ""
    if named is not None:
        return find(named), ""
    try:
        return shown(str(name)), ""
    except SpiderError as error:
        return None, f"the rules of the spider are not known here ({error}); name it: --spider"
