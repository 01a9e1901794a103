"""What a request carries along, as JSON and back: nothing comes out otherwise than it went in.

JSON values go as they are, so that SQL reads them. What JSON would change, a tuple, say, becomes
an object with one key that begins with `$`; what cannot be kept is refused where it is given.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from crawler.config.secrets import Secret
from crawler.errors import UsageError

_PLAIN = (str, bool, type(None))
_LONGEST = 14_280  # bits of an int, of which Python writes no more than 4,300 digits
_DEEPEST = 200  # values within each other
_WRITE: dict[type, tuple[str, Callable[[Any], Any]]] = {
    datetime: ("$datetime", datetime.isoformat),
    date: ("$date", date.isoformat),
    time: ("$time", time.isoformat),
    timedelta: ("$seconds", timedelta.total_seconds),
    Decimal: ("$decimal", str),
    bytes: ("$bytes", lambda value: base64.b64encode(value).decode()),
    Secret: ("$secret", lambda value: value.name),
}
_READ: dict[str, Callable[[Any], Any]] = {
    "$datetime": datetime.fromisoformat,
    "$date": date.fromisoformat,
    "$time": time.fromisoformat,
    "$seconds": lambda seconds: timedelta(seconds=seconds),
    "$decimal": Decimal,
    "$bytes": base64.b64decode,
    "$secret": Secret,
    "$float": float,
    "$tuple": lambda values: tuple(map(restored, values)),
    "$set": lambda values: set(map(restored, values)),
    "$frozenset": lambda values: frozenset(map(restored, values)),
    "$dict": lambda pairs: {restored(key): restored(value) for key, value in pairs},
}


def carried(where: str, value: Any, depth: int = 0) -> Any:
    """Return a value as JSON keeps it; UsageError names what cannot be kept, and where it stands.

    `where` is its place, like `meta`; `depth` says in how many others it stands.
    """
    kind, deeper = type(value), depth + 1
    if depth > _DEEPEST:
        raise UsageError(f"{where[:40]}… holds over {_DEEPEST} values within each other")
    if kind is int:
        if value.bit_length() > _LONGEST:
            raise UsageError(f"{where} holds an int of over 4,300 digits; keep it as text")
        return value
    if kind in _PLAIN:
        return value
    if kind is float:
        return value if math.isfinite(value) else {"$float": str(value)}
    if kind is list:
        return [carried(f"{where}[{at}]", member, deeper) for at, member in enumerate(value)]
    if kind in (tuple, set, frozenset):
        return {f"${kind.__name__}": [carried(f"{where}[…]", member, deeper) for member in value]}
    if isinstance(value, Mapping):
        return _table(where, value, deeper)
    if kind in _WRITE:
        name, write = _WRITE[kind]
        return {name: write(value)}
    raise UsageError(
        f"{where} holds a {kind.__name__}, which cannot be kept until a restart as it is; give JSON"
        " values, tuples, sets, bytes, dates, times or decimals"
    )


def _table(where: str, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    plain = all(type(key) is str for key in value)
    if plain and not (len(value) == 1 and next(iter(value))[:1] == "$"):
        return {key: carried(f"{where}[{key!r}]", member, depth) for key, member in value.items()}
    pairs = []
    for key, member in value.items():
        kept = carried(f"a key of {where}", key, depth)
        pairs.append([kept, carried(f"{where}[{key!r}]", member, depth)])
    return {"$dict": pairs}


def restored(value: Any) -> Any:
    """Return a value that `carried` has written."""
    if isinstance(value, list):
        return [restored(member) for member in value]
    if isinstance(value, dict):
        if len(value) == 1:
            [(name, inner)] = value.items()
            if name in _READ:
                return _READ[name](inner)
        return {key: restored(member) for key, member in value.items()}
    return value
