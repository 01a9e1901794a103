"""What a call sends: JSON, text, form fields, bytes, files; and what type it is of."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, Iterable, Mapping
from functools import partial
from pathlib import PurePath
from typing import Any

from crawler.clients.transport import Body
from crawler.clients.upload_source import Content, File, Source, Streamed, form
from crawler.errors import UsageError
from crawler.http.multipart import BINARY
from crawler.web import body as bodies

Data = Content | Mapping[str, Any] | Iterable[tuple[str, Any]]
"""A text, bytes, the fields of a form, a Path or an open file that is streamed, an iterator."""

Files = Mapping[str, "File | Content"]
"""The files of a multipart form, by the name of their field."""


def body_of(value: Any, data: Data | None, files: Files | None) -> tuple[Body, str, bool]:
    """Return the body of a call, its Content-Type ("": it knows it itself), and if it lasts.

    What does not last can be sent once only. UsageError for two bodies, and for what is no JSON.
    """
    if value is not None and (data is not None or files is not None):
        raise UsageError("give `json`, or `data` and `files`: a request has one body")
    if value is not None:
        return dumped(value), "application/json", True
    if files is not None:
        return _multipart(data, files)
    if data is None:
        return None, "", True
    if isinstance(data, str):
        return data.encode(), "text/plain; charset=utf-8", True
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data), BINARY, True
    if _is_streamed(data):
        source = Source(File(data))  # type: ignore[arg-type]
        return partial(Streamed, source), source.file.kind, source.file.is_lasting
    sent = bodies.on_wire(data if isinstance(data, Mapping) else list(data))  # type: ignore[arg-type]
    assert isinstance(sent, bytes)
    return sent, "application/x-www-form-urlencoded", True


def _multipart(data: Data | None, files: Files) -> tuple[Body, str, bool]:
    if data is not None and (_is_streamed(data) or isinstance(data, bodies.RAW)):
        raise UsageError("beside `files`, `data` is the other fields of the form: a mapping")
    named = [_named(field, one) for field, one in files.items()]
    sources = [Source(file) for file in named]
    fields = [(name, value) for name, value in bodies.pairs(data)]
    lasts = all(file.is_lasting for file in named)
    return (lambda: form(sources, fields)), "", lasts


def _named(field: str, one: File | Content) -> File:
    if not isinstance(one, File):
        return File(one, field)
    return File(one.path, field, one.name, one.content_type)


def _is_streamed(data: object) -> bool:
    return isinstance(data, PurePath) or hasattr(data, "read") or isinstance(data, AsyncIterable)


def dumped(value: Any) -> bytes:
    """Return a value as JSON; UsageError for what JSON cannot say, as NaN."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.encode()
    except (TypeError, ValueError) as error:
        raise UsageError(f"this cannot be sent as JSON: {error}") from None
