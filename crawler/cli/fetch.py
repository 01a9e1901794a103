"""`crawler fetch`: one URL as the crawler sees it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from crawler.cli import options

if TYPE_CHECKING:
    from crawler.cli.looking import Hop, Look
    from crawler.config import Config
    from crawler.page import ScrapedPage


def fetch(
    urls: Annotated[list[str], typer.Argument(metavar="URL...", help="What to fetch.")],
    body: Annotated[bool, typer.Option("--body", help="Print the body instead.")] = False,
    headers: Annotated[bool, typer.Option("--headers", help="Also print the headers.")] = False,
    links: Annotated[bool, typer.Option("--links", help="Also print the links.")] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Also tell what a crawl would make of it.")
    ] = False,
    config: options.ConfigFile = None,
    set_: options.Set = None,
) -> None:
    """Try one URL as the crawler sees it.

    What robots.txt says, redirects, outcome, size, title, links. Exit code 1 without a page.
    Several are fetched at once, and told of in a table: status, time, size, type.

    Example: crawler fetch https://example.com/ --links
    """
    from crawler import config as configuration

    settings = configuration.load(config, overrides=set_ or ())
    if len(urls) > 1:
        raise typer.Exit(0 if _tabled(urls, settings) else 1)
    found = looked(urls[0], settings)
    if body:
        if found.page is not None:
            sys.stdout.buffer.write(found.page.body)
    else:
        for line in _story(found, headers, links):
            print(line)
        if explain:
            _explain(found, settings)
    raise typer.Exit(0 if found.page is not None and found.outcome == "ok" else 1)


def _explain(found: Look, config: Config) -> None:
    """Print what scope, traps and the page itself would say in a crawl that starts there."""
    from crawler.why import explained

    for about, text in explained(found.hops[0].url, found.page, config):
        print(f"{about:8} {text}")


def _tabled(urls: list[str], config: Config) -> bool:
    """Print a table of many URLs; tell whether all were fetched."""
    import asyncio

    from crawler.cli.table import write_table
    from crawler.clients import Fetched, fetch_all
    from crawler.query import Rows

    def row(found: Fetched) -> tuple[str, str, str, str, str]:
        if found.response is None:
            return (found.url, str(found.outcome), "", "", str(found.error))
        answer = found.response
        elapsed, size = f"{answer.elapsed * 1000:.0f} ms", f"{len(answer.body):,}"
        return (found.url, str(answer.status), elapsed, size, answer.content_type or "-")

    results = asyncio.run(fetch_all(map(_meant, urls), config=config))
    write_table(Rows(("url", "status", "time", "bytes", "type"), map(row, results)), sys.stdout)
    return all(result.ok for result in results)


def _meant(url: str) -> str:
    """Give the URL that a user meant; a text that is none stays, to be told of in its row."""
    from crawler import urls

    try:
        return urls.from_cli(url)
    except ValueError:
        return url


def looked(url: str, config: Config) -> Look:
    """Fetch what a user typed; UsageError where it is no URL."""
    import asyncio

    from crawler import urls
    from crawler.cli.looking import look
    from crawler.errors import UsageError

    try:
        target = urls.from_cli(url)
    except ValueError as error:
        raise UsageError(f"{error}; give one like https://example.com/") from None
    return asyncio.run(look(target, config))


def _story(found: Look, headers: bool, links: bool) -> list[str]:
    lines = [line for hop in found.hops for line in _hop(hop)]
    if found.page is not None:
        lines += _page(found.page)
        if headers:
            lines += [f"header   {name}: {value}" for name, value in found.page.headers.items()]
        if links:
            lines += [f"link     {link}" for link in found.page.links]
    return lines


def _hop(hop: Hop) -> list[str]:
    verdict = "allowed" if hop.allowed else "denied: a crawl would not fetch this"
    lines = [f"url      {hop.url}", f"robots   {verdict} ({hop.rule or 'not asked'})"]
    status = f" {hop.status}" if hop.status else ""
    lines.append(f"outcome  {hop.outcome}{status} in {hop.elapsed * 1000:.0f} ms")
    return [*lines, f"error    {hop.error}"] if hop.error else lines


def _page(page: ScrapedPage) -> list[str]:
    kind = page.response.content_type or "-"
    lines = [f"type     {kind}, {len(page.body):,} bytes ({page.response.wire_size:,} on the wire)"]
    if page.response.is_html:
        number = len(page.links)
        lines.append(f"title    {page.title or '-'}")
        lines.append(f"encoding {page.encoding}")
        lines.append(f"links    {number:,}")
    return lines
