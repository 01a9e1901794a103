"""Files under names of one's own: fetched, verified, and linked into a folder by their names.

crawler run examples/named_files.py -a folder=tides
"""

import os
from collections.abc import Iterator
from pathlib import Path

from crawler import Download, Request, ScrapedPage, Spider, StoredFile, item


@item(key="url")
class Document:
    """A file, and where it lies under its name."""

    url: str
    label: str
    path: str
    size: int
    sha256: str


class NamedFiles(Spider):
    """The files that a page lists."""

    name = "named_files"
    start_urls = ["http://127.0.0.1:8000/files/"]
    folder = "files"

    def parse(self, page: ScrapedPage) -> Iterator[Request]:
        for link in page.css("ul a"):
            url = page.urljoin(link.attrib["href"]) or ""
            yield Download(url, callback=self.saved, meta={"label": link.css("::text").get("")})

    def saved(self, file: StoredFile) -> Document:
        named = Path(self.folder) / file.name
        named.parent.mkdir(parents=True, exist_ok=True)
        named.unlink(missing_ok=True)
        os.link(file.path, named)  # no second copy
        return Document(file.url, file.meta["label"], str(named), file.size, file.sha256)
