"""`crawler new`: a spider to start from, which runs as it is."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from crawler.cli.declared import Argument, Option


class Template(StrEnum):
    """What a new spider is for."""

    SITE = "site"
    RULES = "rules"
    SITEMAP = "sitemap"
    API = "api"
    FEED = "feed"
    LOGIN = "login"
    BROWSER = "browser"


TEST = '''"""{title} over pages that stand here: no network, in milliseconds."""

from spiders.{name} import {title}

PAGES = {{
    "{url}": "<h1>One</h1> <a href=two>two</a>",
    "two": "<h1>Two</h1>",
}}


def test_every_page_has_its_heading(crawl):
    found = crawl({title}, PAGES)
    assert found.errors == []
    assert [each["heading"] for each in found.items] == ["One", "Two"]


# After `crawler test record {name}` and `crawler test {name}`, which write what it compares with:
#
# def test_the_recorded_site_gives_what_it_gave(assert_items):
#     assert_items({title}, "{name}")
'''


def new(
    name: Annotated[str, Argument(help="The spider's name, and its file's: spiders/NAME.py")],
    url: Annotated[str, Argument(help="Where it starts.")] = "https://example.com/",
    *,
    template: Annotated[
        Template,
        Option(
            "--template",
            "-t",
            help="site: every page; rules: detail pages; sitemap; api: JSON; feed: XML, CSV,"
            " JSON, RSS, Atom; login: behind a form; browser: rendered pages.",
        ),
    ] = Template.SITE,
    test: Annotated[
        bool, Option("--test", help="Write a test beside it: tests/test_NAME.py.")
    ] = False,
) -> None:
    """Write a new spider that runs as it is.

    Example: crawler new news https://example.com/news/ --template rules
    """
    from crawler import urls
    from crawler.cli.spider_loader import SPIDERS, survey
    from crawler.errors import UsageError

    if not name.isidentifier() or not name.isascii() or name.startswith("_"):
        raise UsageError(f"{name!r} cannot be a spider's name; use letters, digits and _")
    try:
        start = urls.from_cli(url)
    except ValueError as error:
        raise UsageError(f"{error}; give one like https://example.com/") from None
    file, test_file = SPIDERS / f"{name}.py", Path("tests") / f"test_{name}.py"
    if test and template is not Template.SITE:
        raise UsageError("--test goes with the template site; `crawler test record` makes others")
    if test and test_file.exists():
        raise UsageError(f"{test_file} is there already; choose another name")
    taken = next((spider.file for spider in survey() if spider.name == name), None)
    if taken or file.exists():
        raise UsageError(f"{taken or file} is there already; choose another name")
    title = "".join(part.capitalize() for part in name.split("_")) or "Pages"
    SPIDERS.mkdir(exist_ok=True)
    file.write_text(_text(template, name, title, start), encoding="utf-8")
    before = f"{_variable(name)}=… " if template is Template.LOGIN else ""
    print(f"{file} is written. Run it: {before}crawler run {name} --max-pages 20")
    if test:
        test_file.parent.mkdir(exist_ok=True)
        test_file.write_text(TEST.format(name=name, title=title, url=start), encoding="utf-8")
        print(f"{test_file} is written. Run it: python -m pytest {test_file}")


def _text(template: Template, name: str, title: str, start: str) -> str:
    """Return the text of a spider's file."""
    from crawler import urls
    from crawler.cli.templates import TEMPLATES

    return TEMPLATES[template].format(
        name=name,
        title=title,
        row=f"{title}Page",
        url=start,
        origin=urls.host_of(start),
        variable=_variable(name),
    )


def _variable(name: str) -> str:
    """Return the environment variable that holds a spider's password."""
    return f"{name.upper()}_PASSWORD"
