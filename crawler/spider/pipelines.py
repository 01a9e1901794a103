"""Pipelines: what every item passes on its way into the store, as a list and a for loop.

A pipeline is a function `item → item`, or a class with `item(item, page)` and, where it needs them,
`open(crawl)`, `stored(items)` and `close()`; each of these sync or async.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct

from crawler.errors import DropItem, SpiderError, StopCrawl
from crawler.items import Record
from crawler.items.encoders import text as clean
from crawler.items.refused import as_given, without_values
from crawler.spider.lifecycle import close_all, made, name_of, open_all, takes
from crawler.web.error_place import error_line, place_of
from crawler.web.refusal import Refusal
from crawler.web.request import Request
from crawler.web.visit import Visit

if TYPE_CHECKING:
    from crawler.spider import Spider
    from crawler.spider.running import RunningCrawl
    from crawler.web.page import ScrapedPage

GIVEN = ("page", "request", "spider")
"""What a pipeline gets beside the item, by the names of its parameters."""

_REASONS = 100  # for which items are dropped, told apart in one run
_LONGEST = 300  # characters of a reason
_OTHER = "for other reasons"


class Origin(NamedTuple):
    """Where an item comes from. There is no page where its request ended without an answer."""

    page: ScrapedPage | None
    request: Request
    spider: Spider


class StoredItem(NamedTuple):
    """An item that is stored: its table, its fields by name, and the page that gave it."""

    table: str
    fields: dict[str, Any]
    page_url: str


class OwnerPipeline:
    """A pipeline that decides where the store is kept, whichever process has parsed the page.

    It sees every record as it is to be stored, behind all other pipelines.
    """

    def refusal_of(self, record: Record, url: str) -> str | None:
        """Return why a record of the page `url` is dropped, None if it is not."""
        raise NotImplementedError

    def begin(self, url: str) -> None:
        """Begin with the records of a page."""


class _PipelineStep(Struct, frozen=True):
    """One pipeline: its name, what is called with an item, and which of `GIVEN` it takes."""

    name: str
    thing: Any
    call: Callable[..., Any]
    takes: tuple[str, ...]


class Pipelines:
    """The pipelines of one spider in one process. A class is made here, once in each run."""

    def __init__(self, spider: Spider) -> None:
        """SpiderError for what is no pipeline, or asks for what there is not."""
        made = [_made(thing, spider) for thing in spider.pipelines]
        self._judges = [thing for thing in made if isinstance(thing, OwnerPipeline)]
        self._steps = [
            _step(thing, spider) for thing in made if callable(getattr(thing, "item", thing))
        ]
        self._made = made
        self._spider = spider
        self._reasons: set[str] = set()

    def __bool__(self) -> bool:
        """Whether an item has anything to pass."""
        return bool(self._steps)

    @property
    def judges(self) -> bool:
        """Whether records are judged once more where the store is kept."""
        return bool(self._judges)

    # ------------------------------------------------------------ a run

    async def open(self, crawl: RunningCrawl) -> None:
        """Let each open what it needs; SpiderFailed tells where one raised."""
        await open_all(self._made, crawl)

    async def close(self, timeout: float) -> dict[str, str]:
        """Let each close what it has; return the tracebacks by `name.close()`."""
        return await close_all(self._made, timeout)

    def after_commit(self, visits: Iterable[Visit]) -> None:
        """Call each `stored` with the items of visits that are now stored."""
        hear = [thing.stored for thing in self._made if hasattr(thing, "stored")]
        items = [
            StoredItem(record.table.name, record.fields(), visit.todo.url)
            for visit in visits
            if hear and visit.retry_at is None
            for record in visit.items
        ]
        for stored in hear if items else ():
            stored(items)

    # ------------------------------------------------------------ items

    def course(
        self, visit: Visit, found: Iterable[Any], origin: Origin, store: Callable[[Any, bool], None]
    ) -> Generator[Awaitable[Any], Any, None]:
        """Send items through, each in order; yields what has to be awaited, and takes its answer.

        An item for which a pipeline raises is refused alone. `store` is told whether what it gets
        is another object than the callback gave.
        """
        for given in found:
            item, step = given, None
            try:
                for step in self._steps:
                    takes = {name: getattr(origin, name) for name in step.takes}
                    item = step.call(item, **takes)
                    if inspect.isawaitable(item):
                        item = yield item
                    if item is None:
                        raise DropItem("gave None")
            except StopCrawl as end:
                visit.stop = visit.stop or end.reason
                self._drop(visit, given, step, f"ended the crawl ({end.reason})")
            except DropItem as why:
                self._drop(visit, given, step, str(why))
            except (Exception, SystemExit) as error:
                _refuse(visit, given, step, error)
            else:
                store(item, item is not given)

    def judge(self, visit: Visit) -> None:
        """Let the judges drop records of a visit that is about to be stored."""
        kept = visit.items
        for judge in self._judges:
            judge.begin(visit.todo.url)
            passed = []
            for record in kept:
                why = judge.refusal_of(record, visit.todo.url)
                if why is None:
                    passed.append(record)
                else:
                    self._count(visit, f"{record.table.name}: pipeline {name_of(judge)}: {why}")
            if visit.given and len(visit.given) == len(kept) > len(passed):
                gone = {id(record) for record in kept} - {id(record) for record in passed}
                pairs = zip(kept, visit.given, strict=True)
                visit.given = [thing for record, thing in pairs if id(record) not in gone]
            kept = passed
        visit.items = kept

    def _drop(self, visit: Visit, given: Any, step: _PipelineStep | None, why: str) -> None:
        name = step.name if step is not None else ""
        reason = without_values(f"pipeline {name}: {why}", given)
        self._count(visit, f"{type(given).__name__}: {reason}")

    def _count(self, visit: Visit, kind: str) -> None:
        """Count an item that is dropped, and why; of reasons without end the first ones."""
        kind = clean(kind)[:_LONGEST]
        if kind not in self._reasons and len(self._reasons) >= _REASONS:
            kind = _OTHER
        self._reasons.add(kind)
        visit.refuse(Refusal.ITEM_DROPPED)
        visit.dropped[kind] = visit.dropped.get(kind, 0) + 1


def _refuse(visit: Visit, given: Any, step: _PipelineStep | None, error: BaseException) -> None:
    """Keep an item for which a pipeline raised among the problems, with the error and its line."""
    reason = without_values(f"{type(error).__name__}: {error}", given)
    if line := error_line(traceback.format_exc()):
        reason += f" ({place_of(line)})"
    name = step.name if step is not None else ""
    refuse(visit, given, f"pipeline {name}: {reason}")


def refuse(visit: Visit, item: Any, reason: str) -> None:
    """Count an item that cannot be stored, and keep it with the reason among the problems."""
    visit.problems.append((type(item).__name__, reason[:2000], as_given(item)))
    visit.refuse(Refusal.ITEM_REFUSED)


# ---------------------------------------------------------------- what is a pipeline


def check(spider: Spider) -> None:
    """Raise SpiderError for the first of a spider's pipelines that cannot be one; make none."""
    if isinstance(spider.pipelines, str) or not isinstance(spider.pipelines, Sequence):
        raise SpiderError(f"{spider.name}: `pipelines` is a list of functions and classes")
    for thing in spider.pipelines:
        if hasattr(thing, "process_item"):
            raise SpiderError(
                f"{spider.name}: the pipeline {name_of(thing)} has `process_item`; a pipeline here"
                " is a function item → item, or a class with item(self, item, page)"
            )
        if isinstance(thing, type) and not issubclass(thing, OwnerPipeline):
            _refuse_class(thing, spider)
            _takes(thing.item, spider, name_of(thing), skip=2)  # type: ignore[attr-defined]
        elif not isinstance(thing, (type, OwnerPipeline)):
            _step(thing, spider)


def _refuse_class(kind: type, spider: Spider) -> None:
    if not callable(getattr(kind, "item", None)):
        raise SpiderError(
            f"{spider.name}: the pipeline {kind.__name__} has no method item(self, item, page); a"
            " pipeline is a function item → item, or a class with it"
        )


def _made(thing: Any, spider: Spider) -> Any:
    """Return a pipeline, made where it is a class."""
    if isinstance(thing, type) and not issubclass(thing, OwnerPipeline):
        _refuse_class(thing, spider)
    return made(thing, spider, "pipelines")


def _step(thing: Any, spider: Spider) -> _PipelineStep:
    call = getattr(thing, "item", thing)
    if not callable(call):
        raise SpiderError(
            f"{spider.name}: `pipelines` names {thing!r:.80}; a pipeline is a function item → item,"
            " or a class with item(self, item, page)"
        )
    return _PipelineStep(name_of(thing), thing, call, _takes(call, spider, name_of(thing), skip=1))


def _takes(call: Any, spider: Spider, name: str, *, skip: int) -> tuple[str, ...]:
    what = f"the pipeline {name}"
    return takes(call, GIVEN, skip=skip, spider=spider, what=what, gets="the item")
