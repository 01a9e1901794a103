"""Records as objects of a type, and what becomes of those that do not fit it."""

from __future__ import annotations

import typing
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from crawler.items.refused import as_given
from crawler.web.refusal import Refusal

if TYPE_CHECKING:
    from crawler.web.visit import Visit

Record = dict[str, Any]
Refuse = Callable[[str, str, Any], None]
"""Takes the name of a type, why a record is none, and the record."""

T = TypeVar("T")

_LONGEST = 200  # characters of a name that is made of another
_LISTS = (list, set, frozenset, tuple)


def refuse_for(visit: Visit | None, url: str) -> Refuse:
    """Return what counts a record that cannot be, and keeps it among the problems of its visit.

    Without a visit, as where a test reads a page by itself, it raises ValueError.
    """

    def refuse(kind: str, why: str, record: Any) -> None:
        if visit is None:
            raise ValueError(f"{url}: a record that is no {kind}: {why}")
        given = as_given(record) if isinstance(record, Mapping) else str(record)
        visit.problems.append((kind, why[:2000], given))
        visit.refuse(Refusal.ITEM_REFUSED)

    return refuse


def column_names(header: Iterable[str]) -> list[str]:
    """Return names of columns, each once: the second `a` is `a_2`, one without is `column_3`."""
    names: dict[str, None] = {}
    numbers: dict[str, int] = {}
    for place, cell in enumerate(header, start=1):
        name = cell or f"column_{place}"
        short = name[:_LONGEST]
        while name in names:
            numbers[short] = numbers.get(short, 1) + 1
            name = f"{short}_{numbers[short]}"
        names[name] = None
    return list(names)


def typed(found: Iterator[Record], kind: type[T], refuse: Refuse) -> Generator[T, None, None]:
    """Yield records as objects of a type: an @item, a dataclass, pydantic, attrs or msgspec class.

    Texts become the numbers, dates and booleans of their fields, an empty one None, one value the
    list of it; fields that the type has not are left out. What does not fit is refused.
    """
    lists, texts = _fields(kind)
    for record in found:
        given = {name: value for name, value in record.items() if value != "" or name in texts}
        for name in lists:
            if name in given and not isinstance(given[name], list):
                given[name] = [given[name]]
        try:
            made = _made(given, kind)
        except (msgspec.ValidationError, ValueError, TypeError) as error:
            refuse(kind.__name__, " ".join(str(error).split())[:300], record)
        else:
            yield made


def _fields(kind: Any) -> tuple[set[str], set[str]]:
    """Return the fields of a type that are lists, and those that are texts."""
    hints = typing.get_type_hints(kind)
    lists = {name for name, hint in hints.items() if (typing.get_origin(hint) or hint) in _LISTS}
    return lists, {name for name, hint in hints.items() if hint is str}


def _made(given: Record, kind: Any) -> Any:
    if hasattr(kind, "model_validate"):
        return kind.model_validate(given)
    return msgspec.convert(given, kind, strict=False)
