"""FileStore: downloads of a crawl, into files under their content address, exactly once.

    tmp/<request>.part → <2>/<sha256> → the row of `files`, in the commit that ends the request

A part outlives the process and is taken up again. Before a whole file moves to its address, the
part's note says so: a crawl killed between the move and the commit finds the file and its note,
and commits the row without asking the site again.
"""

from __future__ import annotations

import hmac
import shutil
import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse

from crawler.clients.download_attempt import AttemptResult, pull
from crawler.clients.partial_file import PartialFile, note_of, on_disk, remove
from crawler.errors import BadFile
from crawler.http.content_disposition import name_for
from crawler.http.fetcher import Fetcher
from crawler.spider.collector import Collector
from crawler.web.download_stream import StoredFile, address_of, is_download
from crawler.web.outcome import Outcome, outcome_of
from crawler.web.request import Request, Todo
from crawler.web.response import Response
from crawler.web.visit import Visit


class FileStore:
    """Downloads into one directory; nothing else may write there."""

    def __init__(
        self, directory: Path, fetcher: Fetcher, collector: Collector, *, largest: int
    ) -> None:
        self._directory, self._temporary = directory, directory / "tmp"
        self._fetcher, self._collector, self._largest = fetcher, collector, largest

    async def visit(self, todo: Todo, request: Request) -> Visit:
        """Download one file, and hand it to its callback; the errors are those of `fetch`."""
        visit = await self.fetch(todo, request)
        if visit.file is not None and request.callback_name is not None:
            told = replace(visit.file, visit=visit)  # which its records are refused to
            await self._collector.deliver(visit, request.callback_name, told)
        return visit

    async def fetch(self, todo: Todo, request: Request) -> Visit:
        """Download one file; FetchError where the try failed, StoreError where the disk did."""
        started, clock = time.time(), time.perf_counter()
        part = PartialFile(self._path_of(todo), request.url)
        pulled = self._found(part) or await self._pull(part, request)
        elapsed = time.perf_counter() - clock
        response = Response(
            request.url, pulled.status, pulled.headers, b"", started, elapsed, part.size
        )
        outcome = Outcome.OK if pulled.whole else outcome_of(pulled.status)
        visit = Visit(todo, outcome, started, pulled.status, response)
        if pulled.whole:
            visit.file = self._file(part.note, request)
        return visit

    def path_of(self, sha256: str) -> Path:
        """Return where the file of a content lies, if it is there."""
        return self._directory / address_of(sha256)

    def _path_of(self, todo: Todo) -> Path:
        return self._temporary / f"{todo.host_id}-{todo.url_hash & (1 << 64) - 1:016x}.part"

    def _found(self, part: PartialFile) -> AttemptResult | None:
        """Return the answer of a download that was whole when the crawl was killed."""
        note = note_of(part.path)
        if note.get("url") != part.url or "sha256" not in note:
            return None
        place = self._directory / address_of(note["sha256"])
        for path in (place, part.path):  # killed after the move, or just before it
            if path.is_file() and path.stat().st_size == note["size"]:
                with on_disk(place):
                    place.parent.mkdir(parents=True, exist_ok=True)
                    path.replace(place)
                part.note, part.size = note, note["size"]
                return AttemptResult(200, note["headers"], part.url, True)
        return None

    async def _pull(self, part: PartialFile, request: Request) -> AttemptResult:
        with part:
            pulled = await pull(partial(self._open, request), part, largest=self._largest)
            if not pulled.whole:
                return pulled
            sha256 = part.digest.hexdigest()
            wanted = (request.options or {}).get("sha256")
            if wanted and not hmac.compare_digest(wanted, sha256):
                part.forget()
                raise BadFile(f"the sha256 is {sha256}, not {wanted}")
            part.mark(sha256=sha256, size=part.size)
            part.finish(self._directory / address_of(sha256))
        return AttemptResult(200, pulled.headers, pulled.url, True, pulled.resumed)

    def _open(
        self, request: Request, more: Mapping[str, str]
    ) -> AbstractAsyncContextManager[ClientResponse]:
        asking = request.replace(headers={**(request.headers or {}), **more})
        return self._fetcher.open(asking, unhurried=True)

    def _file(self, note: Mapping[str, Any], request: Request) -> StoredFile:
        headers = note["headers"]
        kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
        disposition = headers.get("Content-Disposition")
        return StoredFile(
            url=request.url,
            path=self._directory / address_of(note["sha256"]),
            sha256=note["sha256"],
            size=note["size"],
            name=name_for(request.url, disposition, content_type=kind),
            content_type=kind,
            request=request,
        )

    def after_commit(self, visits: list[Visit]) -> None:
        """Forget the parts of downloads that are committed, or given up for good."""
        for visit in visits:
            if visit.retry_at is None and is_download(visit):
                remove(self._path_of(visit.todo))

    def clear(self) -> None:
        """Forget every part: they are of no crawl that could go on."""
        shutil.rmtree(self._temporary, ignore_errors=True)
