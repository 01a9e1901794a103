"""How what a spider gives differs from its snapshot: told by fields and selectors, not by HTML."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from crawler.errors import UsageError
from crawler.markup.words import plural
from crawler.spider import Spider
from crawler.testing import recording as recordings
from crawler.testing import snapshot as snapshots
from crawler.testing.fields import Use, uses_of
from crawler.testing.offline import Crawled, check_once
from crawler.testing.recording import Recording
from crawler.testing.selectors import Listener, Way
from crawler.testing.snapshot import ItemSnapshot

_SHOWN = 20  # lines of differences
_LINE = 160  # characters of a value

updating = False
"""Whether snapshots are written anew: set by `pytest --update-items`."""


class ItemsChanged(AssertionError):
    """What a spider gives is not what its snapshot says; `changes` has one line for each field."""

    def __init__(self, spider: str, changes: list[str], snapshot: Path, out: str) -> None:
        self.changes = changes
        more = f"\n  … and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else ""
        lines = "".join(f"\n  {line}" for line in changes[:_SHOWN])
        super().__init__(f"{spider} differs from {snapshot}:{lines}{more}\n{out}")


class FieldChange(NamedTuple):
    """One field of one table: the pages in which it was filled in, and is; values that differ."""

    table: str
    field: str
    before: int
    now: int
    differing: int
    example: str


@dataclass(slots=True)
class ItemDifference:
    """What differs: fields, numbers of items, selectors that find nothing any more, pages."""

    fields: list[FieldChange] = field(default_factory=list)
    items: dict[str, tuple[int, int]] = field(default_factory=dict)
    lost: list[Way] = field(default_factory=list)
    gone_pages: list[str] = field(default_factory=list)
    new_pages: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)  # pages that lead elsewhere
    errors: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        differs = self.fields or self.items or self.errors
        return bool(differs or self.gone_pages or self.new_pages or self.links)


def assert_items(
    spider: type[Spider] | Spider,
    recording: Recording | str | Path,
    snapshot: str | Path | None = None,
    *,
    update: bool | None = None,
) -> Crawled:
    """Crawl a recording and compare what comes with its snapshot; return the crawl.

    `recording` is one, or its file. `snapshot` is by default the file beside it, `NAME.items.json`;
    `update` writes it anew, as `pytest --update-items` does for all. ItemsChanged names every field
    that differs, and the selectors that find nothing; UsageError where there is no snapshot yet.
    A callback that raises is a difference that no update takes away.
    """
    if not isinstance(recording, Recording):
        snapshot = beside(Path(recording)) if snapshot is None else snapshot
        recording = Recording.load(recording)
    if snapshot is None:
        raise UsageError("assert_items: give the snapshot's file for a recording without one")
    made = spider if isinstance(spider, Spider) else spider(**recording.arguments)
    check_once(made)
    now, crawled, listener = snapshots.taken(made, recording)
    path = Path(snapshot)
    if updating if update is None else update:
        if crawled.errors:
            raise ItemsChanged(made.name, crawled.errors, path, "not updated: callbacks raised")
        now.save(path)
        return crawled
    before = ItemSnapshot.load(path)
    if before is None:
        raise UsageError(
            f"{path}: no snapshot yet; write it with `crawler test {made.name} --update` or"
            " `pytest --update-items`"
        )
    found = compare(before, now, crawled)
    if found:
        out = "If it should be so: --update-items. If the site changed: crawler heal " + made.name
        raise ItemsChanged(made.name, told(found, uses_of(made), listener, now), path, out)
    return crawled


def beside(recording: Path) -> Path:
    """Return the snapshot's file that belongs to a recording's."""
    return recording.with_name(recording.name.removesuffix(recordings.ENDING) + snapshots.ENDING)


def compare(
    before: ItemSnapshot, now: ItemSnapshot, crawled: Crawled | None = None
) -> ItemDifference:
    """Return how a crawl differs from a snapshot; the order of a page's items does not count."""
    found = ItemDifference(errors=list(crawled.errors) if crawled is not None else [])
    tables = dict.fromkeys(_tables(before)) | dict.fromkeys(_tables(now))
    for table in tables:
        numbers = (_number(before, table), _number(now, table))
        if numbers[0] != numbers[1]:
            found.items[table] = numbers
        names = dict.fromkeys(_fields(before, table)) | dict.fromkeys(_fields(now, table))
        for name in names:
            change = _field(before, now, table, name)
            if change is not None:
                found.fields.append(change)
    found.gone_pages = sorted(set(before.pages) - set(now.pages))
    found.new_pages = sorted(set(now.pages) - set(before.pages))
    both = set(before.pages) & set(now.pages)
    found.links = sorted(u for u in both if before.requests.get(u) != now.requests.get(u))
    found.lost = [
        way
        for way, (_, hits) in before.selectors.items()
        if hits and not now.selectors.get(way, (0, 0))[1]
    ]
    return found


def _tables(snapshot: ItemSnapshot) -> Iterator[str]:
    return (table for found in snapshot.items.values() for table, _ in found)


def _fields(snapshot: ItemSnapshot, table: str) -> Iterator[str]:
    return (
        name
        for found in snapshot.items.values()
        for each, item in found
        if each == table
        for name in item
    )


def _number(snapshot: ItemSnapshot, table: str) -> int:
    return sum(each == table for each in _tables(snapshot))


def values(snapshot: ItemSnapshot, table: str, name: str) -> dict[str, list[Any]]:
    """Return the values of a field by page, those that are filled in."""
    found = {
        url: [item.get(name) for each, item in items if each == table]
        for url, items in snapshot.items.items()
    }
    kept = {url: [v for v in given if v not in (None, "", [], {})] for url, given in found.items()}
    return {url: given for url, given in kept.items() if given}


def _field(before: ItemSnapshot, now: ItemSnapshot, table: str, name: str) -> FieldChange | None:
    old, new = values(before, table, name), values(now, table, name)
    differing = [
        url for url in {**old, **new} if _counted(old.get(url, [])) != _counted(new.get(url, []))
    ]
    if not differing:
        return None
    url = differing[0]
    left = _counted(old.get(url, [])) - _counted(new.get(url, []))
    right = _counted(new.get(url, [])) - _counted(old.get(url, []))
    was, is_now = next(iter(left), "nothing"), next(iter(right), "nothing")
    example = f"{url}: {was[:_LINE]} → {is_now[:_LINE]}"
    return FieldChange(table, name, len(old), len(new), len(differing), example)


def _counted(given: list[Any]) -> Counter[str]:
    return Counter(json.dumps(each, ensure_ascii=False, sort_keys=True) for each in given)


# ---------------------------------------------------------------- told


def told(
    found: ItemDifference, uses: list[Use], listener: Listener, now: ItemSnapshot
) -> list[str]:
    """Return the differences, a line each, with the selectors that are to blame."""
    lines = [f"a callback raised: {error}" for error in found.errors]
    for table, (was, is_now) in found.items.items():
        lines.append(f"{table}: {plural(was, 'item')} before, {is_now:,} now")
    blamed: set[Way] = set()
    lines += [_told_field(change, found, uses, blamed, now) for change in found.fields]
    lines += [
        f"{_shown(way)} found something before, and nothing now"
        for way in found.lost
        if not any(way[: len(each)] == each for each in blamed)
    ]
    if found.gone_pages:
        lines.append(
            f"{plural(len(found.gone_pages), 'page')} no longer reached: {found.gone_pages[0]} …"
        )
    if found.new_pages:
        lines.append(f"{plural(len(found.new_pages), 'new page')}: {found.new_pages[0]} …")
    if found.links:
        lines.append(
            f"{plural(len(found.links), 'page leads', 'pages lead')} elsewhere: {found.links[0]} …"
        )
    return lines


def _told_field(
    change: FieldChange, found: ItemDifference, uses: list[Use], blamed: set[Way], now: ItemSnapshot
) -> str:
    numbers = f"{change.table}.{change.field}: filled in {plural(change.before, 'page')} before,"
    numbers += f" {change.now} now"
    queries = {use.query: use.line for use in uses if use.field == change.field}
    for way in found.lost:
        if way[-1] in queries:
            broken = next(
                (
                    way[:at]
                    for at in range(1, len(way) + 1)
                    if not now.selectors.get(way[:at], (0, 0))[1]
                ),
                way,
            )
            blamed.add(broken)
            return f"{numbers}; {_shown(broken)} finds nothing"
    return f"{numbers}; it differs in {plural(change.differing, 'page')}, as in {change.example}"


def _shown(way: Way) -> str:
    inner = f"`{way[-1]}`"
    return f"{inner} in `{'` in `'.join(reversed(way[:-1]))}`" if len(way) > 1 else inner
