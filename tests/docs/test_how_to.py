"""The README, the tutorial and every how-to run from their first command to their last.

A page is a story: files (`title="name"`) are written where they stand, commands run in their order
in one folder, and what a page shows of their output is in what they print, figures aside.
"""

import json
import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "make" / "pictures"))

import overview
import pytest
import terminal
from browser_story import MISSING
from docs_story import desk, run_page
from postgres_server import server
from site_thread import site_on_a_thread

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [DOCS / "tutorial.md", DOCS / "testing.md", *sorted((DOCS / "how-to").glob("*.md"))]
COMPARED = ("ours", "scrapy", "crawlee-parsel", "colly")  # the columns of the README's table
DATABASE = "postgresql://crawler@db.example/web?crawl=quotes"
SITE = "127.0.0.1:8765"


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with desk(tmp_path, monkeypatch), site_on_a_thread() as site:
        text = page.read_text(encoding="utf-8")
        if "crawler.web.steps" in text and MISSING is not None and "CI" not in os.environ:
            pytest.skip(MISSING)
        if DATABASE in text:
            text = text.replace(DATABASE, server().dsn("quotes"))
        run_page(text.replace(SITE, site.url.removeprefix("http://").rstrip("/")))


def test_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    with desk(tmp_path, monkeypatch), site_on_a_thread() as site:
        for elsewhere in ("https://docs.python.org/3/", "https://quotes.toscrape.com/"):
            assert elsewhere in text
            text = text.replace(elsewhere, site.url)
        run_page(text)
        assert (tmp_path / "quotes.jsonl").read_text(encoding="utf-8").count("\n") == 100
        assert "<svg" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_readme_has_the_figures_that_are_on_record() -> None:
    """Of CPU, of pages a second, and of memory, in the order of the table."""
    rows = json.loads((ROOT / "docs" / "benchmarks.json").read_text(encoding="utf-8"))
    rows = rows["tables"]["crawl"]
    means = overview.means(rows)
    one = {row["system"]: row for row in rows if row["corpus"] == "postgresql"}
    text = (ROOT / "README.md").read_text(encoding="utf-8").replace(",", "")
    for start, figures in (
        ("CPU a page", [f"{means[system]:.3g}" for system in COMPARED]),
        ("pages a second", [f"{one[system]['pages_per_second']:.0f}" for system in COMPARED]),
        ("memory", [f"{one[system]['peak_mb']:.0f}" for system in COMPARED]),
    ):
        row = next(line for line in text.splitlines() if line.startswith(f"| {start}"))
        shown = [re.findall(r"\d[\d.]*", cell)[0] for cell in row.split("|")[2:-1]]
        assert shown == figures, start


def test_the_pictures_show_what_is_printed_now() -> None:
    for name in terminal.STORIES:
        drawn = (DOCS / "pictures" / f"{name}.svg").read_text(encoding="utf-8")
        assert terminal.lasting(terminal.make(name, port=0, delay=0.0)) == terminal.lasting(
            drawn
        ), "run `make pictures`"


def test_every_how_to_is_on_the_first_page_and_in_the_site() -> None:
    index = (DOCS / "how-to" / "index.md").read_text(encoding="utf-8")
    site = (DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8")
    for page in (page for page in PAGES if page.parent.name == "how-to"):
        if page.stem != "index":
            assert f"]({page.name})" in index, page
            assert f"how-to/{page.name}" in site, page
