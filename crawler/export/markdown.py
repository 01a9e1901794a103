"""Stored pages as one Markdown file each, with front matter.

The name of a file follows from the request alone, not from what else is stored, and no two requests
have one name: not where case does not count (Windows, macOS), nor two forms of one Unicode text. A
segment of a path that is plain, lower-case ASCII is its own name; every other one has a digest.
"""

from __future__ import annotations

import json
import multiprocessing
import re
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from hashlib import blake2b
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from crawler import urls
from crawler.export import to_file, told
from crawler.export.warc import pages_where
from crawler.http.content_disposition import safe_name
from crawler.inspect.query import Reader
from crawler.inspect.search import header
from crawler.parse.charset import decode
from crawler.parse.markdown import markdown_of
from crawler.store.damage import PAGE_DAMAGE
from crawler.store.rows import unpack
from crawler.web.outcome import names
from crawler.web.request import url_hash

_HTML = (
    "FROM pages JOIN bodies USING (page_id)"
    " WHERE content_type IN ('text/html', 'application/xhtml+xml')"
    f" AND outcome IN ({names('stored')})"
)
_PAGES = f"SELECT url, title, fetched_at, headers, host_id, url_hash, body {_HTML}"
_COPIES = f"SELECT host_id, url_hash {_HTML} GROUP BY host_id, url_hash HAVING count(*) > 1"
_CHUNK = 40  # pages that a process is given at once
_PLAIN = re.compile(r"[a-z0-9_][a-z0-9_.!$&'()+,;=@~-]*")
_HOST = re.compile(r"[a-z0-9.-]+")
_DIGEST = re.compile(r"-[0-9a-f]{16}$")
_SHORT = re.compile(r"~\d")  # as Windows names long names
_LONGEST = 700  # bytes of a path; macOS takes 1024, the user's folder included


class _Page(NamedTuple):
    """A stored page on its way to a file: `other` tells requests for one URL apart."""

    url: str
    title: str | None
    fetched_at: str
    headers: str
    body: bytes
    other: str


def write_pages(
    reader: Reader,
    folder: Path,
    tick: Callable[[int], None] = lambda number: None,
    damaged: Callable[[str], None] = lambda url: None,
    *,
    where: str = "",
    article: bool = False,
    processes: int = 1,
    begin: Callable[[], None] | None = None,
) -> int:
    """Write every stored HTML page as `folder/host/path.md` with front matter; return their number.

    `where` chooses pages, `article` writes their main content alone. Many pages take so many
    `processes`, and each of these calls `begin` first. A page that is damaged in the store is left
    out; `damaged` hears its URL. StoreFull when the disk is full: the file that was being written
    is not there, those before it are whole.
    """
    number = 0
    for page, text in _written(_stored(reader, where), article, processes, begin):
        if text is None:
            damaged(str(page.url))
            continue
        file = folder / path_of(page.url, page.other)
        with told(file):
            file.parent.mkdir(parents=True, exist_ok=True)
        to_file(file, lambda part, text=text: part.write_text(text, "utf-8"), sync=False)  # type: ignore[misc]
        number += 1
        tick(number)
    return number


def _stored(reader: Reader, where: str) -> Iterator[_Page]:
    copied = dict.fromkeys(reader.query(_COPIES).rows, 0)  # requests that were stored repeatedly
    rows = reader.query(pages_where(_PAGES, where)).rows
    for url, title, fetched_at, headers, *key, stored in rows:
        request = tuple(key)
        other = "" if request[1] == url_hash(str(url)) else str(request[1])
        if request in copied:
            copied[request] += 1
            other += f"#{copied[request]}" if copied[request] > 1 else ""
        yield _Page(url, title, fetched_at, headers, stored, other)


def _written(
    pages: Iterator[_Page], article: bool, processes: int, begin: Callable[[], None] | None
) -> Iterator[tuple[_Page, str | None]]:
    """Yield pages in order with their Markdown, None for a damaged body.

    In processes of their own as soon as there are many of them; a few chunks are under way.
    """
    chunks = iter(lambda: list(islice(pages, _CHUNK)), [])
    first = list(islice(chunks, 2))
    chunks = chain(first, chunks)
    if processes < 2 or len(first) < 2:
        for chunk in chunks:
            yield from zip(chunk, _texts(chunk, article), strict=True)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, initializer=begin) as pool:
        under_way: deque[tuple[list[_Page], Future[list[str | None]]]] = deque()
        try:
            for chunk in chunks:
                under_way.append((chunk, pool.submit(_texts, chunk, article)))
                if len(under_way) > 2 * processes:
                    done, future = under_way.popleft()
                    yield from zip(done, future.result(), strict=True)
            for done, future in under_way:
                yield from zip(done, future.result(), strict=True)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _texts(pages: list[_Page], article: bool) -> list[str | None]:
    """Return what is in the files of pages; None for one that is damaged."""
    found: list[str | None] = []
    for page in pages:
        try:
            html = decode(unpack(page.body), header(page.headers, "content-type"))[0]
            text = markdown_of(html, page.url, main=article)
            path_of(page.url, page.other)
        except PAGE_DAMAGE:
            found.append(None)
            continue
        found.append(f"{front_matter(page.url, page.title, page.fetched_at)}\n{text}")
    return found


def front_matter(url: str, title: str | None, fetched_at: str) -> str:
    """Return the YAML head of a Markdown file; JSON strings are YAML strings."""
    fields = {"title": title or "", "url": url, "fetched_at": fetched_at}
    lines = [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items()]
    return "\n".join(["---", *lines, "---", ""])


def path_of(url: str, other: str = "") -> Path:
    """Return the file of a page: a folder for its host and for each directory of its path.

    `other` tells requests for one URL apart: by method, body or session, or a later copy.
    """
    target = urls.split(url)[1]
    path, mark, query = target.partition("?")
    *folders, last = path.removeprefix("/").split("/")
    more = f"{mark}{query}" + (f"#{other}" if other else "")
    host, shown = _host(url), last or "index"
    if more or not (last == "" or _is_plain(last)) or last == "index":
        file = f"{_marked(shown, last + more)}.md"
    else:
        file = f"{shown}.md"
    found = Path(host, *map(_folder, folders), file)
    if len(str(found).encode()) > _LONGEST:
        return Path(host, f"{_marked(shown, target + more)}.md")
    return found


def _host(url: str) -> str:
    """Return the name of a host's folder: https://a.example is a.example, and http a.example_80."""
    scheme = url.partition(":")[0]
    name, _, port = urls.authority_of(url).partition(":")
    port = port or {"http": "80"}.get(scheme, "")
    if scheme == "https" and port:
        port += "_https"
    if not _HOST.fullmatch(name) or safe_name(name) != name:
        return _marked(urls.authority_of(url).replace(":", "_"), urls.host_of(url))
    return f"{name}_{port}" if port else name


def _folder(segment: str) -> str:
    """Return the name of a folder; never that of a file, or of one that is being written."""
    if _is_plain(segment) and not segment.endswith((".md", ".md.part")):
        return segment
    return _marked(segment, segment)


def _is_plain(segment: str) -> bool:
    """Return whether a segment is a name of its own on every system, and looks like no other."""
    return (
        _PLAIN.fullmatch(segment) is not None
        and safe_name(segment) == segment
        and not _DIGEST.search(segment)
        and not _SHORT.search(segment)
    )


def _marked(shown: str, identity: str) -> str:
    """Return a name to read, with a digest of what it stands for."""
    text = unquote(shown, errors="replace")
    name = safe_name(text if text.isprintable() and "/" not in text else shown) or "_"
    return f"{name}-{blake2b(identity.encode(), digest_size=8).hexdigest()}"
