"""What each documented name of Scrapy is here: for those who come from there, and for messages.

The table is `scrapy_names.tsv`; docs/from-scrapy.md shows it.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Literal, NamedTuple

Verdict = Literal["here", "otherwise", "left out"]


class ScrapyName(NamedTuple):
    """A name of Scrapy: under which name it is here, how it is covered otherwise, or why not."""

    kind: Literal["setting", "signal", "spider", "request", "meta"]
    name: str
    verdict: Verdict
    here: str
    text: str

    def told(self) -> str:
        """Return what is said of it where it is met."""
        if self.verdict == "here":
            return f"{self.name} is {self.here} here" + (f" ({self.text})" if self.text else "")
        if self.verdict == "otherwise":
            what = "; see " if self.text else "see "
            return f"{self.name}: {self.text}{what + self.here if self.here else ''}"
        return f"{self.name} is not here: {self.text}"


@cache
def scrapy_names() -> tuple[ScrapyName, ...]:
    """Return every documented setting, signal, attribute, argument and key of meta, in order."""
    text = files(__package__).joinpath("scrapy_names.tsv").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in text.splitlines() if not line.startswith("#"))
    found = [ScrapyName(*row) for row in rows]  # type: ignore[arg-type]
    return tuple(_spelled_out(row, {other.name: other for other in found}) for row in found)


def _spelled_out(row: ScrapyName, by_name: dict[str, ScrapyName]) -> ScrapyName:
    """Return a row whose text says what the row says to which it points ("as NAME")."""
    name, _, rest = row.text.removeprefix("as ").partition("; ")
    other = by_name.get(name)
    if not row.text.startswith("as ") or other is None:
        return row
    text = "; ".join(filter(None, (_spelled_out(other, by_name).text, rest)))
    return row._replace(text=text, here=row.here or other.here)


def scrapy_name(kind: str, name: str) -> ScrapyName | None:
    """Return what a name of Scrapy is here, None for one that it has not."""
    return next((row for row in scrapy_names() if row.kind == kind and row.name == name), None)
