"""Stored pages as one Markdown file each, with front matter.

The name of a file follows from the request alone, not from what else is stored, and no two requests
have one name: not where case does not count (Windows, macOS), nor two forms of one Unicode text. A
segment of a path that is plain, lower-case ASCII is its own name; every other one has a digest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from urllib.parse import unquote

from crawler import urls
from crawler.export import to_file, told
from crawler.http.content_disposition import safe_name
from crawler.inspect.query import Reader
from crawler.inspect.search import header
from crawler.parse.charset import decode
from crawler.parse.markdown import markdown_of
from crawler.store.damage import PAGE_DAMAGE
from crawler.store.rows import unpack
from crawler.web.request import url_hash

_HTML = (
    "FROM pages JOIN bodies USING (page_id)"
    " WHERE content_type IN ('text/html', 'application/xhtml+xml')"
)
_PAGES = f"SELECT url, title, fetched_at, headers, host_id, url_hash, body {_HTML} ORDER BY page_id"
_COPIES = f"SELECT host_id, url_hash {_HTML} GROUP BY host_id, url_hash HAVING count(*) > 1"
_PLAIN = re.compile(r"[a-z0-9_][a-z0-9_.!$&'()+,;=@~-]*")
_HOST = re.compile(r"[a-z0-9.-]+")
_DIGEST = re.compile(r"-[0-9a-f]{16}$")
_SHORT = re.compile(r"~\d")  # as Windows names long names
_LONGEST = 700  # bytes of a path; macOS takes 1024, the user's folder included


def write_pages(
    reader: Reader,
    folder: Path,
    tick: Callable[[int], None] = lambda number: None,
    damaged: Callable[[str], None] = lambda url: None,
) -> int:
    """Write every stored HTML page as `folder/host/path.md` with front matter; give their number.

    A page that is damaged in the store is left out; `damaged` hears its URL. StoreFull when the
    disk is full: the file that was being written is not there, those before it are whole.
    """
    number = 0
    copied = dict.fromkeys(reader.query(_COPIES).rows, 0)  # requests that were stored repeatedly
    for url, title, fetched_at, headers, *key, stored in reader.query(_PAGES).rows:
        request = tuple(key)
        other = "" if request[1] == url_hash(str(url)) else str(request[1])
        if request in copied:
            copied[request] += 1
            other += f"#{copied[request]}" if copied[request] > 1 else ""
        try:
            text = markdown_of(decode(unpack(stored), header(headers, "content-type"))[0], url)
            file = folder / path_of(url, other)
        except PAGE_DAMAGE:
            damaged(str(url))
            continue
        with told(file):
            file.parent.mkdir(parents=True, exist_ok=True)
        whole = f"{front_matter(url, title, fetched_at)}\n{text}"
        to_file(file, lambda part, whole=whole: part.write_text(whole, "utf-8"), sync=False)  # type: ignore[misc]
        number += 1
        tick(number)
    return number


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
