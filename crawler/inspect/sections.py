"""Where on its sites a crawl went well and where not: outcomes and links by sections of paths.

A section is a host, a folder of it, a folder of that. Of a crawl of up to `MOST` pages, and of a
run or a host of up to five times as many, all are counted. Of more a sample is, one page at random
of each so many, and what ended in errors on its own, as it is rare.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from crawler.inspect.query import Reader
from crawler.store import damage
from crawler.web import outcome

MOST = 10_000
"""Pages that are looked at."""
_LINKING = 1_000  # pages whose links are read
_DEPTH = 3
_ERRORS = outcome.having("error") - outcome.having("stored")
_STORED = outcome.having("stored")


@dataclass(slots=True)
class PathSection:
    """A host or a folder: how many of its URLs were stored, passed over, lost; and those below."""

    name: str
    stored: float = 0.0
    passed: float = 0.0
    errors: float = 0.0
    below: dict[str, PathSection] = field(default_factory=dict)

    @property
    def number(self) -> float:
        """How many URLs there are in all."""
        return self.stored + self.passed + self.errors

    def add(self, ended: str, weight: float) -> None:
        """Count a URL that ended in an outcome."""
        if ended in _ERRORS:
            self.errors += weight
        elif ended in _STORED:
            self.stored += weight
        else:
            self.passed += weight

    @property
    def joined(self) -> PathSection:
        """The same, but for folders that are all of what they stand in: these are one with it."""
        name, at = self.name, self
        while len(at.below) == 1 and (only := next(iter(at.below.values()))).number == at.number:
            name, at = f"{name}/{only.name}", only
        below = {one.name: one for one in (below.joined for below in at.below.values())}
        return PathSection(name, self.stored, self.passed, self.errors, below)

    @property
    def largest(self) -> list[PathSection]:
        """What is below it, the largest first."""
        return sorted(self.below.values(), key=lambda one: -one.number)


class Sections(NamedTuple):
    """All hosts under one root, and whether every page was counted."""

    root: PathSection
    exact: bool


class SectionLinks(NamedTuple):
    """Links from section to section, how many each, and whether every list of links was read."""

    numbers: dict[tuple[str, str], float]
    exact: bool


@lru_cache(maxsize=1 << 14)
def folders(url: str) -> tuple[str, ...]:
    """Return the host of a URL and the first folders of its path."""
    scheme, mark, rest = url.partition("://")
    host, _, path = rest.partition("/") if mark else (scheme, "", "")
    parts = path.partition("?")[0].split("/")[:-1]
    return (f"{scheme}://{host}", *parts[: _DEPTH - 1])


def by_path(reader: Reader, *, run: int | None = None, host: str | None = None) -> Sections:
    """Return the outcomes of the pages by section; of one run, or of one host, where that is said.

    `host` is scheme, name and port, as in the table `hosts`.
    """
    where, values = _where(run, host)
    last = _last(reader)
    sql = f"SELECT url, outcome FROM pages WHERE {where}"
    if last <= MOST or values:  # what is rare in a store is rare in a sample of it
        rows = list(reader.query(f"{sql} LIMIT {5 * MOST + 1}", values).rows)
        if len(rows) <= 5 * MOST:
            return Sections(_joined(_tree(rows, 1.0, PathSection(""))), True)
    weight, ids = _sample(last, MOST)
    errors = f"outcome <> 'ok' AND outcome IN ({_listed(_ERRORS)})"
    lost = list(reader.query(f"{sql} AND {errors} LIMIT {2 * MOST + 1}", values).rows)
    alone = len(lost) <= 2 * MOST
    rest = f" AND NOT ({errors})" if alone else ""
    rows = list(reader.query(f"{sql} AND page_id IN ({ids}){rest}", values).rows)
    root = _tree(rows, weight, PathSection(""))
    return Sections(_joined(_tree(lost, 1.0, root) if alone else root), False)


def links(reader: Reader, *, run: int | None = None, host: str | None = None) -> SectionLinks:
    """Return how many links lead from one section (a host and its first folder) to another.

    Of the pages of one run, or of one host, where that is said.
    """
    where, values = _where(run, host)
    linking = f"FROM link_lists JOIN pages USING (page_id) WHERE {where}"
    few = f"SELECT count(*) FROM (SELECT 1 {linking} LIMIT {_LINKING + 1}) AS few"
    [(number,)] = reader.query(few, values).rows
    weight, ids = _sample(_last(reader), _LINKING)
    sample = "" if number <= _LINKING else f" AND page_id IN ({ids})"
    sql = f"SELECT url, targets {linking}{sample}"
    found: Counter[tuple[str, str]] = Counter()
    with damage.told(reader.path, "link_lists.targets"):
        for url, targets in reader.query(sql, values).rows:
            source = _short(url)
            for target in json.loads(targets):
                found[source, _short(target)] += 1
    times = weight if sample else 1.0
    return SectionLinks({pair: number * times for pair, number in found.items()}, not sample)


def _short(url: str) -> str:
    return "/".join(folders(url)[:2]) + "/"


def _where(run: int | None, host: str | None) -> tuple[str, list[Any]]:
    parts, values = ["true"], list[Any]()
    if run is not None:
        parts.append("run_id = ?")
        values.append(run)
    if host is not None:
        parts.append("url >= ? AND url < ?")
        values += [f"{host}/", f"{host}0"]
    return " AND ".join(parts), values


def _last(reader: Reader) -> int:
    sql = "SELECT coalesce(max(page_id), 0) FROM pages"
    return int(next(iter(reader.query(sql).rows))[0])


def _sample(last: int, most: int) -> tuple[float, str]:
    """Return how many pages each of the sample stands for, and their ids.

    One of each so many in a row, at random: every fourth would miss a host that comes every second.
    """
    step = max(1, -(-last // most))
    chance = random.Random(last // step)
    ids = (at + chance.randint(1, step) for at in range(0, last, step))
    return float(step), ", ".join(map(str, ids)) or "0"


def _listed(names: frozenset[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(names))


def _joined(root: PathSection) -> PathSection:
    root.below = {one.name: one for one in (below.joined for below in root.below.values())}
    return root


def _tree(rows: Sequence[tuple[str, str]], weight: float, root: PathSection) -> PathSection:
    for url, ended in rows:
        root.add(ended, weight)
        at = root
        for name in folders(url):
            below = at.below.get(name)
            if below is None:
                below = at.below[name] = PathSection(name)
            below.add(ended, weight)
            at = below
    return root


def named(section: PathSection, above: str = "") -> Iterator[tuple[str, PathSection]]:
    """Yield the sections below one with their whole names: hosts, and folders as URLs."""
    for one in section.largest:
        name = f"{above}{one.name}/"
        yield name, one
        yield from named(one, name)
