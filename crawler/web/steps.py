"""Steps: what is done to a page in the browser before it is read, as data that can be stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from crawler.config.secrets import Secret
from crawler.errors import UsageError

_SECRET = "$secret"  # as in the other parts of a stored request


class Step(Struct, frozen=True):
    """One step. `optional` ones may find nothing to be done to."""


class Wait(Step, frozen=True):
    """Wait for an element (`css`) to be there, for `ms` milliseconds, or until all is at rest."""

    css: str | None = None
    ms: int | None = None
    idle: bool = False
    optional: bool = False


class Click(Step, frozen=True):
    """Click on the first element that `css` finds, up to `most` times while there is one."""

    css: str
    most: int = 1
    optional: bool = False


class Fill(Step, frozen=True):
    """Write `text` into a field; of a `Secret` only the name is stored."""

    css: str
    text: str | Secret
    optional: bool = False


class Select(Step, frozen=True):
    """Choose an option of a `select` by its value or its label."""

    css: str
    value: str
    optional: bool = False


class Press(Step, frozen=True):
    """Press a key, like `Enter` or `Control+A`, in an element or wherever the focus is."""

    key: str
    css: str | None = None
    optional: bool = False


class Scroll(Step, frozen=True):
    """Scroll down until `until` (a selector) finds something or nothing more comes.

    At most `most` times; where more would come then, that is counted as a refusal.
    """

    until: str | None = None
    most: int = 50


class Evaluate(Step, frozen=True):
    """Run JavaScript in the page: an expression, or a function that is called."""

    js: str
    optional: bool = False


class Screenshot(Step, frozen=True):
    """Store a picture of the whole page, or of an element, as the file `name`.png of the page."""

    name: str = "page"
    css: str | None = None


class Pdf(Step, frozen=True):
    """Store the page as it would be printed, as the file `name`.pdf of the page."""

    name: str = "page"


KINDS: Mapping[str, type[Step]] = {
    kind.__name__.lower(): kind
    for kind in (Wait, Click, Fill, Select, Press, Scroll, Evaluate, Screenshot, Pdf)
}
"""The steps by the names that they are stored under."""


def checked(steps: Iterable[Any]) -> tuple[Step, ...]:
    """Return steps as a Request keeps them; UsageError for what is none."""
    found = tuple(steps)
    for step in found:
        if not isinstance(step, Step):
            known = ", ".join(kind.__name__ for kind in KINDS.values())
            raise UsageError(f"{step!r:.80} is no step of the browser; known: {known}")
        name = getattr(step, "name", "page")
        if not name or not name.replace("-", "").replace("_", "").isalnum():
            raise UsageError(f"{name!r} cannot name a file; use letters, digits, - and _")
    return found


def stored(steps: Iterable[Step]) -> list[dict[str, Any]]:
    """Return the stored form of steps; a Secret stays one, for the JSON of the request."""
    return [
        {"step": type(step).__name__.lower()}
        | {name: value for name, value in asdict(step).items() if value not in (None, False)}
        for step in steps
    ]


def revived(rows: Iterable[Mapping[str, Any]]) -> tuple[Step, ...]:
    """Return steps from their stored form."""
    found = []
    for row in rows:
        fields = {
            name: Secret(value[_SECRET]) if isinstance(value, dict) else value
            for name, value in row.items()
        }
        kind = KINDS[str(fields.pop("step"))]
        found.append(kind(**fields))
    return tuple(found)
