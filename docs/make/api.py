"""Write the pages of docs/reference/ that list what may be imported, one directive a name.

The table of docs/architecture.md says which names these are; the site fills in their docstrings.
"""

import re
import sys
from importlib import import_module
from pathlib import Path

DOCS = Path(__file__).parents[1]
TABLE = (DOCS / "architecture.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([a-z_.]+)` \| (.*?) \| (.*?) \|.*\|$", re.MULTILINE)
PAGES = {"crawler": "crawler", "crawler.clients": "clients", "crawler.errors": "errors"}
TITLES = {
    "crawler": ("Spiders and crawls", "Everything that `from crawler import …` gives."),
    "clients": (
        "Clients",
        "Everything that `from crawler.clients import …` gives; [how to use them](../clients.md).",
    ),
    "errors": ("Errors", "What `from crawler.errors import …` gives, and what each means."),
    "parts": ("Parts", "What else may be imported, by module."),
}


def names(module: str, listed: str) -> list[str]:
    """Return the public names of a module of the table, in its order."""
    home = import_module(module)
    if listed.startswith("all of"):
        return [name for name in home.__all__ if not name.startswith("_")]
    if listed == "every exception":
        kinds = [kind for kind in vars(home).values() if isinstance(kind, type)]
        return [kind.__name__ for kind in kinds if issubclass(kind, Exception)]
    return re.findall(r"`(\w+)`", listed)


def pages() -> dict[str, str]:
    """Return the text of every page by its file name."""
    parts: dict[str, list[str]] = {
        page: [f"# {title}", said] for page, (title, said) in TITLES.items()
    }
    for module, listed, purpose in ROW.findall(TABLE.partition("## What may be imported")[2]):
        page = parts[PAGES.get(module, "parts")]
        level = 2
        if module not in PAGES:
            page.append(f"## {module}\n\nFor {purpose}.".replace("](", "](../"))
            level = 3
        for name in names(module, listed):
            options = f"\n    options: {{heading_level: {level}}}" if level > 2 else ""
            page.append(f"::: {module}.{name}{options}")
    return {f"{page}.md": "\n\n".join(lines) + "\n" for page, lines in parts.items()}


def main() -> int:
    """Write the pages; with no argument, say which are behind."""
    behind = 0
    for name, text in pages().items():
        path = DOCS / "reference" / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            behind += 1
            if "--write" in sys.argv:
                path.write_text(text, encoding="utf-8")
            else:
                print(f"docs/reference/{name} is behind: make docs")
    return behind if "--write" not in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
