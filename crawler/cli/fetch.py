"""`crawler fetch`: one URL as the crawler sees it."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from crawler.cli import options
from crawler.cli.declared import Argument, Exit, Option
from crawler.markup.words import plural

if TYPE_CHECKING:
    from crawler.cli.probe import Hop, Probe
    from crawler.clients import Fetched
    from crawler.config.layers import Config
    from crawler.web.page import ScrapedPage


class FetchFormat(StrEnum):
    """How the rows of many URLs are written."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


def fetch(
    urls: Annotated[list[str], Argument(metavar="URL...", help="What to fetch.")],
    *,
    body: Annotated[bool, Option("--body", help="Print the body instead.")] = False,
    headers: Annotated[bool, Option("--headers", help="Also print the headers.")] = False,
    links: Annotated[bool, Option("--links", help="Also print the links.")] = False,
    explain: Annotated[
        bool, Option("--explain", help="Also tell what a crawl would make of it.")
    ] = False,
    browser: Annotated[
        bool, Option("--browser", help="Render it in a browser, see [browser].")
    ] = False,
    screenshot: Annotated[
        Path | None, Option(help="Write a picture of the whole page into this file, .png.")
    ] = None,
    format: Annotated[
        FetchFormat | None,
        Option("--format", "-f", help="Print a row for each URL, written like this."),
    ] = None,
    config: options.ConfigFile = None,
    set_: options.Set = None,
) -> None:
    """Try one URL as the crawler sees it.

    What robots.txt says, redirects, outcome, size, title, links. Exit code 1 without a page.
    Several are fetched at once, and told of in a table: status, time, size, type.

    Example: crawler fetch https://example.com/ --links
    """
    from crawler.config import layers as configuration

    settings = configuration.load(config, overrides=set_ or ())
    if len(urls) > 1 or format is not None:
        fine = _tabled(urls, settings, format or FetchFormat.TABLE)
        raise Exit(0 if fine else 1)
    found = looked(urls[0], settings, browser=browser, screenshot=screenshot)
    if body:
        if found.page is not None:
            sys.stdout.buffer.write(found.page.body)
    else:
        for line in _story(found, headers, links):
            print(line)
        if explain:
            _explain(found, settings)
    raise Exit(0 if found.page is not None and found.outcome == "ok" else 1)


def _explain(found: Probe, config: Config) -> None:
    """Print what scope, traps and the page itself would say in a crawl that starts there."""
    from crawler.inspect.explained import explained

    for about, text in explained(found.hops[0].url, found.page, config):
        print(f"{about:8} {text}")


def _tabled(urls: list[str], config: Config, format: FetchFormat) -> bool:
    """Print what became of many URLs; return whether all were fetched."""
    import asyncio

    from crawler.cli.table import write_table
    from crawler.clients import fetch_all
    from crawler.export import formats
    from crawler.inspect.query import Rows

    results = asyncio.run(fetch_all(map(_meant, urls), config=config))
    if format is FetchFormat.TABLE:
        head: tuple[str, ...] = ("url", "status", "time", "bytes", "type")
        found = Rows(head, map(_row, results))
        write_table(found, sys.stdout, "with --format jsonl, or in a pipe")
    else:
        head = ("url", "status", "outcome", "elapsed", "bytes", "type", "error")
        write = {"json": formats.json, "jsonl": formats.jsonl, "csv": formats.write_csv}[format]
        write(Rows(head, map(_values, results)), sys.stdout.buffer, formats.WriteOptions())
    return all(result.ok for result in results)


def _row(found: Fetched) -> tuple[str, str, str, str, str]:
    """Return a line of the table; what went wrong stands in its last column."""
    answer = found.response
    if answer is None:
        return (found.url, str(found.outcome), "", "", str(found.error))
    elapsed, size = f"{answer.elapsed * 1000:.0f} ms", f"{len(answer.body):,}"
    return (found.url, str(answer.status), elapsed, size, answer.content_type or "-")


def _values(found: Fetched) -> tuple[object, ...]:
    from crawler.web.outcome import outcome_of

    answer = found.response
    if answer is None:
        return (found.url, None, str(found.outcome), None, None, None, str(found.error))
    said = (str(outcome_of(answer.status)), answer.elapsed, len(answer.body), answer.content_type)
    return (found.url, answer.status, *said, None)


def _meant(url: str) -> str:
    """Return the URL that a user meant; a text that is no URL stays as it is, for its row."""
    from crawler import urls

    try:
        return urls.from_cli(url)
    except ValueError:
        return url


def looked(
    url: str, config: Config, *, browser: bool = False, screenshot: Path | None = None
) -> Probe:
    """Fetch what a user typed, or render it; UsageError if it is no URL."""
    import asyncio

    from crawler import urls
    from crawler.browser import finding
    from crawler.cli.probe import look
    from crawler.errors import UsageError

    try:
        target = urls.from_cli(url)
    except ValueError as error:
        raise UsageError(f"{error}; give one like https://example.com/") from None
    pictured = screenshot is not None
    if browser or pictured:
        finding.required(config.browser)
    found = asyncio.run(look(target, config, browser=browser or pictured, pictured=pictured))
    if screenshot is not None and found.picture is not None:
        screenshot.parent.mkdir(parents=True, exist_ok=True)
        screenshot.write_bytes(found.picture)
    return found


def _story(found: Probe, headers: bool, links: bool) -> list[str]:
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
    size = plural(len(page.body), "byte")
    lines = [f"type     {kind}, {size} ({page.response.wire_size:,} on the wire)"]
    if page.response.is_html:
        number = len(page.links)
        lines.append(f"title    {page.title or '-'}")
        lines.append(f"encoding {page.encoding}")
        lines.append(f"links    {number:,}")
    rendered = page.response.rendered
    if rendered is not None:
        left = ", ".join(f"{reason} {n:,}" for reason, n in rendered.refusals.items())
        lines.append(
            f"browser  Chromium {rendered.browser}, {plural(rendered.requests, 'request')}"
        )
        lines += [f"refused  {left}"] if left else []
        lines += [f"console  {error}" for error in rendered.errors]
    return lines
