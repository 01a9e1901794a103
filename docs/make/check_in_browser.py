"""Open the built documentation from its folder, in Chromium: it can be searched and read there.

`python docs/make/check_in_browser.py site` types a word into the search of the first page, without
a server, and goes to a page found. Then it opens every page as wide as a phone: it must not move
sideways, and has one title, all its pictures, and no word that was taken for a tag of HTML. Exit
code 1, and a line for each fault. Without a browser it says so; in CI that is a fault, too.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crawler.browser import finding
from crawler.errors import ConfigError

WORD = "quiet_hours"  # a key of the configuration
PHONE = {"width": 390, "height": 844}
FAULTS = """() => {
  const page = document.querySelector('.md-content') || document.body;
  const wide = document.documentElement.scrollWidth - innerWidth;
  const titles = page.querySelectorAll('h1').length;
  const odd = [...page.querySelectorAll('*')].filter(one => one instanceof HTMLUnknownElement);
  const lost = [...page.querySelectorAll('img')].filter(image => !image.naturalWidth);
  return [
    wide > 0 && `${wide} px wider than a phone`,
    titles !== 1 && `${titles} titles`,
    ...odd.map(one => `<${one.localName}> is taken for HTML`),
    ...lost.map(image => `no picture at ${image.src}`),
  ].filter(Boolean);
}"""


def faults(folder: Path, browser: Any) -> Iterator[str]:
    """Yield a line for each fault that a reader would see."""
    page = browser.new_page(viewport=PHONE)
    page.goto((folder / "index.html").as_uri())
    if not found_by_search(page):
        yield f"index.html: a search for {WORD} does not lead to its page"
    for file in sorted(folder.rglob("*.html")):
        page.goto(file.as_uri())
        for fault in page.evaluate(FAULTS):
            yield f"{file.relative_to(folder)}: {fault}"


def found_by_search(page: Any) -> bool:
    """Return whether a search leads to the page on which the word stands."""
    from playwright.sync_api import Error

    try:
        page.click("label[for=__search]")
        page.get_by_role("combobox", name="Search").fill(WORD)
        page.get_by_role("listbox").get_by_text("Configuration").click(timeout=5000)
        page.wait_for_url("**/configuration.html*", timeout=5000)
    except Error as error:
        print(error, file=sys.stderr)
        return False
    return WORD in page.inner_text(".md-content")


def main(folder: Path) -> int:
    """Return the exit code."""
    try:
        found = finding.find()
        from playwright.sync_api import sync_playwright
    except (ConfigError, ImportError) as error:
        print(f"not looked at in a browser: {error}")
        return "CI" in os.environ
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found.path)
        told = list(faults(folder.resolve(), browser))
        browser.close()
    print("\n".join(told) or "search works from the folder, and every page fits on a phone")
    return bool(told)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
