"""What a site says about the uses of its pages: Content-Usage, Content-Signal, TDM reservations.

Preferences by the drafts of the IETF group AIPREF (draft-ietf-aipref-vocab and -attach), content
signals by https://contentsignals.org, reservations by the TDM Reservation Protocol of the W3C
community group (https://www.w3.org/community/reports/tdmrep/CG-FINAL-tdmrep-20240510/), and the
directive `noai` of meta robots and X-Robots-Tag, which sites have used since before there was any
of these. Text in, values out; nothing raises.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from crawler.parse.meta_robots import WORDS, header_words

PURPOSES: Mapping[str, str | None] = {
    "tdm": None,
    "train-ai": "tdm",
    "train-genai": "train-ai",
    "ai-input": "tdm",
    "search": None,
}
"""The purposes, each with the wider one whose preference holds where nothing is said of it."""

_LABELS = {"ai-train": "train-ai", "ai": "train-ai", "genai": "train-genai", "bots": "tdm"}
_ALLOWED = {"y": True, "yes": True, "?1": True, "n": False, "no": False, "?0": False}
HEADERS = ("Content-Usage", "Content-Signal", "TDM-Reservation", "TDM-Policy")
"""The headers in which a page speaks for itself."""
_METAS = tuple(name.lower() for name in HEADERS)
ROBOTS_HEADER = "X-Robots-Tag"
_NO_AI = "noai"


class UsageLine(NamedTuple):
    """One line that says what a page may be used for, and where it stands."""

    where: str
    """`robots.txt line 3`, `header`, `meta` or `/.well-known/tdmrep.json`."""
    text: str
    """The line itself, like `Content-Usage: train-ai=n`."""

    @property
    def uses(self) -> dict[str, bool]:
        """The purposes that it allows (True) or reserves (False)."""
        name, _, value = self.text.partition(":")
        name = name.strip().lower()
        if name == "tdm-reservation":
            return {"tdm": value.strip() != "1"} if value.strip() in ("0", "1") else {}
        if name in ("robots", ROBOTS_HEADER.lower()):
            return {"train-ai": False}
        return _uses(value) if name in ("content-usage", "content-signal") else {}

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


def _uses(value: str) -> dict[str, bool]:
    """Read preferences such as `/path train-ai=n, search=y`; of one named twice the last counts."""
    if value.strip().startswith("/"):
        value = value.strip().partition(" ")[2]
    found = {}
    for member in value.split(","):
        label, _, said = member.partition(";")[0].partition("=")
        label, allowed = label.strip().lower(), _ALLOWED.get(said.strip().lower())
        if allowed is not None:
            found[_LABELS.get(label, label)] = allowed
    return found


class Reservation(NamedTuple):
    """A purpose for which a page is reserved, and the line that says so."""

    purpose: str
    statement: UsageLine

    def __str__(self) -> str:
        return f"reserved for {self.purpose} by {self.statement}"


def reserved(statements: Iterable[UsageLine], purposes: Iterable[str]) -> Reservation | None:
    """Return the first of the purposes that is reserved; None if all may be.

    Where several lines speak of one purpose the strictest counts; a purpose of which none speaks
    has what is said of the wider one.
    """
    said = [(statement, statement.uses) for statement in statements]
    for purpose in purposes:
        asked: str | None = purpose
        while asked is not None:
            heard = [(one, uses[asked]) for one, uses in said if asked in uses]
            for statement, allowed in heard:
                if not allowed:
                    return Reservation(purpose, statement)
            asked = None if heard else PURPOSES.get(asked)
    return None


def said_by(headers: Mapping[str, str], metas: Iterable[tuple[str, str]]) -> list[UsageLine]:
    """Return what a page says of itself, in its headers and in the metas (name, content)."""
    found = []
    for name in (*HEADERS, ROBOTS_HEADER):
        found += [
            UsageLine("header", f"{name}: {value.strip()}")
            for value in _values(headers, name)
            if name != ROBOTS_HEADER or _NO_AI in header_words(value, "")
        ]
    for name, said in metas:
        name = name.strip()
        if name in _METAS or (name == "robots" and _NO_AI in WORDS.split(said.lower())):
            found.append(UsageLine("meta", f"{name}: {said.strip()}"))
    return found


def _values(headers: Mapping[str, str], name: str) -> Iterable[str]:
    """Return the values of a header, also in a mapping whose names have any case."""
    if hasattr(headers, "getall"):
        return headers.getall(name, ())  # type: ignore[no-any-return]
    return [value for key, value in headers.items() if key.lower() == name.lower()]


TDM_FILE = "/.well-known/tdmrep.json"


def locations(body: bytes) -> list[tuple[str, str]]:
    """Return the rules of a tdmrep.json: a pattern as in robots.txt, and `1` or `0` for it."""
    try:
        rules = json.loads(body)
    except (ValueError, RecursionError):
        return []
    found = []
    for rule in rules if isinstance(rules, list) else []:
        if isinstance(rule, dict) and isinstance(rule.get("location"), str):
            said = str(rule.get("tdm-reservation", ""))
            if said in ("0", "1"):
                found.append((rule["location"], said))
    return found
