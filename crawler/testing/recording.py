"""Recordings: the answers of a site in one small file beside the tests, without secrets.

A file is JSON lines, compressed: first what was recorded, then one answer a line. It is written the
same from the same answers, so that recording a site again changes nothing where nothing changed.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import zstandard
from multidict import CIMultiDict

from crawler import urls
from crawler.errors import UsageError
from crawler.markup.words import plural
from crawler.testing.pages import HTML, WHEN
from crawler.web.page import ScrapedPage
from crawler.web.request import Request, url_hash
from crawler.web.response import Response

ENDING = ".jsonl.zst"
_VERSION = 1
_MOST = 1 << 30  # bytes of a recording once it is unpacked


class RecordedAnswer(NamedTuple):
    """One recorded answer; `identity` tells it from those of other methods and bodies."""

    url: str
    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = {}
    method: str = "GET"
    identity: int | None = None

    @property
    def key(self) -> tuple[str, int]:
        """The URL, and what tells this request from others to it."""
        return self.url, url_hash(self.url) if self.identity is None else self.identity


class StartPage(NamedTuple):
    """A request that a recording begins with, where that is not the spider's own `start`."""

    url: str
    callback: str | None = None


Pages = Mapping[str, "str | bytes | RecordedAnswer | ScrapedPage"]
"""Answers by their URL: text is HTML (or JSON), else give a RecordedAnswer or a page."""


class Recording:
    """Recorded answers of a site, found by URL, method and body."""

    def __init__(
        self,
        answers: Iterable[RecordedAnswer] = (),
        *,
        spider: str = "",
        arguments: Mapping[str, Any] | None = None,
        starts: Iterable[StartPage] = (),
    ) -> None:
        """Take the answers, whose spider and arguments they were recorded with, and its starts."""
        self.spider, self.arguments = spider, dict(arguments or {})
        self.starts = list(starts)
        self.answers: dict[tuple[str, int], RecordedAnswer] = {each.key: each for each in answers}
        self._alike: dict[tuple[str, str], list[RecordedAnswer]] = {}
        for each in self.answers.values():
            self._alike.setdefault((each.url, each.method), []).append(each)

    def __len__(self) -> int:
        return len(self.answers)

    def __iter__(self) -> Iterator[RecordedAnswer]:
        return iter(self.answers.values())

    def __repr__(self) -> str:
        return f"<Recording of {self.spider or 'pages'}: {plural(len(self), 'answer')}>"

    @classmethod
    def of(cls, pages: Pages, base: str = "https://example.com/") -> Recording:
        """Return a recording of a dict of pages; a key that is no URL is resolved against `base`.

        UsageError names the key that is none.
        """
        return cls(_answer(urls.parse(name, base), name, page) for name, page in pages.items())

    @classmethod
    def load(cls, path: str | Path) -> Recording:
        """Read a file that `save` wrote; UsageError says what is wrong with it."""
        path = Path(path)
        try:
            packed = path.read_bytes()
        except OSError as error:
            name = path.name.partition(".")[0]
            raise UsageError(
                f"{path}: {error.strerror}; record it: crawler test record {name}"
            ) from None
        try:
            text = zstandard.ZstdDecompressor().decompress(packed, max_output_size=_MOST)
            head, *lines = map(json.loads, text.splitlines())
            if head["version"] > _VERSION:
                raise UsageError(f"{path} is of a newer version of crawlkeep; update it here")
            return cls(
                map(_revived, lines),
                spider=head["spider"],
                arguments=head["arguments"],
                starts=[StartPage(*each) for each in head["starts"]],
            )
        except (zstandard.ZstdError, ValueError, LookupError, TypeError) as error:
            raise UsageError(f"{path} is no recording ({error}); record it again") from None

    def save(self, path: str | Path) -> int:
        """Write the file, folders included, and return its bytes."""
        head = {
            "version": _VERSION,
            "spider": self.spider,
            "arguments": self.arguments,
            "starts": self.starts,
        }
        lines = [head, *map(_plain, sorted(self, key=lambda each: each.key))]
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        packed = zstandard.ZstdCompressor(level=19).compress(text.encode("utf-8", "surrogatepass"))
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(packed)
        return len(packed)

    def find(self, request: Request) -> Response | None:
        """Return the answer to a request, None if it is not recorded.

        A body that differs, as by a token of its day, is taken for the same where only one answer
        to this URL and method is there.
        """
        found = self.answers.get((request.url, request.identity))
        if found is None and request.method != "GET":
            alike = self._alike.get((request.url, request.method), [])
            found = alike[0] if len(alike) == 1 else None
        if found is None and request.session:
            found = self.answers.get((request.url, url_hash(request.url)))
        return None if found is None else response_of(found)


def response_of(answer: RecordedAnswer) -> Response:
    """Return what the wire would have given."""
    headers = CIMultiDict(answer.headers)
    return Response(answer.url, answer.status, headers, answer.body, WHEN, 0.0, len(answer.body))


def _answer(
    url: str | None, name: str, page: str | bytes | RecordedAnswer | ScrapedPage
) -> RecordedAnswer:
    if url is None:
        raise UsageError(f"{name!r} is no http(s) URL; give one like https://example.com/ or /page")
    if isinstance(page, RecordedAnswer):
        return page._replace(url=url)
    if isinstance(page, ScrapedPage):
        return RecordedAnswer(url, page.body, page.status, page.headers)
    if isinstance(page, bytes):
        return RecordedAnswer(url, page)
    kind = "application/json" if page.lstrip()[:1] in ("{", "[") else HTML
    return RecordedAnswer(url, page.encode("utf-8", "replace"), headers={"Content-Type": kind})


def _plain(answer: RecordedAnswer) -> dict[str, Any]:
    line: dict[str, Any] = {"url": answer.url}
    if answer.method != "GET":
        line["method"] = answer.method
    if answer.identity is not None and answer.identity != url_hash(answer.url):
        line["identity"] = answer.identity
    line |= {"status": answer.status, "headers": dict(answer.headers)}
    try:
        return line | {"text": answer.body.decode("utf-8")}
    except UnicodeDecodeError:
        return line | {"base64": base64.b64encode(answer.body).decode("ascii")}


def _revived(line: dict[str, Any]) -> RecordedAnswer:
    body = line["text"].encode() if "text" in line else base64.b64decode(line["base64"])
    return RecordedAnswer(
        line["url"],
        body,
        line["status"],
        line["headers"],
        line.get("method", "GET"),
        line.get("identity"),
    )
