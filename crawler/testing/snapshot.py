"""Snapshots: what a spider gave for a recording, in a JSON file beside the tests."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crawler.errors import UsageError
from crawler.spider import Spider
from crawler.testing.offline import Crawled, Item, Offline
from crawler.testing.recording import Recording
from crawler.testing.selectors import Listener, Way

ENDING = ".items.json"
_VERSION = 1


@dataclass(slots=True)
class ItemSnapshot:
    """The items of a crawl with their pages, and what its selectors found.

    `selectors` are for each way of queries the pages it was asked in and those it found something
    in; `items` by page, each with its table.
    """

    pages: list[str] = field(default_factory=list)
    items: dict[str, list[tuple[str, Item]]] = field(default_factory=dict)
    requests: dict[str, list[str]] = field(default_factory=dict)
    selectors: dict[Way, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, crawled: Crawled, listener: Listener | None = None) -> ItemSnapshot:
        """Return what there is to compare of a crawl."""
        pages = [page for page in crawled.pages if page.outcome != "redirect"]
        heard = listener.asked if listener is not None else {}
        return cls(
            sorted({page.url for page in pages}),
            _joined((page.url, page.items) for page in pages if page.items),
            _joined((page.url, page.requests) for page in pages if page.requests),
            {way: (asked, listener.found[way]) for way, asked in heard.items() if listener},
        )

    @classmethod
    def load(cls, path: Path) -> ItemSnapshot | None:
        """Read a file that `save` wrote; None if there is none, UsageError if it is no snapshot."""
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        try:
            read = json.loads(text)
            if read["version"] > _VERSION:
                raise UsageError(f"{path} is of a newer version of crawlkeep; update it here")
            items = {
                url: [(each["table"], each["fields"]) for each in found]
                for url, found in read["items"].items()
            }
            selectors = {tuple(way): (asked, hit) for way, asked, hit in read["selectors"]}
            return cls(read["pages"], items, read["requests"], selectors)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise UsageError(f"{path} is no snapshot ({error}); delete and update it") from None

    def save(self, path: Path) -> None:
        """Write the file, folders included: the same from the same crawl."""
        items = {
            url: [{"table": table, "fields": fields} for table, fields in found]
            for url, found in sorted(self.items.items())
        }
        plain: dict[str, Any] = {
            "version": _VERSION,
            "pages": self.pages,
            "items": items,
            "requests": dict(sorted(self.requests.items())),
            "selectors": [[list(way), *numbers] for way, numbers in sorted(self.selectors.items())],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(plain, ensure_ascii=False, indent=1, default=str)
        path.write_text(text + "\n", encoding="utf-8")

    def plain(self) -> ItemSnapshot:
        """Return it as it comes back from its file, where a tuple is a list and a date a text."""
        again = ItemSnapshot(
            self.pages, json.loads(json.dumps(self.items, default=str)), self.requests
        )
        again.items = {
            url: [(table, item) for table, item in found] for url, found in again.items.items()
        }
        again.selectors = self.selectors
        return again


class Heard(Offline):
    """A crawl over recorded answers of which the selectors are heard."""

    listener: Listener

    def page_context(self, url: str) -> Any:
        """Hear what the callbacks ask this page."""
        return self.listener.page(url)


def taken(
    spider: Spider, recording: Recording, listener: Listener | None = None, **options: Any
) -> tuple[ItemSnapshot, Crawled, Listener]:
    """Crawl a recording and return what there is to compare, the crawl, and what was asked."""
    heard = Heard(spider, recording, **options)
    heard.listener = listener or Listener()
    crawled = heard.run()
    return ItemSnapshot.of(crawled, heard.listener).plain(), crawled, heard.listener


def _joined(pairs: Iterable[tuple[str, list[Any]]]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for url, values in pairs:
        found.setdefault(url, []).extend(values)
    return found
