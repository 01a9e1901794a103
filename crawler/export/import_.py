"""Bring in what was not crawled here: pages of a WARC file, or URLs as seeds.

Everything goes through the store's own interface, so any backend takes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from multidict import CIMultiDict

from crawler import urls
from crawler.errors import UsageError
from crawler.store import Arrival, Batch, Store
from crawler.urls.userinfo import userinfo, with_userinfo
from crawler.web import redirects
from crawler.web.outcome import Outcome, outcome_of
from crawler.web.page import ScrapedPage
from crawler.web.refusal import Refusal
from crawler.web.request import Candidate, Request, Todo, url_hash
from crawler.web.response import Response
from crawler.web.visit import Visit

_BATCH = 200
_BYTES = 32 << 20  # bytes of bodies that are a commit, however few pages they are

Answer = tuple[str, int, dict[str, str], bytes, float]
"""URL, status, headers, body, Unix time."""


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """How many were new, and how many URLs the store knew already."""

    new: int = 0
    known: int = 0


def urls_in(path: Path, refused: Counter[Refusal] | None = None) -> Iterator[str]:
    """Yield the canonical URLs of a sitemap, a feed, or a list with one URL a line.

    `refused` counts what cannot be taken as a sitemap has it. UsageError for a line of a list that
    is no URL.
    """
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b" or data.lstrip()[:1] == b"<":
        from crawler.sitemap import stream

        counted = Counter() if refused is None else refused

        def refuse(reason: str) -> None:
            counted[Refusal(reason)] += 1

        yield from (entry.url for entry in stream(data, "http://localhost/", refuse))
        return
    for number, line in enumerate(data.decode("utf-8-sig", "replace").splitlines(), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        url = urls.parse(text)
        if url is None:
            raise UsageError(f"{path}:{number}: {text!r:.100} is no http(s) URL")
        if userinfo(text) is not None:
            raise UsageError(
                f"{path}:{number}: {url:.100} was given with a user or password, which a crawl does"
                f' not keep; take them out, and name them in [auth."{urls.host_of(url)}/"]'
            )
        yield url


async def seeds(
    store: Store, found: Iterable[str], refused: Counter[Refusal] | None = None
) -> ImportCounts:
    """Queue URLs that were never seen, and return how many there were.

    What `refused` counts while they are read is committed with them.
    """
    source, brought, told = iter(found), ImportCounts(), Counter[Refusal]()
    refused = Counter() if refused is None else refused
    while True:
        batch = [_candidate(url) for url in islice(source, 1000)]
        if not batch and refused == told:
            return brought
        committed = await store.commit(Batch(seeds=batch, refusals=refused - told))
        told = refused.copy()
        brought = _more(brought, len(batch), committed.new)


async def pages(
    store: Store,
    responses: Iterable[Answer],
    tick: Callable[[int], None] = lambda number: None,
    refused: Counter[Refusal] | None = None,
) -> ImportCounts:
    """Store responses as pages with title and links, and return how many there were.

    A URL that the store has seen already is passed over, and of two responses of one URL the
    second. What comes before a damage is stored. A page is seen and stored in one commit, so that
    an import that was killed goes on where it was. What `refused` counts while the responses are
    read is committed, too.
    """
    brought, told = ImportCounts(), Counter[Refusal]()
    refused = Counter() if refused is None else refused
    for batch in _batches(responses):
        arrivals = [Arrival(_candidate(row[0]), partial(_visit, answer=row)) for row in batch]
        committed = await store.commit(Batch(arrivals=arrivals, refusals=refused - told))
        told = refused.copy()
        brought = _more(brought, len(batch), committed.new)
        tick(brought.new)
    return brought


def _more(brought: ImportCounts, number: int, new: int) -> ImportCounts:
    return ImportCounts(brought.new + new, brought.known + number - new)


def _batches(responses: Iterable[Answer]) -> Iterator[list[Answer]]:
    """Yield the responses in lists; the last one before an error is raised, too."""
    batch: list[Answer] = []
    size = 0
    try:
        for row in responses:
            batch.append(row)
            size += len(row[3])
            if len(batch) == _BATCH or size >= _BYTES:
                yield batch
                batch, size = [], 0
    except UsageError:
        yield batch
        raise
    yield batch


def _candidate(url: str) -> Candidate:
    return Candidate(urls.host_of(url), url_hash(url), url, 0, 0)


def _visit(todo: Todo, answer: Answer) -> Visit:
    url, status, headers, body, at = answer
    response = Response(url, status, CIMultiDict(headers), body, at, 0.0)
    visit = Visit(todo, outcome_of(status), at, status, response)
    if visit.outcome is Outcome.REDIRECT:
        visit.redirect_to = redirects.location_of(response.headers, url)
        if redirects.credentials_of(response.headers, url) is not None:
            visit.refuse(Refusal.URL_CREDENTIALS)
    elif visit.outcome is Outcome.OK and response.is_html:
        page = ScrapedPage(response, Request(url))
        visit.title, visit.links, visit.encoding = page.title, page.links, page.encoding
        visit.refuse(Refusal.URL_CREDENTIALS, with_userinfo(page.base_url, page.references))
        if response.is_xml:
            visit.note_cut(page.html)
    return visit
