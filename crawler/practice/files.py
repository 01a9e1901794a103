"""Files: one of any size that can be resumed, one with a name of its own, and the upload."""

import hashlib
import random
from collections.abc import Iterator
from typing import Any

from aiohttp import BodyPartReader, StreamReader, hdrs, web
from aiohttp.helpers import ETag

from crawler.practice.api import whole
from crawler.practice.layout import CHANGED, content, page

LARGEST = 8 * 1024**3
DEFAULT_SIZE = 1_000_000
_PIECE = 65_536
# A prime length: no chunk size divides it, so that bytes put at a wrong offset always show.
_PATTERN = random.Random("harbour").randbytes(65_521)


def routes() -> list[web.RouteDef]:
    return [
        web.get("/files/", listing),
        web.get("/files/large.bin", large),
        web.get("/files/tides.csv", tides),
        web.post("/upload", upload),
        web.put("/upload", upload),
    ]


def large_bytes(start: int, stop: int) -> bytes:
    """The bytes from `start` to before `stop` of /files/large.bin, whatever its size."""
    first = start % len(_PATTERN)
    turns = -(-(first + stop - start) // len(_PATTERN))
    return (_PATTERN * turns)[first : first + stop - start]


async def listing(request: web.Request) -> web.Response:
    return page(
        "Files",
        f"""<ul>
<li><a href="/files/tides.csv">tides.csv</a>, a table with a file name in its headers</li>
<li><a href="/files/large.bin">large.bin</a>, {DEFAULT_SIZE} bytes, or <code>?size=</code> of
them, with Range, ETag and If-Range; <code>?cut=</code> ends the connection early</li>
</ul>
<h2>Upload</h2>
<form method="post" action="/upload" enctype="multipart/form-data">
<label>A file <input type="file" name="file" multiple></label><button>Send</button>
</form>""",
    )


async def tides(request: web.Request) -> web.Response:
    rows = "\n".join(f"{hour:02}:00,{(hour * 37) % 61 / 10}" for hour in range(24))
    name = "attachment; filename=\"tides.csv\"; filename*=UTF-8''tides%20%E2%89%88.csv"
    headers = {"Content-Disposition": name}
    return content(f"hour,metres\n{rows}\n".encode(), "text/csv; charset=utf-8", headers=headers)


async def large(request: web.Request) -> web.StreamResponse:
    """`size` bytes, streamed; one byte range (RFC 9110, 14), under If-Range if it is sent.

    With `cut=N` the connection ends after N bytes of an answer to a request without Range.
    """
    size = whole(request, "size", DEFAULT_SIZE, 0, LARGEST)
    tag = ETag(f"large-{size}")
    wanted = _wanted(request, size, tag)
    start, stop = wanted or (0, size)
    response = web.StreamResponse(status=206 if wanted else 200)
    response.content_type = "application/octet-stream"
    response.content_length = stop - start
    response.etag, response.last_modified = tag, CHANGED
    response.headers["Accept-Ranges"] = "bytes"
    if wanted:
        response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    if wanted is None and _fresh(request, tag):
        return web.Response(status=304, headers={hdrs.ETAG: response.headers[hdrs.ETAG]})
    await response.prepare(request)
    cut = whole(request, "cut", size, 0, LARGEST)
    await _send(request, response, start, stop, cut if wanted is None else size)
    return response


async def upload(request: web.Request) -> web.Response:
    """Size and SHA-256 of everything that was sent, as parts of a form or as one raw body."""
    if not request.content_type.startswith("multipart/"):
        size, digest = await _digest(request.content)
        kind = request.content_type
        return web.json_response({"content_type": kind, "size": size, "sha256": digest})
    parts: list[dict[str, Any]] = []
    try:
        reader = await request.multipart()
        while (part := await reader.next()) is not None:
            if not isinstance(part, BodyPartReader):
                raise web.HTTPBadRequest(text="a form within a form is not understood")
            parts.append(await _part(part))
    except ValueError as error:
        raise web.HTTPBadRequest(text=f"no readable form: {error}") from None
    return web.json_response({"parts": parts})


async def _send(
    request: web.Request, response: web.StreamResponse, start: int, stop: int, cut: int
) -> None:
    if request.method == "HEAD":
        return
    for piece in _pieces(start, min(stop, start + cut)):
        await response.write(piece)
    if start + cut < stop and request.transport:
        request.transport.close()


def _pieces(start: int, stop: int) -> Iterator[bytes]:
    for at in range(start, stop, _PIECE):
        yield large_bytes(at, min(at + _PIECE, stop))


def _wanted(request: web.Request, size: int, tag: ETag) -> tuple[int, int] | None:
    """The range to send, or None for the whole; HTTPRequestRangeNotSatisfiable past the end."""
    if hdrs.RANGE not in request.headers or not _same_file(request, tag):
        return None
    try:
        part = request.http_range
    except ValueError:  # several ranges, another unit: a server may ignore the header
        return None
    start = part.start or 0
    start = max(size + start, 0) if start < 0 else start
    stop = size if part.stop is None else min(part.stop, size)
    if start >= stop:
        raise web.HTTPRequestRangeNotSatisfiable(headers={"Content-Range": f"bytes */{size}"})
    return start, stop


def _same_file(request: web.Request, tag: ETag) -> bool:
    """Whether If-Range, where it is sent, names this very file (RFC 9110, 13.1.5)."""
    condition = request.headers.get(hdrs.IF_RANGE)
    if condition is None:
        return True
    if condition.startswith(('"', "W/")):
        return condition == f'"{tag.value}"'
    return request.if_range == CHANGED


def _fresh(request: web.Request, tag: ETag) -> bool:
    return any(known.value in ("*", tag.value) for known in request.if_none_match or ())


async def _part(part: BodyPartReader) -> dict[str, Any]:
    digest, size = hashlib.sha256(), 0
    while piece := await part.read_chunk(_PIECE):
        digest.update(piece)
        size += len(piece)
    return {
        "name": part.name,
        "filename": part.filename,
        "content_type": part.headers.get(hdrs.CONTENT_TYPE),
        "size": size,
        "sha256": digest.hexdigest(),
    }


async def _digest(stream: StreamReader) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    async for piece in stream.iter_any():
        digest.update(piece)
        size += len(piece)
    return size, digest.hexdigest()
