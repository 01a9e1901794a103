"""WACZ 1.1.1 (https://specs.webrecorder.net/wacz/1.1.1/): a crawl as one file that replays.

A ZIP archive with a WARC file, stored as it is so that a reader can jump into it, a CDXJ index of
it, the list of pages, and the digests of all.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

from crawler.errors import UsageError
from crawler.export.warc import Indexed, write_warc
from crawler.inspect.query import Reader
from crawler.version import __version__

_ARCHIVE, _INDEX, _PAGES = "archive/data.warc.gz", "indexes/index.cdx.gz", "pages/pages.jsonl"
_LISTED = "outcome = 'ok' AND content_type IN ('text/html', 'application/xhtml+xml')"


def write_wacz(
    reader: Reader,
    path: Path,
    tick: Callable[[int], None] = lambda number: None,
    damaged: Callable[[str], None] = lambda url: None,
    where: str = "",
) -> int:
    """Write every answered request to a WACZ file, and give their number.

    `where` chooses pages. One whose stored body is damaged is left out; `damaged` hears its URL.
    UsageError without warcio and surt.
    """
    surt = _surt()
    lines: list[str] = []

    def index(found: Indexed) -> None:
        lines.append(_line(surt(found.url), found))

    with TemporaryDirectory(dir=path.parent, prefix=".wacz-") as folder:
        warc, pages = Path(folder, "data.warc.gz"), Path(folder, "pages.jsonl")
        number = write_warc(reader, warc, tick, damaged, where, index=index)
        with pages.open("w", encoding="utf-8") as out:
            out.writelines(_pages(reader, where))
        cdx = gzip.compress("".join(sorted(lines)).encode(), mtime=0)
        resources = []
        with ZipFile(path, "w") as made:
            for name, file in ((_ARCHIVE, warc), (_PAGES, pages)):
                made.write(file, name, ZIP_STORED if name == _ARCHIVE else ZIP_DEFLATED)
                resources.append(_resource(name, _digest(file), file.stat().st_size))
            made.writestr(_INDEX, cdx, ZIP_STORED)
            resources.append(_resource(_INDEX, sha256(cdx).hexdigest(), len(cdx)))
            package = _package(resources)
            made.writestr("datapackage.json", package)
            digest = {"path": "datapackage.json", "hash": f"sha256:{sha256(package).hexdigest()}"}
            made.writestr("datapackage-digest.json", json.dumps(digest))
    return number


def _line(key: str, found: Indexed) -> str:
    """Return a line of the index (CDXJ): the key by which a URL is found, its time, the rest."""
    about = {
        "url": found.url,
        "mime": found.mime,
        "status": str(found.status),
        "digest": found.digest,
        "length": str(found.length),
        "offset": str(found.offset),
        "filename": "data.warc.gz",
    }
    time = re.sub(r"\D", "", found.at)[:14]
    return f"{key} {time} {json.dumps(about, ensure_ascii=False)}\n"


def _pages(reader: Reader, where: str) -> Iterator[str]:
    """Yield the list of pages (pages.jsonl), those that a reader of the archive may begin with."""
    yield '{"format": "json-pages-1.0", "id": "pages", "title": "All Pages"}\n'
    chosen = f"{where} AND " if where else " WHERE "
    sql = f"SELECT page_id, url, fetched_at, title FROM pages{chosen}{_LISTED} ORDER BY page_id"
    for page_id, url, at, title in reader.query(sql).rows:
        page = {"id": str(page_id), "url": url, "ts": at, "title": title or url}
        yield json.dumps(page, ensure_ascii=False) + "\n"


def _package(resources: list[dict[str, Any]]) -> bytes:
    about = {
        "profile": "data-package",
        "wacz_version": "1.1.1",
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "software": f"crawlkeep/{__version__}",
        "resources": resources,
    }
    return json.dumps(about, indent=2).encode()


def _resource(path: str, digest: str, size: int) -> dict[str, Any]:
    return {
        "name": path.rpartition("/")[2],
        "path": path,
        "hash": f"sha256:{digest}",
        "bytes": size,
    }


def _digest(file: Path) -> str:
    made = sha256()
    with file.open("rb") as data:
        while block := data.read(1 << 20):
            made.update(block)
    return made.hexdigest()


def _surt() -> Callable[[str], str]:
    try:
        from surt import surt
    except ImportError:
        raise UsageError("WACZ needs warcio and surt: pip install 'crawlkeep[wacz]'") from None
    key: Callable[[str], str] = surt
    return key
