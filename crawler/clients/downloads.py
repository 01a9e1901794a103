"""download: one file to disk, streamed, resumed, checked, and never half there under its name."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from ssl import SSLContext

import xxhash
from aiohttp import ClientResponse

from crawler.clients.download_attempt import AttemptResult, Progress, pull
from crawler.clients.partial_file import PartialFile
from crawler.clients.retrying import Retries
from crawler.clients.transport import Transport
from crawler.config.layers import Config
from crawler.errors import BadFile, FetchError, StoreError, UsageError
from crawler.http.content_disposition import name_for
from crawler.web.outcome import Outcome, outcome_of
from crawler.web.response import Response

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A file that is whole. `resumed` is the byte at which the last try took it up, 0 for none."""

    path: Path
    url: str
    size: int
    sha256: str
    content_type: str
    resumed: int


async def download(
    url: str,
    path: str | Path,
    *,
    digest: str | None = None,
    progress: Progress | None = None,
    retries: int | Retries = 5,
    headers: Mapping[str, str] | None = None,
    ssl: SSLContext | None = None,
    config: Config | None = None,
) -> Downloaded:
    """Download a file; `path` is its name, or a directory that takes the name the server gives.

    A file is never overwritten under a name that the server chose. What a broken or killed
    download has fetched stays in a `.part` beside it, and the next one asks for the rest alone,
    of the same version. `digest` is `algorithm:hex` (any of hashlib's). FetchError after the last
    try; BadFile for another digest or length; StoreClaimed where another download is writing that
    file; StoreFull where the disk is full, StoreRefused where it is closed.
    """
    expected = Digest.parse(digest) if digest else None
    policy = retries if isinstance(retries, Retries) else Retries(retries)
    target = Path(path)
    into = str(path).endswith(("/", "\\")) or await asyncio.to_thread(target.is_dir)
    mark = f".{xxhash.xxh3_64_hexdigest(url.encode())}.part" if into else f"{target.name}.part"
    with PartialFile((target if into else target.parent) / mark, url) as part:
        pulled = None
        try:
            async with Transport(config, ssl=ssl) as caller:
                pulled = await _persist(caller, part, policy, headers or {}, progress)
        finally:
            if pulled is None and not part.size:
                part.forget()  # nothing that a later download could take up
        if expected is not None:
            await part.recall()
            if not await asyncio.to_thread(expected.fits, part.path):
                part.forget()
                raise BadFile(f"{url}: the {expected.algorithm} digest is not the expected one")
        if into:
            said = pulled.headers
            kind = said.get("Content-Type", "")
            target /= name_for(pulled.url, said.get("Content-Disposition"), content_type=kind)
        return await asyncio.to_thread(_finish, part, target, pulled, into)


def _finish(
    part: PartialFile, target: Path, pulled: AttemptResult, is_free_name: bool
) -> Downloaded:
    """Rename the part to its final name, its note removed first: no other may find that alone."""
    part.forget_note()
    try:
        if is_free_name:
            target = part.finish_free(target)
        else:
            part.finish(target)
    except StoreError:
        part.mark()  # the bytes are whole: the next download needs no more than a name
        raise
    kind = pulled.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    sha256 = part.digest.hexdigest()
    return Downloaded(target, pulled.url, part.size, sha256, kind, pulled.resumed)


async def _persist(
    caller: Transport,
    part: PartialFile,
    retries: Retries,
    headers: Mapping[str, str],
    progress: Progress | None,
) -> AttemptResult:
    """Pull until the file is whole; a try that got further does not count as failed."""
    attempts, reached = 0, 0
    largest = caller.config.fetch.max_file
    while True:
        pulled, error = None, None
        try:
            pulled = await pull(
                partial(_open, caller, part.url, headers),
                part,
                largest=largest,
                progress=progress,
            )
            outcome = outcome_of(pulled.status)
        except FetchError as problem:
            error, outcome = problem, Outcome(problem.outcome)
        if pulled is not None and pulled.whole:
            return pulled
        attempts, reached = (0 if part.size > reached else attempts), max(reached, part.size)
        answer = _bare(pulled) if pulled else None
        seconds = retries.wait(outcome, attempts, answer)
        if seconds is None:
            raise error or FetchError(f"the answer is {pulled.status if pulled else ''}", outcome)
        await retries.sleep(seconds)
        attempts += 1


def _open(
    caller: Transport, url: str, headers: Mapping[str, str], more: Mapping[str, str]
) -> AbstractAsyncContextManager[ClientResponse]:
    return caller.open("GET", url, headers={**headers, **more}, unhurried=True)


def _bare(pulled: AttemptResult) -> Response:
    return Response(pulled.url, pulled.status, pulled.headers, b"", 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Digest:
    """What a file's digest must be."""

    algorithm: str
    value: str

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Read `algorithm:hex`, like sha256:9f86…; UsageError if it is no digest."""
        algorithm, colon, value = text.strip().lower().partition(":")
        known = algorithm in hashlib.algorithms_guaranteed and not algorithm.startswith("shake")
        size = hashlib.new(algorithm, usedforsecurity=False).digest_size if known else 0
        try:
            fits = len(bytes.fromhex(value)) == size
        except ValueError:
            fits = False
        if not (colon and known and fits):
            raise UsageError(f"{text!r} is no digest; write it like sha256:9f86d0…, in full")
        return cls(algorithm, value)

    def fits(self, path: Path) -> bool:
        """Return whether the file has this digest."""
        found = hashlib.new(self.algorithm, usedforsecurity=False)
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                found.update(block)
        return hmac.compare_digest(found.hexdigest(), self.value)
