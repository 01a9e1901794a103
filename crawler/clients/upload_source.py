"""What is sent: files, bytes, open files and iterators, a block at a time, with progress."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, BinaryIO, TypeGuard

from aiohttp import payload

from crawler.errors import FetchError, UsageError
from crawler.http import multipart
from crawler.http.multipart import BINARY, Part
from crawler.web.outcome import Outcome

Progress = Callable[[int, int | None], object]
"""Called with the bytes of the files that are sent, and that there are in all, None where an
iterator does not say."""

Content = str | PurePath | bytes | bytearray | memoryview | BinaryIO | AsyncIterable[bytes]
"""A path, or what is to be sent itself."""

_BLOCK = 256 * 1024
_BYTES = (bytes, bytearray, memoryview)


@dataclass(frozen=True, slots=True)
class File:
    """A file to send: its path (or its bytes, an open file, an async iterator), and what the form
    says of it.
    """

    path: Content
    field: str = "file"
    name: str | None = None
    content_type: str | None = None

    @property
    def shown_name(self) -> str:
        """The name that the server is told."""
        named = self.path if is_path(self.path) else getattr(self.path, "name", None)
        return self.name or (Path(named).name if isinstance(named, (str, PurePath)) else "file")

    @property
    def kind(self) -> str:
        """The media type, guessed from the name unless given."""
        return self.content_type or mimetypes.guess_type(self.shown_name)[0] or BINARY

    @property
    def is_lasting(self) -> bool:
        """Whether it can be sent again: an iterator that is used up cannot, nor can a pipe."""
        content = self.path
        if isinstance(content, AsyncIterable):
            return not isinstance(content, AsyncIterator)
        if isinstance(content, (str, PurePath, *_BYTES)):
            return True
        return bool(content.seekable())


def is_path(content: object) -> TypeGuard[str | PurePath]:
    """Return whether a content is the path of a file."""
    return isinstance(content, (str, PurePath))


def listed(files: File | Content | Iterable[File | Content]) -> list[File]:
    """Return what is to be sent as a list: one, or several."""
    single = (File, str, PurePath, *_BYTES, AsyncIterable)
    several: Any = [files] if isinstance(files, single) or hasattr(files, "read") else files
    return [one if isinstance(one, File) else File(one) for one in several]


class Source:
    """One file, ready to be sent: its size, and the place where an open file began."""

    def __init__(self, file: File) -> None:
        """Measure it; UsageError for a file that cannot be read, or content that is none."""
        self.file, self.size = file, None
        self._start, self._is_used = 0, False
        content: Any = file.path
        if isinstance(content, str | PurePath):
            self.size = _size_of(content)
        elif isinstance(content, _BYTES):
            self.size = memoryview(content).nbytes
        elif isinstance(content, AsyncIterable):
            pass
        elif hasattr(content, "read"):
            self._measure(content)
        else:
            raise UsageError(
                f"a {type(content).__name__} cannot be sent; give a path, bytes, a file opened with"
                ' "rb", or an async iterator of bytes'
            )

    def _measure(self, file: BinaryIO) -> None:
        if isinstance(file.read(0), str):
            raise UsageError(f'{self.file.shown_name} is open as text; open it with "rb"')
        if file.seekable():
            self._start = file.tell()
            self.size = file.seek(0, 2) - self._start
            file.seek(self._start)

    async def blocks(self) -> AsyncIterator[bytes]:
        """Yield the content from its beginning.

        FetchError where it is used up already, cannot be read, or what an iterator gives is no
        bytes. What else an iterator raises goes through aiohttp to `to_fetch_error`.
        """
        if self._is_used and not self.file.is_lasting:
            raise FetchError(
                "what was to be sent is used up, and cannot be sent again; give bytes, or a path",
                Outcome.CONNECT_ERROR,
                final=True,
            )
        self._is_used = True
        try:
            async for block in self._read():
                if not isinstance(block, _BYTES):
                    raise self._unsent(f"bytes are sent, and it gave a {type(block).__name__}")
                yield block
        except OSError as error:
            raise self._unsent(f"{type(error).__name__}: {error}") from error

    def _unsent(self, why: str) -> FetchError:
        text = f"{self.file.shown_name}, to be sent: {why}"
        return FetchError(text, Outcome.CONNECT_ERROR, final=True)

    async def _read(self) -> AsyncIterator[bytes]:
        content: Any = self.file.path
        if isinstance(content, _BYTES):
            view = memoryview(content).cast("B")
            for start in range(0, len(view), _BLOCK):
                yield bytes(view[start : start + _BLOCK])
        elif isinstance(content, AsyncIterable):
            async for block in content:
                yield block
        elif isinstance(content, str | PurePath):
            with Path(content).open("rb") as file:  # noqa: ASYNC230 - a cancelled thread leaks it
                while block := await asyncio.to_thread(file.read, _BLOCK):
                    yield block
        else:
            if content.seekable():
                content.seek(self._start)
            while block := await asyncio.to_thread(content.read, _BLOCK):
                yield block


class UploadMeter:
    """Counts what has gone out over all files of one try."""

    def __init__(self, total: int | None, progress: Progress | None) -> None:
        self._sent, self._total, self._progress = 0, total, progress

    def add(self, number: int) -> None:
        """Note that so many bytes more have gone out."""
        self._sent += number
        if self._progress is not None:
            self._progress(self._sent, self._total)


class Streamed(payload.Payload):
    """A source as an aiohttp payload, read a block at a time off the loop."""

    _value: Source

    def __init__(self, source: Source, meter: UploadMeter | None = None) -> None:
        super().__init__(source, content_type=source.file.kind, filename=source.file.shown_name)
        self._size = source.size  # what aiohttp puts into Content-Length
        self._meter = meter or UploadMeter(source.size, None)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Refuse to be read into memory."""
        raise TypeError(f"{self._value.file.shown_name} is streamed, not read as text")

    async def write(self, writer: Any) -> None:
        """Send the whole file."""
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: Any, content_length: int | None) -> None:
        """Send the file, at most `content_length` bytes; one that grows is cut where it ended."""
        lengths = [size for size in (content_length, self._size) if size is not None]
        left = min(lengths, default=None)
        async for block in self._value.blocks():
            if left is not None:
                block = block[:left]
                left -= len(block)
            if block:
                await writer.write(block)
                self._meter.add(len(block))
            if left == 0:
                return


def form(
    sources: list[Source], fields: Iterable[tuple[str, str]], meter: UploadMeter | None = None
) -> Any:
    """Return the body of a form: the fields, then the files."""
    parts = [Part(name, value) for name, value in fields]
    for source in sources:
        file = source.file
        parts.append(Part(file.field, Streamed(source, meter), file.shown_name, file.kind))
    return multipart.body_of(parts)


def _size_of(path: str | PurePath) -> int:
    try:
        with Path(path).open("rb") as file:
            return file.seek(0, 2)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; nothing was sent") from None
