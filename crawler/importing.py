"""Bring in what was not crawled here: pages of a WARC file, or URLs as seeds.

Everything goes through the store's own interface, so any backend takes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from multidict import CIMultiDict

from crawler import redirects, retry, urls
from crawler.errors import UsageError
from crawler.page import Outcome, Response, ScrapedPage, Visit
from crawler.request import Candidate, Request, url_hash
from crawler.store import Batch, Store

_BATCH = 200

Answer = tuple[str, int, dict[str, str], bytes, float]
"""URL, status, headers, body, Unix time."""


def urls_in(path: Path) -> Iterator[str]:
    """Yield the canonical URLs of a sitemap, a feed, or a list with one URL a line.

    UsageError for a line that is none.
    """
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b" or data.lstrip()[:1] == b"<":
        from crawler.sitemap import parse

        yield from (entry.url for entry in parse(data, "http://localhost/"))
        return
    for number, line in enumerate(data.decode("utf-8-sig", "replace").splitlines(), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        url = urls.parse(text)
        if url is None:
            raise UsageError(f"{path}:{number}: {text!r:.100} is no http(s) URL")
        yield url


async def seeds(store: Store, found: Iterable[str]) -> int:
    """Queue URLs that were never seen, and give their number."""
    source, number = iter(found), 0
    while batch := [_candidate(url) for url in islice(source, 1000)]:
        number += (await store.commit(Batch(seeds=batch))).new
    return number


async def pages(
    store: Store,
    responses: Iterable[Answer],
    tick: Callable[[int], None] = lambda number: None,
) -> int:
    """Store responses as pages with title and links, and give their number.

    A URL that the store has seen already is passed over. What comes before a damage is stored.
    """
    number = 0
    for batch in _batches(responses):
        by_url = {row[0]: row for row in batch}
        added = (await store.commit(Batch(seeds=[_candidate(url) for url in by_url]))).added
        visits = [_visit(todo, *by_url[todo.url]) for todo in added]
        await store.commit(Batch(visits=visits))
        number += len(visits)
        tick(number)
    return number


def _batches(responses: Iterable[Answer]) -> Iterator[list[Answer]]:
    """Yield the responses in lists; the last one before an error is raised, too."""
    batch: list[Answer] = []
    try:
        for row in responses:
            batch.append(row)
            if len(batch) == _BATCH:
                yield batch
                batch = []
    except UsageError:
        yield batch
        raise
    yield batch


def _candidate(url: str) -> Candidate:
    return Candidate(urls.host_of(url), url_hash(url), url, 0, 0)


def _visit(
    todo: Any, url: str, status: int, headers: dict[str, str], body: bytes, at: float
) -> Visit:
    response = Response(url, status, CIMultiDict(headers), body, at, 0.0)
    visit = Visit(todo, retry.outcome_of(status), at, status, response)
    if visit.outcome is Outcome.REDIRECT:
        visit.redirect_to = redirects.location_of(response.headers, url)
    elif visit.outcome is Outcome.OK and response.is_html:
        page = ScrapedPage(response, Request(url))
        visit.title, visit.links, visit.encoding = page.title, page.links, page.encoding
    return visit
