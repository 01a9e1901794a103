"""One try of one download: from an open answer into a part, resumed where the server allows it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from aiohttp import ClientResponse

from crawler.clients.partial_file import PartialFile
from crawler.errors import BodyTooLarge, FetchError
from crawler.http.content_disposition import name_for
from crawler.http.content_encoding import (
    Decoder,
    of_content,
    of_transfer,
    transfer_codings,
)
from crawler.http.exchange import TlsBodyEnd, length_of
from crawler.web.outcome import Outcome

Progress = Callable[[int, int | None], object]
"""Called with the bytes that are there and the bytes in all, None where nobody said."""

Opener = Callable[[Mapping[str, str]], AbstractAsyncContextManager[ClientResponse]]
"""Sends the request with some more headers and gives the answer."""

_RANGE = re.compile(r"bytes (?:(\d{1,18})-(\d{1,18})|\*)/(\d{1,18}|\*)", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """What one try gave: the answer's status, headers and URL, and whether the file is whole.

    The headers of a file that is whole are those of the answer that began it.
    """

    status: int
    headers: Mapping[str, str]
    url: str
    whole: bool
    resumed: int = 0


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an answer belongs in the file: from `start` up to `end`, of `total` bytes."""

    start: int
    end: int | None
    total: int | None


async def pull(
    opener: Opener, part: PartialFile, *, largest: int, progress: Progress | None = None
) -> AttemptResult:
    """Send the request and take the body into `part`, open and locked.

    A status other than 200, 203, 206 and 416 is given back with `whole` False and nothing written.
    FetchError where the answer ends early, is over `largest` bytes, or is no continuation of the
    very version that the part began; what came before is kept where it still is of use.
    """
    await part.recall()
    asked = part.conditions()
    async with opener({"Accept-Encoding": "identity", **asked}) as answer:
        status, url = answer.status, str(answer.url)
        if status not in (200, 203, 206, 416):
            return AttemptResult(status, answer.headers, url, False)
        if status == 416:
            return _beyond(answer, part)
        place = _resumed(answer, part) if status == 206 else _begun(answer, part)
        if place.total is not None and place.total > largest:
            raise BodyTooLarge(f"{place.total:,} bytes are over the cap of {largest:,} for a file")
        async for data in decoded(answer, largest):
            part.write(data)
            if part.size > largest:
                raise BodyTooLarge(f"over the cap of {largest:,} bytes for a file")
            if progress is not None:
                progress(part.size, place.total)
        _check_end(part, place)
        return AttemptResult(status, part.note["headers"], url, True, place.start)


def _begun(answer: ClientResponse, part: PartialFile) -> _Place:
    """Return the place of an answer that has the whole file; what the part had is forgotten."""
    coded = bool(_to_undo(answer))
    length = None if coded else length_of(answer)
    # Coded bytes cannot be taken up again: nothing of their headers may serve as a validator. Nor
    # may what a proxy has changed (203, RFC 9110 15.3.4): its validators are of the original.
    coded = coded or answer.status == 203
    names = ("Content-Type", "Content-Disposition")
    headers = {name: answer.headers[name] for name in names if name in answer.headers}
    part.restart(headers if coded else answer.headers, total=length, source=_source(answer))
    return _Place(0, length, length)


def _resumed(answer: ClientResponse, part: PartialFile) -> _Place:
    """Return the place of a 206; FetchError, and an empty part, where it does not belong there.

    Parts may be put together only where they share a strong validator (RFC 9110 15.3.7.3). One
    that does not show its own is no proof of that, nor is one of another length or another URL.
    """
    found = _RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
    if found is None or found[1] is None:
        raise _mismatch(part, "has no Content-Range of its own")  # multipart/byteranges, too
    start, end, total = int(found[1]), int(found[2]) + 1, found[3]
    if answer.content_type == "multipart/byteranges" or _to_undo(answer):
        raise _mismatch(part, "is not a piece of the file as it is")
    if start != part.size or start >= end or (total != "*" and end > int(total)):
        raise _mismatch(part, f"is {answer.headers['Content-Range']!r:.60}")
    if length_of(answer) not in (None, end - start):
        raise _mismatch(part, "has another length than it says")
    if not part.size:  # nobody asked for a piece: one that is the whole is as good as a 200
        if total == "*" or end != int(total):
            raise _mismatch(part, "was not asked for")
        part.restart(answer.headers, total=end, source=_source(answer))
        return _Place(0, end, end)
    whole = part.note.get("total") if total == "*" else int(total)
    if whole is None or part.note.get("total") not in (None, whole):
        raise _mismatch(part, "is of a file of another length")
    if not _same_version(answer, part):
        raise _mismatch(part, "is of another version of the file")
    return _Place(start, end, whole)


def _same_version(answer: ClientResponse, part: PartialFile) -> bool:
    """Return whether a piece has the validator of the part, and comes from the same place."""
    known = part.note.get("headers", {})
    named = "ETag" if "ETag" in known else "Last-Modified"
    shown = answer.headers.get(named) == part.validator is not None
    if named == "Last-Modified" and "ETag" in answer.headers:
        return False  # the file had none when it was begun
    modified = answer.headers.get("Last-Modified")
    moved = modified is not None and modified != known.get("Last-Modified", modified)
    return shown and not moved and _source(answer) == part.note.get("source")


def _source(answer: ClientResponse) -> str:
    """Return the URL that answered without its query: signatures in it are new each time."""
    return str(answer.url.with_query(None).with_fragment(None))


def _mismatch(part: PartialFile, why: str) -> FetchError:
    part.restart({})
    return FetchError(f"the range that came {why}; starting over", Outcome.PROTOCOL_ERROR)


def _check_end(part: PartialFile, place: _Place) -> None:
    """Raise where an answer did not fill its place, or the file is not at its end."""
    if place.end is not None and part.size > place.end:
        size = part.size
        part.restart({})
        raise FetchError(f"{size:,} of {place.end:,} bytes came", Outcome.PROTOCOL_ERROR)
    if place.total is not None and part.size != place.total:
        raise FetchError(f"{part.size:,} of {place.total:,} bytes came", Outcome.PROTOCOL_ERROR)


def _beyond(answer: ClientResponse, part: PartialFile) -> AttemptResult:
    """Judge a 416: the part was whole already, or it is of another file."""
    found = _RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
    is_length = found is not None and found[1] is None and found[3] == str(part.size)
    tag = answer.headers.get("ETag")
    # Without a tag of its own it proves nothing: then the answer that began the part must.
    is_known = part.note.get("total") == part.size if tag is None else tag == part.validator
    total = part.note.get("total")
    if part.size and is_length and is_known and total in (None, part.size):
        return AttemptResult(200, part.note["headers"], str(answer.url), True, part.size)
    part.restart({})
    raise FetchError("there is nothing after what came before", Outcome.PROTOCOL_ERROR)


def _to_undo(answer: ClientResponse) -> list[str]:
    """Return the codings that are no part of the file: a .tar.gz stays what it is."""
    codings = of_content(answer.headers)
    if codings:
        name = name_for(str(answer.url), answer.headers.get("Content-Disposition"))
        codings = transfer_codings(codings, answer.content_type, name)
    return [*codings, *of_transfer(answer.headers)]


async def decoded(answer: ClientResponse, largest: int) -> AsyncIterator[bytes]:
    """Yield the body; a coding that was applied although none was asked for is undone."""
    codings = _to_undo(answer)
    decoder = Decoder(", ".join(codings), largest) if codings else None
    ending = TlsBodyEnd(answer)
    while data := await answer.content.readany():
        yield decoder.feed(data) if decoder else data
    if decoder is not None:
        decoder.finish()  # BadCoding where the file ends before its coding does
    ending.check()
