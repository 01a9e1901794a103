"""Items loaded from a page by selectors of their fields: `price: float = css(".price", number)`.

`load` makes one item and raises LoadError for what cannot be; `ScrapedPage.items` yields them and
refuses what cannot be alone. What makes a value of a text is a function of the text; of `kind` (the
type of its field), `join` (makes a reference absolute) and `now` (when the page was fetched) it
takes what it names.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from datetime import date as day
from decimal import Decimal
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin, overload

from cssselect import SelectorError

from crawler import urls
from crawler.errors import SpiderError
from crawler.items import InvalidItem
from crawler.items.columns import kind_of
from crawler.items.fields import fields_of
from crawler.items.refused import as_object
from crawler.items.selected import KEY, Convert, Selected, css, xpath
from crawler.parse.dates import date
from crawler.parse.numbers import number
from crawler.parse.text import text_of
from crawler.web.record_types import Refuse

if TYPE_CHECKING:
    from parsel import Selector

    from crawler.web.page import ScrapedPage

__all__ = ["LoadError", "css", "date", "load", "number", "text", "url", "xpath"]

T = TypeVar("T")
Join = Callable[[str], str | None]

_SHOWN = 80  # characters of what was found that an error tells
_NUMBERS, _DAYS = (int, float, Decimal), (datetime, day)
_CONTAINERS = (list, tuple, set, frozenset)


class LoadError(InvalidItem):
    """A field of an item that its page does not have, or has in a form that is refused.

    `item`, `field`, `selector` and `url` say where; `found` is the text, None where there is none;
    `reason` is the same without text and URL, so that one kind of mistake is one reason; `loaded`
    has the fields before it.
    """

    def __init__(
        self,
        why: str,
        *,
        item: str,
        field: str,
        selector: str,
        url: str,
        found: str | None = None,
        loaded: Mapping[str, Any] | None = None,
    ) -> None:
        """Take what is wrong, and where."""
        self.item, self.field, self.selector, self.url = item, field, selector, url
        self.found, self.loaded = found, dict(loaded or {})
        self.reason = f"{item}.{field}: {selector}: {why}"
        shown = "" if found is None else f" in {' '.join(found.split())[:_SHOWN]!r}"
        super().__init__(f"{self.reason}{shown} ({url})")

    def as_given(self) -> str:
        """Return the fields that were loaded, and the text that was refused, as a JSON object."""
        return as_object({**self.loaded, self.field: self.found}.items())


# ---------------------------------------------------------------- what makes a value of a text


@overload
def text() -> Callable[[str], str]: ...
@overload
def text(found: str, /) -> str: ...
def text(found: str | None = None, /) -> Any:
    """Return a text with its white space collapsed; without one, this function."""
    return text if found is None else " ".join(found.split())


@overload
def url() -> Callable[..., str]: ...
@overload
def url(found: str, /, *, join: Join = urls.parse) -> str: ...
def url(found: str | None = None, /, *, join: Join = urls.parse) -> Any:
    """Return the canonical URL of a reference; ValueError where it leads to no http(s) URL.

    `join` makes it absolute: `page.urljoin`, which heeds `<base href>` and the encoding, where an
    item is loaded. Without a text, return this function.
    """
    if found is None:
        return url
    made = join(found.strip())
    if made is None:
        raise ValueError("no http(s) URL")
    return made


_ATTRIBUTES: dict[Any, tuple[str, ...]] = {url: ("href", "src"), date: ("datetime",)}
"""What an element says in an attribute rather than in its text, to those who look for it."""


# ---------------------------------------------------------------- loading


def load(kind: type[T], where: Any, page: ScrapedPage | None = None, /, **given: Any) -> T:
    """Return an item whose fields are found by their selectors, in a page or in one element of it.

    `load(Tea, page)`, or `load(Tea, row, page)` for each `row` of `page.css(".tea")`. `given` are
    fields that are known already. Where nothing is found, or nothing but white space, the default
    of the field stands; without one, None where its type takes None. LoadError where neither does,
    or where a text is refused. SpiderError for a class without such fields, or a wrong selector.
    """
    page = where if page is None and hasattr(where, "urljoin") else page
    if page is not None:
        source = _LoadedFrom(page.url, page.urljoin, page.timestamp)
    else:
        base = getattr(getattr(where, "root", None), "base", None) or ""
        source = _LoadedFrom(base, partial(_joined, base), datetime.now(UTC))
    values = dict(given)
    for field in _fields(kind):  # type: ignore[arg-type]  # a type is hashable
        if field.name not in values:
            found = _value(kind, field, where, source, values)
            if found is not dataclasses.MISSING:
                values[field.name] = found
    try:
        return kind(**values)
    except ValueError as error:  # of its __post_init__
        raise LoadError(
            str(error),
            item=kind.__name__,
            field="__post_init__",
            selector="its fields",
            url=source.url,
            loaded=values,
        ) from error


def load_each(
    kind: type[T], page: ScrapedPage, at: str | None, given: Mapping[str, Any], refuse: Refuse
) -> Iterator[T]:
    """Yield the item of a page, or of each element that `at` finds; refuse alone what is none."""
    for where in [page] if at is None else _select(page, Selected("css", at, None, True), "at"):
        try:
            made = load(kind, where, page, **given)
        except LoadError as error:
            if page.visit is None:
                raise
            refuse(kind.__name__, error.reason, error.as_given())
        else:
            yield made


@dataclasses.dataclass(frozen=True, slots=True)
class _LoadedFrom:
    """Where an item is loaded from: what converters may ask for."""

    url: str
    join: Join
    now: datetime


@dataclasses.dataclass(frozen=True, slots=True)
class _Field:
    """A field of an item, with all that its declaration says."""

    name: str
    selected: Selected | None
    convert: Convert
    kind: Any
    container: Any
    optional: bool
    has_default: bool


def _joined(base: str, reference: str) -> str | None:
    return urls.parse(reference, base or None)


@lru_cache(maxsize=256)
def _fields(kind: type) -> tuple[_Field, ...]:
    if not dataclasses.is_dataclass(kind):
        raise SpiderError(f"{kind.__name__} cannot be loaded: make it an @item or a dataclass")
    hints = {name: hint for name, hint, _ in fields_of(kind)}
    made = tuple(_field(one, hints[one.name]) for one in dataclasses.fields(kind) if one.init)
    if not any(one.selected for one in made):
        raise SpiderError(
            f'{kind.__name__} cannot be loaded: no field says where it stands; write css("…")'
        )
    return made


def _field(field: dataclasses.Field[Any], hint: Any) -> _Field:
    selected: Selected | None = field.metadata.get(KEY)
    _, required, bare = kind_of(hint)
    container = None
    if selected is not None and selected.all:
        container = next((one for one in _CONTAINERS if one is (get_origin(bare) or bare)), list)
        bare = kind_of(next(iter(get_args(bare)), str))[2]
    convert = (selected.convert if selected else None) or _by_kind(bare)
    missing = dataclasses.MISSING
    has_default = field.default is not missing or field.default_factory is not missing
    return _Field(field.name, selected, convert, bare, container, not required, has_default)


def _by_kind(kind: Any) -> Convert:
    if kind in _NUMBERS:
        return number
    return date if kind in _DAYS else text


def _value(
    kind: type, field: _Field, where: Any, source: _LoadedFrom, loaded: Mapping[str, Any]
) -> Any:
    """Return the value of a field; MISSING where its default is to stand."""
    if field.selected is None:
        if not field.has_default:
            raise SpiderError(
                f"{kind.__name__}.{field.name} has neither a selector nor a default:"
                f" load({kind.__name__}, page, {field.name}=…)"
            )
        return dataclasses.MISSING
    told: dict[str, Any] = {
        "item": kind.__name__,
        "field": field.name,
        "selector": str(field.selected),
        "url": source.url,
        "loaded": loaded,
    }
    matches = _select(where, field.selected, f"{kind.__name__}.{field.name}")
    texts = [found for match in matches if (found := _text(match, field.convert)).strip()]
    if texts:
        made = [
            _converted(found, field, source, told)
            for found in (texts if field.container else texts[:1])
        ]
        return field.container(made) if field.container else made[0]
    if field.has_default:
        return dataclasses.MISSING
    if field.optional:
        return None
    raise LoadError("finds nothing" if not matches else "finds only white space", **told)


def _select(where: Any, selected: Selected, name: str) -> Iterable[Any]:
    try:
        return list(getattr(where, selected.language)(selected.query))
    except (SelectorError, ValueError) as error:
        raise SpiderError(f"{name}: {selected} cannot be: {error}") from error


def _text(match: Selector, convert: Convert) -> str:
    """Return what a match says: itself, an attribute that is looked for, or its text."""
    root = match.root
    if not isinstance(getattr(root, "tag", None), str):
        return str(match.get())
    wanted = _ATTRIBUTES.get(getattr(convert, "func", convert), ())
    for name in (*wanted, "content") if root.tag == "meta" else wanted:
        if name in root.attrib:
            return str(root.attrib[name])
    # What is asked for by name and no reader sees, such as a <title>, has its text all the same.
    return text_of(match.get() or "") or str(match.xpath("string()").get() or "")


def _converted(found: str, field: _Field, source: _LoadedFrom, told: Mapping[str, Any]) -> Any:
    known = {"join": source.join, "now": source.now}
    if field.kind in (*_NUMBERS, *_DAYS):
        known["kind"] = field.kind
    named = _named(field.convert)
    try:
        return field.convert(found, **{name: known[name] for name in known if name in named})
    except ValueError as error:
        raise LoadError(str(error), found=found, **told) from error


@lru_cache(maxsize=256)
def _named(convert: Convert) -> frozenset[str]:
    """Return which of what is known a function takes by name."""
    try:
        parameters = inspect.signature(convert).parameters.values()
    except ValueError:  # of a builtin
        return frozenset()
    return frozenset(one.name for one in parameters if one.kind is one.KEYWORD_ONLY)
