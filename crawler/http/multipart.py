"""multipart/form-data as the HTML standard writes it, which is what servers read.

https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data
Names stand in UTF-8 with `"`, CR and LF percent-encoded: no `name*=`, which RFC 7578 4.2 forbids,
and no backslashes, which aiohttp puts in. A text field has no Content-Type.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable
from pathlib import PurePath
from typing import Any, NamedTuple

from aiohttp import MultipartWriter, hdrs, payload
from multidict import CIMultiDict

from crawler.config.secrets import revealed
from crawler.web import body as bodies
from crawler.web.form_values import crlf, quoted
from crawler.web.request import Request

BINARY = "application/octet-stream"


class Part(NamedTuple):
    """One field: a text, or with a `filename` a file, as bytes, an open file or a payload."""

    name: str
    value: Any
    filename: str | None = None
    content_type: str | None = None


def body_of(parts: Iterable[Part]) -> MultipartWriter:
    """Return the body of a form; its Content-Type names the boundary."""
    writer = MultipartWriter("form-data")
    for part in parts:
        writer.append_payload(_payload(part))
    return writer


def body_of_files(request: Request) -> MultipartWriter:
    """Return the body of a request that sends files, with the fields of its form.

    A file stands in the place of an empty field of its name, else behind all fields: forms are sent
    in the order of their controls. Further empty fields of that name are files that nobody chose.
    """
    files = dict(request.files or {})
    names = frozenset(files)
    parts = [
        _file_part(name, files.pop(name, ""))
        if value == "" and name in names
        else Part(name, revealed(value))
        for name, value in bodies.pairs(request.data)
    ]
    return body_of([*parts, *(_file_part(*file) for file in files.items())])


def _file_part(field: str, path: str | PurePath) -> Part:
    name = PurePath(path).name  # "" of a field that nobody filled
    return Part(field, bodies.opened(path) if name else b"", name, mimetypes.guess_type(name)[0])


def _payload(part: Part) -> payload.Payload:
    said = f'form-data; name="{quoted(crlf(part.name))}"'
    if part.filename is not None:
        said += f'; filename="{quoted(part.filename)}"'
    headers = CIMultiDict({hdrs.CONTENT_DISPOSITION: said})
    if part.filename is not None:
        headers[hdrs.CONTENT_TYPE] = part.content_type or BINARY
    elif part.content_type:
        headers[hdrs.CONTENT_TYPE] = part.content_type
    value = crlf(part.value).encode() if isinstance(part.value, str) else part.value
    made: payload.Payload = payload.get_payload(value)
    assert made.headers is not None
    made.headers.clear()  # aiohttp's own Content-Type, and a Content-Length that no form has
    made.headers.update(headers)
    return made
