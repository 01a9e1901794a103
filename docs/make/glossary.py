"""Write what docs/glossary.md has from the code: outcomes, refusals, settings, public names.

`python docs/make/glossary.py` prints the page as it should be, `--write` writes it.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path

from crawler.config.layers import keys
from crawler.web.outcome import MEANINGS
from crawler.web.refusal import ABOUT

PAGE = Path(__file__).parents[1] / "glossary.md"
MODULES = ("crawler", "crawler.clients")


def outcomes() -> Iterator[tuple[str, str]]:
    """Yield every outcome, and what happened."""
    for outcome, meaning in MEANINGS.items():
        yield str(outcome), meaning.about


def refusals() -> Iterator[tuple[str, str]]:
    """Yield every reason for a refusal, and what it is about."""
    for reason, about in ABOUT.items():
        yield str(reason), about


def settings() -> Iterator[tuple[str, str]]:
    """Yield every key of the configuration, and the first sentence of its help."""
    for key in keys():
        text = " ".join(key.help.split())
        yield f"{key.section}.{key.name}", re.split(r"(?<=[^.])[.;] ", text)[0].rstrip(".")


def names() -> Iterator[tuple[str, str]]:
    """Yield every public name, and the first line of its docstring."""
    for module in MODULES:
        package = import_module(module)
        for name in sorted(package.__all__):
            if not name.startswith("__"):
                line = (inspect.getdoc(getattr(package, name)) or "").partition("\n")[0]
                yield f"{module}.{name}".removeprefix("crawler."), line.rstrip(".")


def table(head: str, rows: Iterable[tuple[str, str]]) -> str:
    """Return rows as a table of Markdown."""
    lines = [f"| {head} | means |", "|---|---|"]
    lines += (f"| `{word}` | {text.replace('|', chr(92) + '|')} |" for word, text in rows)
    return "\n".join(lines)


def made() -> str:
    """Return the page with what it has from the code as the code is now."""
    text = PAGE.read_text(encoding="utf-8")
    tables = {
        "outcomes": table("outcome", outcomes()),
        "refusals": table("reason", refusals()),
        "settings": table("key", settings()),
        "names": table("name", names()),
    }
    for name, block in tables.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        text = re.sub(
            f"{begin}.*?{end}", f"{begin}\n{block}\n{end}".replace("\\", r"\\"), text, flags=re.S
        )
    return text


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(made(), encoding="utf-8")
    else:
        print(made(), end="")
