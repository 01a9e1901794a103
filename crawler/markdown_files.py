"""Stored pages as one Markdown file each, with front matter."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import xxhash
import zstandard

from crawler import urls
from crawler.charset import decode
from crawler.export import to_file
from crawler.filenames import safe_name
from crawler.markdown import markdown_of
from crawler.query import Reader
from crawler.search import header
from crawler.store.rows import unpack

_PAGES = (
    "SELECT url, title, fetched_at, headers, body FROM pages JOIN bodies USING (page_id)"
    " WHERE content_type IN ('text/html', 'application/xhtml+xml') ORDER BY page_id"
)


def write_pages(
    reader: Reader,
    folder: Path,
    tick: Callable[[int], None] = lambda number: None,
    damaged: Callable[[str], None] = lambda url: None,
) -> int:
    """Write every stored HTML page as `folder/host/path.md` with front matter; give their number.

    A page whose stored body is damaged is left out; `damaged` hears its URL.
    """
    number = 0
    for url, title, fetched_at, headers, stored in reader.query(_PAGES).rows:
        try:
            body = unpack(stored)
        except zstandard.ZstdError:
            damaged(url)
            continue
        text = markdown_of(decode(body, header(headers, "content-type"))[0], url)
        file = folder / path_of(url)
        file.parent.mkdir(parents=True, exist_ok=True)
        whole = f"{front_matter(url, title, fetched_at)}\n{text}"
        to_file(file, lambda part, whole=whole: part.write_text(whole, "utf-8"), sync=False)  # type: ignore[misc]
        number += 1
        tick(number)
    return number


def front_matter(url: str, title: str | None, fetched_at: str) -> str:
    """Give the YAML head of a Markdown file; JSON strings are YAML strings."""
    fields = {"title": title or "", "url": url, "fetched_at": fetched_at}
    lines = [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items()]
    return "\n".join(["---", *lines, "---", ""])


def path_of(url: str) -> Path:
    """Give the file of a page: host, path, and a hash where there is a query."""
    path, _, query = urls.split(url)[1].partition("?")
    names = [safe_name(part) or "_" for part in path.split("/") if part]
    if path.endswith("/") or not names:
        names.append("index")
    last = names[-1].removesuffix(".html").removesuffix(".htm")
    if query:
        last += "-" + xxhash.xxh3_64_hexdigest(query.encode())[:8]
    host = safe_name(urls.authority_of(url).replace(":", "_")) or "_"
    return Path(host, *names[:-1], f"{last}.md")
