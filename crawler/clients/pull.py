"""One try of one download: from an open answer into a part, resumed where the server allows it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from aiohttp import ClientResponse

from crawler.clients.part import Part
from crawler.coding import Decoder
from crawler.errors import BodyTooLarge, FetchError
from crawler.page import Outcome

Progress = Callable[[int, int | None], object]
"""Called with the bytes that are there and the bytes in all, None where nobody said."""

Opener = Callable[[Mapping[str, str]], AbstractAsyncContextManager[ClientResponse]]
"""Sends the request with some more headers and gives the answer."""

_RANGE = re.compile(r"bytes (?:(\d{1,18})-(\d{1,18})|\*)/(\d{1,18}|\*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Pulled:
    """What one try gave: the answer's status, headers and URL, and whether the file is whole."""

    status: int
    headers: Mapping[str, str]
    url: str
    whole: bool
    resumed: int = 0


async def pull(
    opener: Opener, part: Part, *, largest: int, progress: Progress | None = None
) -> Pulled:
    """Send the request and take the body into `part`.

    A status other than 200, 206 and 416 is given back with `whole` False and nothing written.
    FetchError where the answer ends early or is over `largest` bytes; what came before is kept.
    """
    await part.recall()
    asked = part.conditions()
    async with opener({"Accept-Encoding": "identity", **asked}) as answer:
        status, url = answer.status, str(answer.url)
        if status not in (200, 206, 416):
            return Pulled(status, answer.headers, url, False)
        if status == 416:
            return _beyond(answer, part)
        total, start = _place(answer, part)
        if total is not None and total > largest:
            raise BodyTooLarge(f"{total:,} bytes are over the cap of {largest:,} for a file")
        async for data in _decoded(answer, largest):
            part.write(data)
            if part.size > largest:
                raise BodyTooLarge(f"over the cap of {largest:,} bytes for a file")
            if progress is not None:
                progress(part.size, total)
        if total is not None and part.size != total:
            raise FetchError(f"{part.size:,} of {total:,} bytes came", Outcome.PROTOCOL_ERROR)
        return Pulled(status, answer.headers, url, True, start)


def _place(answer: ClientResponse, part: Part) -> tuple[int | None, int]:
    """Give the length of the whole file and where this answer starts; the part is made to fit."""
    coded = "Content-Encoding" in answer.headers
    if answer.status == 206:
        found = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        if found is None or found[1] is None or int(found[1]) != part.size or coded:
            part.restart({})
            raise FetchError("the range that came is not the one asked for", Outcome.PROTOCOL_ERROR)
        return (None if found[3] == "*" else int(found[3])), part.size
    part.restart({} if coded else answer.headers)  # coded bytes cannot be taken up again
    return (None if coded else answer.content_length), 0


def _beyond(answer: ClientResponse, part: Part) -> Pulled:
    """Judge a 416: the part was whole already, or it is of another file."""
    found = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    if part.size and found is not None and found[3] == str(part.size):
        return Pulled(200, answer.headers, str(answer.url), True, part.size)
    part.restart({})
    raise FetchError("the file is shorter than what came before", Outcome.PROTOCOL_ERROR)


async def _decoded(answer: ClientResponse, largest: int) -> AsyncIterator[bytes]:
    """Yield the body; a coding that was applied although none was asked for is undone."""
    coding = answer.headers.get("Content-Encoding")
    decoder = Decoder(coding, largest) if coding else None
    while data := await answer.content.readany():
        yield decoder.feed(data) if decoder else data
    if decoder is not None:
        decoder.finish()  # BadCoding where the file ends before its coding does
