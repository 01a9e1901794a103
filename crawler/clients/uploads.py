"""upload: files sent as they are read, as a form or as one raw body, with progress."""

from __future__ import annotations

import asyncio
import json
import mimetypes
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import FormData, payload

from crawler.clients.retrying import Retries, with_retries
from crawler.clients.transport import Transport
from crawler.config.load import Config
from crawler.errors import UsageError
from crawler.web.response import Response

Progress = Callable[[int, int], object]
"""Called with the bytes of the files that are sent, and that there are in all."""

_BLOCK = 256 * 1024


@dataclass(frozen=True, slots=True)
class File:
    """A file to send: its path, and what the form says of it."""

    path: Path | str
    field: str = "file"
    name: str | None = None
    content_type: str | None = None

    @property
    def shown_name(self) -> str:
        """The name that the server is told."""
        return self.name or Path(self.path).name

    @property
    def kind(self) -> str:
        """The media type, guessed from the name unless given."""
        return (
            self.content_type
            or mimetypes.guess_type(self.shown_name)[0]
            or "application/octet-stream"
        )


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What the server said to an upload of `size` bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    size: int

    def json(self) -> Any:
        """Return the answer parsed as JSON; ValueError where it is none."""
        return json.loads(self.body)


async def upload(
    url: str,
    files: File | str | Path | Iterable[File | str | Path],
    *,
    fields: Mapping[str, str] | None = None,
    raw: bool = False,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    retries: int | Retries = 2,
    config: Config | None = None,
) -> Uploaded:
    """Send one or several files as multipart/form-data (RFC 7578), with `fields` beside them.

    `raw` sends a single file as the body itself. Memory stays flat: a block at a time is read.
    A try again starts from the beginning. An answer of any status is given back; FetchError where
    there is none, UsageError for a file that cannot be read.
    """
    parts = [one if isinstance(one, File) else File(one) for one in _listed(files)]
    if not parts or (raw and len(parts) != 1):
        raise UsageError("give one file or several; a raw upload takes exactly one")
    total = sum([await asyncio.to_thread(_size_of, part) for part in parts])
    sent = dict(headers or {})
    if raw:
        sent.setdefault("Content-Type", parts[0].kind)
    policy = retries if isinstance(retries, Retries) else Retries(retries)

    def body() -> Any:
        meter = _Meter(total, progress)
        return _Streamed(parts[0], meter) if raw else _form(parts, fields or {}, meter)

    # A large file may take its time: no total, and the answer comes only when all is sent.
    config = config or Config()
    async with Transport(config, patience=config.fetch.total_timeout) as caller:

        async def one() -> Response:
            return await caller.fetch(method, url, headers=sent, body=body, unhurried=True)

        answer = await with_retries(one, policy)
    return Uploaded(answer.status, answer.headers, answer.body, total)


class _Meter:
    """Counts what has gone out over all files of one try."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._sent, self._total, self._progress = 0, total, progress

    def add(self, number: int) -> None:
        self._sent += number
        if self._progress is not None:
            self._progress(self._sent, self._total)


class _Streamed(payload.Payload):
    """A file as an aiohttp payload of known length, read a block at a time off the loop."""

    _value: File

    def __init__(self, file: File, meter: _Meter) -> None:
        super().__init__(file, content_type=file.kind, filename=file.shown_name)
        self._length = Path(file.path).stat().st_size
        self._size = self._length  # what aiohttp puts into Content-Length
        self._meter = meter

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Refuse to be read into memory."""
        raise TypeError(f"{self._value.path} is streamed, not read as text")

    async def write(self, writer: Any) -> None:
        """Send the whole file."""
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: Any, content_length: int | None) -> None:
        """Send the file, at most `content_length` bytes; one that grows is cut where it ended."""
        left = self._length if content_length is None else min(self._length, content_length)
        with Path(self._value.path).open("rb") as file:  # noqa: ASYNC230 - a cancelled thread leaks it
            while left and (block := await asyncio.to_thread(file.read, min(_BLOCK, left))):
                left -= len(block)
                await writer.write(block)
                self._meter.add(len(block))


def _form(parts: list[File], fields: Mapping[str, str], meter: _Meter) -> FormData:
    form = FormData()
    for name, value in fields.items():
        form.add_field(name, value)
    for part in parts:
        form.add_field(
            part.field,
            _Streamed(part, meter),
            filename=part.shown_name,
            content_type=part.kind,
        )
    return form


def _listed(files: File | str | Path | Iterable[File | str | Path]) -> Iterable[File | str | Path]:
    return [files] if isinstance(files, (File, str, Path)) else files


def _size_of(part: File) -> int:
    try:
        with Path(part.path).open("rb") as file:
            return file.seek(0, 2)
    except OSError as error:
        raise UsageError(f"{part.path}: {error.strerror}; nothing was sent") from None
