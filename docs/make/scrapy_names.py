"""The table of docs/from-scrapy.md, from the one in the package: `--write` puts it there."""

import re
import sys
from pathlib import Path

from crawler.spider.scrapy_names import ScrapyName, scrapy_names

PAGE = Path(__file__).parents[1] / "from-scrapy.md"
MARKED = re.compile(r"(?<=<!-- names: begin -->\n).*(?=<!-- names: end -->)", re.DOTALL)
TITLES = {
    "setting": "Settings",
    "signal": "Signals",
    "spider": "Attributes and methods of spiders",
    "request": "Arguments of requests",
    "meta": "Keys of Request.meta",
}
VERDICTS = {"here": "**here**", "otherwise": "otherwise", "left out": "left out"}


def tables() -> str:
    """Return one table a kind of names."""
    return "\n".join(_table(kind) for kind in TITLES)


def _table(kind: str) -> str:
    rows = [row for row in scrapy_names() if row.kind == kind]
    counts = ", ".join(
        f"{sum(row.verdict == verdict for row in rows)} {verdict}" for verdict in VERDICTS
    )
    lines = [
        *(f"### {TITLES[kind]}", "", f"{len(rows)}: {counts}.", ""),
        *("| Scrapy | | Crawlkeep |", "|---|---|---|"),
        *(f"| `{row.name}` | {VERDICTS[row.verdict]} | {_cell(row)} |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def _cell(row: ScrapyName) -> str:
    text = row.text.replace("|", "\\|")
    return ": ".join(filter(None, (f"`{row.here}`" if row.here else "", text)))


if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    made = MARKED.sub(lambda _: "\n" + tables() + "\n", page)
    if "--write" in sys.argv:
        PAGE.write_text(made, encoding="utf-8")
    elif made != page:
        sys.exit(f"{PAGE}: not what the package says; run `make docs`")
