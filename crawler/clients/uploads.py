"""upload: files, bytes and iterators sent as they are read, as a form or one raw body."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from ssl import SSLContext
from typing import Any

from crawler.clients.retrying import Retries, with_retries
from crawler.clients.transport import Transport
from crawler.clients.upload_source import (
    Content,
    File,
    Progress,
    Source,
    Streamed,
    UploadMeter,
    form,
    listed,
)
from crawler.config.layers import Config
from crawler.errors import UsageError
from crawler.parse import json_text
from crawler.web.response import Response

__all__ = ["File", "Uploaded", "upload"]


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What the server said to an upload of `size` bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    size: int
    reason: str = ""
    response: Response | None = None

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        """The answer as text."""
        return self.response.text if self.response else self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """Return the answer parsed as JSON; ValueError where it is none."""
        known = self.response.declared_type if self.response else None
        return json_text.read(self.body, known)


async def upload(
    url: str,
    files: File | Content | Iterable[File | Content],
    *,
    fields: Mapping[str, str] | None = None,
    raw: bool = False,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    retries: int | Retries = 2,
    ssl: SSLContext | None = None,
    config: Config | None = None,
) -> Uploaded:
    """Send one or several files as multipart/form-data (RFC 7578), with `fields` beside them.

    A file is a path, bytes, a file opened with "rb" or an async iterator of bytes; a `File` says
    its field, name and type as well. `raw` sends a single one as the body itself. Memory stays
    flat: a block at a time is read. A try again starts from the beginning, and there is none of
    what can be read once only. An answer of any status is given back; FetchError where there is
    none, UsageError for a file that cannot be read.
    """
    parts = listed(files)
    if not parts or (raw and len(parts) != 1):
        raise UsageError("give one file or several; a raw upload takes exactly one")
    sources = [await asyncio.to_thread(Source, part) for part in parts]
    sizes = [source.size for source in sources]
    total = None if None in sizes else sum(size or 0 for size in sizes)
    sent = dict(headers or {})
    if raw and "content-type" not in {name.lower() for name in sent}:
        sent["Content-Type"] = parts[0].kind
    policy = retries if isinstance(retries, Retries) else Retries(retries)
    if not all(part.is_lasting for part in parts):
        policy = replace(policy, tries=0)
    gone = 0

    def note(done: int, of: int | None) -> None:
        nonlocal gone
        gone = done
        if progress is not None:
            progress(done, of)

    def body() -> Any:
        meter = UploadMeter(total, note)
        return Streamed(sources[0], meter) if raw else form(sources, (fields or {}).items(), meter)

    # A large file may take its time: no total, and the answer comes only when all is sent.
    config = config or Config()
    async with Transport(config, patience=config.fetch.total_timeout, ssl=ssl) as caller:

        async def one() -> Response:
            return await caller.fetch(method, url, headers=sent, body=body, unhurried=True)

        answer = await with_retries(one, policy)
    size = gone if total is None else total
    return Uploaded(answer.status, answer.headers, answer.body, size, answer.reason, answer)
