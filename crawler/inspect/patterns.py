"""The patterns of URLs of a store: how many pages, how much of them is new, how much is queued."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from crawler import urls
from crawler.inspect.query import Reader, Rows
from crawler.links.traps import pattern_of
from crawler.store import damage
from crawler.web import outcome

COLUMNS = ("pattern", "pages", "new", "queued", "state")
_MOST = 1_000_000  # rows of pages and of the queue that are looked at
_LONG, _TIMES = 200, 2  # a queue is long from here on, and at so many times its pages
_SAMPLE, _SHARE = 20_000, 0.5  # URLs of the queue that are looked at; the share that is most of it
_LISTED, _FEW = 5, 0.1  # URLs that a page lists; the share that their own kind may lead to
_PART = 0.2  # the share of a queue from which on its queries are looked at first


def patterns(reader: Reader, limit: int) -> Rows:
    """Return the patterns with the most URLs: pages, different contents, queue, closed or open."""
    pages, queued = Counter[str](), Counter[str]()
    contents: dict[str, set[str]] = {}
    stored = outcome.names("stored")
    sql = f"SELECT url, content_hash FROM pages WHERE outcome IN ({stored}) LIMIT {_MOST}"
    with damage.told(reader.path, "a url of pages or todo"):
        for url, digest in reader.query(sql).rows:
            pattern = pattern_of(url)
            pages[pattern] += 1
            contents.setdefault(pattern, set()).add(digest or url)
        for (url,) in reader.query(f"SELECT url FROM todo LIMIT {_MOST}").rows:
            queued[pattern_of(url)] += 1
    closed = _closed(reader)
    most = (pages + queued).most_common(limit)
    rows = (
        (
            *(name, pages[name], len(contents.get(name, ())), queued[name]),
            "closed: endless" if name in closed else "open",
        )
        for name, _ in most
    )
    return Rows(COLUMNS, rows)


def _closed(reader: Reader) -> set[str]:
    if not list(reader.query("SELECT 1 FROM sqlite_master WHERE name = 'endless'").rows):
        return set()
    return {pattern for (pattern,) in reader.query("SELECT pattern FROM endless").rows}


def warnings(rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Yield what is said of patterns whose queue grows faster than it is worked off."""
    for pattern, pages, _, queued, state in rows:
        if state == "open" and queued >= max(_LONG, _TIMES * pages):
            yield f"{pattern}: {queued:,} queued, {pages:,} fetched; {_way(pattern)}"


# ---------------------------------------------------------------- while it grows


class Kind(NamedTuple):
    """A kind of URLs that makes up most of a queue: its pattern, and what is said of it."""

    name: str
    said: str


def growing(reader: Reader) -> Kind | None:
    """Return the kind of URLs that makes up most of a queue; None for none.

    From a sample of the queue. The kinds are, from the narrow to the wide: a pattern, a path with
    any query, any path with such names in its query, any query. Queries come first, where they are
    a good part of the queue: each multiplies what is there already, while a path with a number is
    as a rule the thing itself, and there are only so many of them. Such paths are told as what the
    site is about where pages of other kinds list them: what has no end leads to more of its kind.
    """
    sample = [url for (url,) in reader.query(f"SELECT url FROM todo LIMIT {_SAMPLE}").rows]
    queries = [url for url in sample if "?" in url]
    found = _most_of(queries) if len(queries) >= _PART * len(sample) else None
    name, number = found or _most_of(sample) or ("", 0)
    if not name:
        return None
    most = f"{100 * number // len(sample)} % of the queue are like {name}"
    if _are_listed(reader, name):
        way = "pages of other kinds list them, so that their number ends; if they are not what you"
        return Kind(name, f"{most}: {way} want, go on with {_option(name)}")
    return Kind(name, f"{most}: {_way(name)}; stop, and go on with that")


def _are_listed(reader: Reader, pattern: str) -> bool:
    """Return whether the queued URLs of a pattern stand many to a page, on pages of other ones."""
    if "?" in pattern:
        return False
    sql = (
        "SELECT todo.url, pages.url FROM todo JOIN pages ON pages.page_id = todo.parent_id"
        f" LIMIT {_SAMPLE}"
    )
    found = [parent for url, parent in reader.query(sql).rows if pattern_of(url) == pattern]
    own = sum(pattern_of(parent) == pattern for parent in found)
    return own < _FEW * len(found) and len(found) >= _LISTED * len(set(found))


def _most_of(sample: list[str]) -> tuple[str, int] | None:
    """Return the narrowest kind that most of these URLs are of, and of how many."""
    for kind in (pattern_of, _path_with_query, _names_of_query, _any_query):
        counted = Counter(name for url in sample if (name := kind(url)))
        name, number = next(iter(counted.most_common(1)), ("", 0))
        if number >= max(_LONG, _SHARE * len(sample)):
            return name, number
    return None


def _path_with_query(url: str) -> str:
    path, mark, _ = url.partition("?")
    return f"{path}?*" if mark else ""


def _names_of_query(url: str) -> str:
    query = url.partition("?")[2]
    names = {pair.partition("=")[0] for pair in re.split("[&;]", query)}
    return f"{urls.host_of(url)}/*?{'&'.join(sorted(names))}" if query else ""


def _any_query(url: str) -> str:
    return f"{urls.host_of(url)}/*?*" if "?" in url else ""


def _way(pattern: str) -> str:
    """Return what ends a kind of URLs that grows faster than it is worked off."""
    return f"{_option(pattern)} leaves them out, also those that are queued"


def _option(pattern: str) -> str:
    """Return the option that leaves out what is like a pattern."""
    path, mark, query = pattern.partition("?")
    if mark:
        names = "|".join(name for name in query.split("&") if name.isidentifier())
        regex = f"[?&;]({names})=" if names else "[?]"
    else:
        escaped = re.escape(urls.split(path)[1])
        regex = escaped.replace(r"\*", "[^/?]+").replace("0", "[0-9]+")
    return f"--exclude '{regex}'"
