"""Rendered: what a browser told of a page beside the page itself."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct, field

from crawler.web.refusal import Refusal

if TYPE_CHECKING:
    from crawler.web.axe_finding import AxeFinding


class PageFile(NamedTuple):
    """A picture or a print of a page: what it is called, its type, its bytes."""

    name: str
    content_type: str
    data: bytes


class Xhr(NamedTuple):
    """An answer in JSON to a request of a page's scripts."""

    url: str
    status: int
    body: bytes

    def json(self) -> Any:
        """Return the body parsed; ValueError where it is no JSON."""
        from crawler.parse import json_text  # few crawls render, and fewer look at this

        return json_text.read(self.body, "application/json; charset=utf-8")


class Rendered(Struct):
    """How a page was rendered. `refusals` say what of it was not loaded, shown or followed."""

    browser: str
    seconds: float = 0.0
    requests: int = 0
    why: str = ""
    """Why it was: asked, always, or what the page lacked."""
    errors: list[str] = field(default_factory=list)
    """What its scripts raised or wrote as errors, the first of them."""
    findings: list[AxeFinding] = field(default_factory=list)
    """What `browser.checks` found, to be stored as items."""
    xhr: list[Xhr] = field(default_factory=list)
    files: list[PageFile] = field(default_factory=list)
    refusals: Counter[Refusal] = field(default_factory=Counter)

    def refuse(self, reason: Refusal, number: int = 1) -> None:
        """Count what is not taken of all that the page asks for."""
        if number:
            self.refusals.update({reason: number})
