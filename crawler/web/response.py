"""Response: what the wire gave to one request."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from crawler.lazy_regex import lazy
from crawler.parse import mime
from crawler.web.outcome import Outcome, outcome_of
from crawler.web.rendered import Rendered

# Most answers: declared to be HTML, and beginning like a page, so that they are no feed.
_HTML = lazy(r"text/html[\t ]*(?:;[^,]*)?", re.IGNORECASE)
_PAGE = lazy(
    rb"[\t\n\f\r ]*(?:<!doctype html[^>]*>[\t\n\f\r ]*)?"
    rb"<(?:html|head|title|meta|body)[\t\n\f\r />]",
    re.IGNORECASE,
)
_PACKED = (b"%PDF-", b"\x1f\x8b", b"\x89PNG", b"PK\x03\x04")  # whatever type is declared


@dataclass(slots=True)
class Response:
    """What the wire gave to one request: status, headers, decoded body.

    `body` is the body after its content codings; `wire_size` counts bytes before them.
    `started` is Unix time, `elapsed` seconds from sending to the last byte; `reason` is the phrase
    behind the status, "" if the server has none. `rendered` says how a browser rendered it; then
    the body is what its scripts made of the page.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    started: float = field(default_factory=time.time)
    elapsed: float = 0.0
    wire_size: int = 0
    reason: str = ""
    rendered: Rendered | None = None
    _kind: tuple[str, bool, bool] | None = field(
        default=None, init=False, repr=False, compare=False
    )

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed."""
        return replace(self, **changes)

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return len(self.body)

    @property
    def outcome(self) -> Outcome:
        """How its request ended, as far as the status tells."""
        return Outcome.OK if 200 <= self.status < 300 else outcome_of(self.status)

    @property
    def text(self) -> str:
        """The body as text, decoded as the HTML standard says; never raises."""
        from crawler.parse import charset  # with the first answer that is read as text

        return charset.decode(self.body, self.declared_type)[0]

    def json(self) -> Any:
        """Return the body parsed as JSON; ValueError with the first bytes if it is none."""
        from crawler.parse import json_text

        try:
            return json_text.read(self.body, self.declared_type)
        except RecursionError:
            why = "it is nested too deep"
        except ValueError as error:
            why = str(error)
        raise ValueError(f"{self.url} is no JSON ({why}): {self.body[:80]!r}")

    @property
    def declared_type(self) -> str | None:
        """The Content-Type as it came, several headers joined by commas; None if there is none."""
        headers = self.headers
        if "Content-Type" not in headers:
            return None
        several = headers.getall("Content-Type") if hasattr(headers, "getall") else ()
        return ", ".join(several) if len(several) > 1 else headers["Content-Type"]

    @property
    def content_type(self) -> str:
        """What the response is, like `text/html`: as declared, or as its bytes show.

        In lower case, without parameters; empty where nothing is declared and nothing is there.
        """
        return (self._kind or self._looked())[0]

    @property
    def is_html(self) -> bool:
        """Whether it is a page, with links and a title: HTML, or XHTML by whatever type."""
        return (self._kind or self._looked())[1]

    @property
    def is_xml(self) -> bool:
        """Whether it is a page in XML, where no element is text by its name alone."""
        return (self._kind or self._looked())[2]

    def _looked(self) -> tuple[str, bool, bool]:
        """Find out once what the response is (https://mimesniff.spec.whatwg.org/)."""
        declared, body = self.declared_type, self.body
        if declared is not None and _HTML.fullmatch(declared) and _PAGE.match(body):
            self._kind = found = ("text/html", True, False)
            return found
        options = self.headers.get("X-Content-Type-Options", "")
        nosniff = options.partition(",")[0].strip().lower() == "nosniff"
        essence = mime.computed(declared, body, nosniff=nosniff) if declared or body else ""
        is_xml = mime.is_xhtml(essence, body)
        essence = "application/xhtml+xml" if is_xml else essence
        is_xml = is_xml or essence == "image/svg+xml"  # whose links and title count as a page's do
        # A feed that is declared to be HTML is shown as a page by browsers, and read as one.
        supplied = mime.extract(declared) if declared else None
        is_page = is_xml or "text/html" in (essence, supplied and supplied.essence)
        self._kind = found = (essence, is_page and not body.startswith(_PACKED), is_xml)
        return found
