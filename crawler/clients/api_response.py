"""ApiResponse: what an API answered, and the typed error that an answer stands for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from crawler.errors import ApiDenied, ApiFailed, ApiLimited, ApiNotFound, ApiStatus, BadJson
from crawler.parse import charset, json_text, mime
from crawler.web.response import Response

_SHOWN = 200  # bytes of a body that an error shows
_KINDS: dict[int, type[ApiStatus]] = {
    401: ApiDenied,
    403: ApiDenied,
    404: ApiNotFound,
    410: ApiNotFound,
    429: ApiLimited,
}


class ApiResponse(Struct, frozen=True):
    """What an API answered: `data` is the parsed JSON, None for an empty body.

    `timestamp` is when the answer's request was sent, in UTC; `url` where redirects ended; `reason`
    the phrase behind the status.
    """

    status: int
    data: Any
    headers: Mapping[str, str]
    timestamp: datetime
    url: str
    reason: str = ""
    body: bytes = b""

    @property
    def text(self) -> str:
        """The body as text, by its byte order mark, its charset, or what it looks like."""
        return charset.decode(self.body, self.headers.get("Content-Type"))[0]

    @property
    def content_type(self) -> str:
        """What the body is declared to be, like `text/csv`; "" where nothing is said."""
        found = mime.extract(self.headers.get("Content-Type", ""))
        return found.essence if found is not None else ""

    def json(self) -> Any:
        """Return the body parsed as JSON; ValueError where it is none."""
        return json_text.read(self.body, self.headers.get("Content-Type"))


def refuse(method: str, where: str, answer: Response) -> None:
    """Raise the typed error that an answer stands for; nothing for a 2xx."""
    if 200 <= answer.status < 300:
        return
    kind = ApiFailed if answer.status >= 500 else _KINDS.get(answer.status, ApiStatus)
    text = f"{method} {where}: {answer.status}: {_start(answer.body)}"
    raise kind(text, answer.status, answer.headers, answer.body[:2000])


def read(where: str, answer: Response, expect: type | None, *, any_type: bool) -> ApiResponse:
    """Return the typed answer; BadJson where it is no JSON, or none of the type `expect`.

    `any_type`: what is not declared to be JSON is left as it came, its `data` None.
    """
    data = None if any_type and not _is_json(answer) else _data(where, answer)
    if expect is not None and not isinstance(data, expect):
        found = f"{type(data).__name__}: {_start(answer.body)}"
        raise BadJson(f"{where}: wanted {expect.__name__}, got {found}")
    at = datetime.fromtimestamp(answer.started, UTC)
    return ApiResponse(
        answer.status, data, answer.headers, at, answer.url, answer.reason, answer.body
    )


def _is_json(answer: Response) -> bool:
    """Return whether an answer is declared to be JSON (MIME Sniffing 4.6, "JSON MIME type")."""
    found = mime.extract(answer.declared_type or "")
    if found is None:
        return False
    return found.essence in ("application/json", "text/json") or found.essence.endswith("+json")


def _data(where: str, answer: Response) -> Any:
    """Return the value of the body, None where it is empty; BadJson where it is no JSON."""
    if not answer.body.strip():
        return None
    try:
        return json_text.read(answer.body, answer.declared_type)
    except (ValueError, RecursionError) as error:
        kind = answer.content_type or "no Content-Type"
        text = f"{where}: no JSON ({kind}; {error}): {_start(answer.body)}"
        raise BadJson(text) from None


def _start(body: bytes) -> str:
    shown = body[:_SHOWN].decode("utf-8", "replace")
    return repr(shown) + (f" and {len(body) - _SHOWN:,} bytes more" if len(body) > _SHOWN else "")
