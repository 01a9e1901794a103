"""`crawler shell`: a Python prompt with a page in it."""

from __future__ import annotations

import code
from typing import TYPE_CHECKING, Annotated, Any

from crawler.cli import options
from crawler.cli.declared import Argument, Option

if TYPE_CHECKING:
    from crawler.web.page import ScrapedPage

_BANNER = """\
{page!r}
page.css("h1::text").get()   page.soup.select("a")   page.xpath("//h1")   page.links   page.text
fetch("URL") gives another page; Ctrl-D leaves.\
"""


def shell(
    url: Annotated[str, Argument(help="The page to look at.")],
    browser: Annotated[
        bool, Option("--browser", help="Render pages in a browser, see [browser].")
    ] = False,
    config: options.ConfigFile = None,
    set_: options.Set = None,
) -> None:
    """Try selectors on a page, at a prompt.

    A Python prompt with `page`, the page of the URL, and `fetch("URL")` for others.

    Example: crawler shell https://quotes.toscrape.com/
    """
    from crawler.cli.fetch import looked
    from crawler.config import layers as configuration
    from crawler.errors import CrawlerError

    loaded = configuration.load(config, overrides=set_ or ())

    def fetch(target: str) -> ScrapedPage:
        found = looked(target, loaded, browser=browser)
        if found.page is None:
            last = found.hops[-1]
            raise CrawlerError(f"{last.url}: {last.outcome} {last.error}".rstrip())
        return found.page

    page = fetch(url)
    names: dict[str, Any] = {"page": page, "fetch": fetch}
    _edit_lines()
    code.interact(_BANNER.format(page=page), local=names, exitmsg="")


def _edit_lines() -> None:
    try:
        import readline  # noqa: F401  line editing and history, where there is one
    except ImportError:
        return
