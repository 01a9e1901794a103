"""Making recordings: from a real crawl, polite as any other, or from a store that is there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import zstandard

from crawler import urls
from crawler.config import layers
from crawler.config.layers import Config
from crawler.config.secrets import is_secret
from crawler.errors import BadUrl, UsageError
from crawler.inspect.query import Reader
from crawler.spider import Spider
from crawler.store.rows import unpack
from crawler.testing.recording import RecordedAnswer, Recording, StartPage
from crawler.web.request import Request

MASK = "masked"
_SHORTEST = 6  # characters of a secret that is looked for in bodies: shorter ones stand everywhere
_SESSION = 12  # the same for the value of a cookie
_LEFT_OUT = frozenset(
    ("content-encoding", "content-length", "transfer-encoding", "date", "age", "connection")
)  # headers that speak of the wire, or differ at each recording
_PAGES = """
SELECT url, method, url_hash, status, headers, body FROM pages LEFT JOIN bodies USING (page_id)
WHERE status IS NOT NULL AND status <> 304 AND page_id IN
    (SELECT max(page_id) FROM pages WHERE status <> 304 GROUP BY host_id, url_hash)
ORDER BY page_id LIMIT ?
"""


async def record(
    spider: Spider,
    starts: Iterable[StartPage] = (),
    *,
    max_pages: int = 20,
    overrides: Iterable[str] = (),
) -> Recording:
    """Crawl with all politeness and return the answers, secrets masked.

    With `starts` these URLs alone are fetched, and what they redirect to. `overrides` are settings
    as `--set` takes them. UsageError where nothing came.
    """
    from crawler.engine.crawler import Crawler

    begins = [StartPage(_url(each.url), each.callback) for each in starts]
    merged = {name: dict(values) for name, values in spider.settings.items()}
    merged.setdefault("engine", {})["max_pages"] = max(max_pages, len(begins))
    merged.setdefault("store", {}).update(bodies=True, error_bodies=True)
    if begins:
        merged["engine"]["max_depth"] = 0
        _begin(spider, begins)
    config = layers.load(None, spider=merged, overrides=overrides)
    with TemporaryDirectory(prefix="crawler-record-") as folder:
        store = Path(folder) / "record.db"
        async with Crawler(spider, store=store, config=config) as crawler:
            await crawler.run()
        recording = recording_of(store, spider, config)
    recording.starts = begins
    return recording


def _begin(spider: Spider, starts: list[StartPage]) -> None:
    """Let a spider start from these URLs, and from nothing else."""
    from crawler.testing.site_parts import SiteParts

    parts = SiteParts(spider, Config(), [start.url for start in starts])
    named = [start._replace(callback=parts.callback_of(start)) for start in starts]
    requests = [Request(start.url, callback=start.callback) for start in named]
    spider.start = lambda: requests  # type: ignore[method-assign]
    spider.sitemap_urls = ()
    starts[:] = named


def _url(text: str) -> str:
    url = urls.parse(text)
    if url is None:
        raise BadUrl(f"{text!r} is no http(s) URL; give one like https://example.com/")
    return url


def recording_of(
    store: str | Path, spider: Spider, config: Config | None = None, *, most: int = -1
) -> Recording:
    """Return the answers in a store, the newest of each request, `most` of them at most.

    UsageError where it has none. What the answers say of secrets is masked: headers by their names,
    and the values of cookies, of Secrets and of [auth] wherever they stand.
    """
    with Reader(store) as reader:
        masks = [*_cookies(reader), *_revealed(reader, config or Config())]
        rows = [*reader.query(_PAGES, (most,)).rows]
    found = list(_answers(rows, sorted(set(masks), key=len, reverse=True)))
    if not found:
        raise UsageError(
            f"{spider.name}: no page came, so there is nothing to record; see what"
            f" `crawler run {spider.name}` says"
        )
    given = {name: value for name, value in spider.made_with[1].items() if _is_plain(value)}
    return Recording(found, spider=spider.name, arguments=given)


def _answers(rows: list[tuple[Any, ...]], masks: list[str]) -> Iterator[RecordedAnswer]:
    for url, method, identity, status, headers, body in rows:
        shown = {
            name: MASK if is_secret(name) else _masked(str(value), masks)
            for name, value in json.loads(headers or "{}").items()
            if name.lower() not in _LEFT_OUT
        }
        try:
            data = unpack(body) if body else b""
        except zstandard.ZstdError as error:
            raise UsageError(f"{url}: its stored body is damaged ({error})") from None
        for mask in masks:
            data = data.replace(mask.encode(), MASK.encode())
        yield RecordedAnswer(_masked(url, masks), data, status, shown, method, identity)


def _masked(text: str, masks: list[str]) -> str:
    for mask in masks:
        text = text.replace(mask, MASK)
    return text


def _cookies(reader: Reader) -> Iterator[str]:
    """Yield the values of the crawl's cookies: sessions, mostly."""
    for (text,) in reader.query("SELECT cookie FROM cookies").rows:
        kept = json.loads(text)
        value = str(kept.get("value", "")) if isinstance(kept, dict) else ""
        # A word like a language or a theme is no session, and may stand in any text.
        if len(value) >= _SESSION and any(map(str.isdigit, value)):
            yield value


def _revealed(reader: Reader, config: Config) -> Iterator[str]:
    """Yield the values of the Secrets that requests and the configuration name."""
    names = {credential.env for credential in config.auth.at.values()}
    for (text,) in reader.query("SELECT request FROM pages WHERE request LIKE '%$secret%'").rows:
        names |= set(_secrets(json.loads(text)))
    for name in names:
        value = os.environ.get(name, "")
        if len(value) >= _SHORTEST:
            yield value


def _secrets(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$secret"), str):
            yield value["$secret"]
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _secrets(each)


def _is_plain(value: object) -> bool:
    return isinstance(value, (str, int, float, bool)) or value is None
