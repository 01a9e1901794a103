"""The arguments of a spider: which it knows, how they are kept with a crawl, and which differ.

A crawl is one with its arguments: pages of another category must not go into its tables. Secrets
are kept as a salted hash, or by their name in the environment; nothing gives them back.
"""

from __future__ import annotations

import difflib
import hashlib
import inspect
import json
import os
import re
import types
from collections.abc import Iterator, Mapping
from typing import Any

from crawler.config.secrets import Secret
from crawler.errors import SpiderError
from crawler.lazy_regex import lazy
from crawler.store.damage import told

Kept = dict[str, dict[str, Any]]
"""The arguments as stored, by name: {"value": …}, {"secret": name}, {"hash": …} or {"repr": …}."""

_ROUNDS = 100_000
_SECRET = lazy(
    r"passw|passphrase|pwd|secret|token|credential|cookie|(?:^|_)(?:auth|authorization|pin)(?:_|$)"
    r"|(?:^|_|api|access|private)key(?:_|$)",
    re.IGNORECASE,
)
_USERINFO = lazy(r"://[^/?#\s]*:[^/?#\s]*@")


# ---------------------------------------------------------------- known or not


def refuse_unknown(kind: type, base: type, name: str) -> None:
    """Raise SpiderError for an argument that nothing of a spider's class names.

    Known are its attributes and annotations, and what its methods read, as in `self.tag` or
    `getattr(self, "tag", None)`. `base` and its parents are known as they are.
    """
    if hasattr(kind, name):
        return
    own = [part for part in kind.__mro__ if not issubclass(base, part)]
    declared = {n for part in own for n in (*inspect.get_annotations(part), *vars(part))}
    read = {name for part in own for name in read_by(part)}
    if name in declared | read or not read.isdisjoint(("__dict__", "vars")):
        return
    usable = [n for n in dir(kind) if not n.startswith("_") and not callable(getattr(kind, n))]
    public = {n for n in declared if not n.startswith("_") and not callable(getattr(kind, n, None))}
    near = difflib.get_close_matches(name, sorted({*usable, *public}), n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else f"; it has: {', '.join(sorted(public))}"
    raise SpiderError(
        f"-a {name}: the spider {getattr(kind, 'name', '') or kind.__name__} has no {name!r}"
        f"{hint if near or public else '; declare it in the class'}"
    )


def read_by(part: type) -> Iterator[str]:
    """Yield the names, and the texts, in the code of a class."""
    for value in vars(part).values():
        for found in (value, *(getattr(value, name, None) for name in ("fget", "__func__"))):
            function = inspect.unwrap(found) if callable(found) else None
            if isinstance(function, types.FunctionType):
                yield from _names_in(function.__code__)


def _names_in(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    yield from code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    for constant in code.co_consts:
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, types.CodeType):
            yield from _names_in(constant)


# ---------------------------------------------------------------- kept with the crawl


def given_to(spider: Any) -> dict[str, Any]:
    """Return what a spider was made with, by name; a default that was given counts as given."""
    positional, named = spider.made_with
    kind = type(spider)
    try:
        bound = inspect.signature(kind.__init__).bind(spider, *positional, **named)
    except TypeError:  # it was made by other means than its constructor
        return dict(named)
    found: dict[str, Any] = {}
    for parameter, value in list(bound.arguments.items())[1:]:
        how = bound.signature.parameters[parameter].kind
        if how is inspect.Parameter.VAR_KEYWORD:
            found |= value
        elif how is inspect.Parameter.VAR_POSITIONAL and kind.__module__ == "crawler.spider":
            continue  # seeds of a site, which are told from what the crawl has seen
        else:
            found[parameter] = value
    return found


def kept(spider: Any) -> str:
    """Return the arguments of a spider as a crawl keeps them, in JSON."""
    return json.dumps({name: _kept(name, value) for name, value in given_to(spider).items()})


def _kept(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, Secret):
        return {"secret": value.name}
    text = _text(value)
    if _is_secret(name, value):
        salt = os.urandom(16).hex()
        return {"hash": f"{salt}:{_hash(salt, text or repr(value))}"}
    return {"repr": _described(value)} if text is None else {"value": json.loads(text)}


def _text(value: Any) -> str | None:
    """Return a value as JSON, None if it is none."""
    try:
        return json.dumps(value, sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return None


def _described(value: Any) -> str:
    """Return how a value describes itself, without where it lies in memory."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))[:500]


def _is_secret(name: str, value: Any) -> bool:
    if _SECRET.search(name):
        return True
    if isinstance(value, Mapping):
        return any(_is_secret(str(key), inner) for key, inner in value.items())
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(_is_secret("", inner) for inner in value)
    return isinstance(value, Secret) or (
        isinstance(value, str) and _USERINFO.search(value) is not None
    )


def _hash(salt: str, text: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", text.encode(), salt.encode(), _ROUNDS).hex()


# ---------------------------------------------------------------- the same or not


def refuse_other(spider: Any, stored: str, address: str) -> None:
    """Raise SpiderError where a spider was made with other arguments than its crawl."""
    were = were_of(stored)
    given = given_to(spider)
    for name in {**were, **given}:
        default = _default(type(spider), name)
        now = given.get(name, default)
        was = were.get(name) or _kept("", default)
        if not _same(name, was, now):
            raise SpiderError(
                f"{address} holds a crawl of {spider.name} with {_shown(name, was)}, not with"
                f" {_other(name, was, now)}; give this one another --store, or start over with"
                " --fresh"
            )


def were_of(stored: str) -> Kept:
    """Return the arguments of a crawl as its store has them; StoreDamaged where it has none."""
    with told(None, "the row 'arguments' of the table crawl"):
        were: Kept = json.loads(stored)
        if not all(isinstance(was, dict) for was in were.values()):
            raise ValueError("no object of objects")
    return were


def _default(kind: type, name: str) -> Any:
    parameter = inspect.signature(kind.__init__).parameters.get(name)  # type: ignore[misc]
    if parameter is not None and parameter.default is not parameter.empty:
        return parameter.default
    value = getattr(kind, name, None)
    return None if isinstance(value, property) else value


def _same(name: str, was: Mapping[str, Any], now: Any) -> bool:
    if "hash" in was:
        salt, _, made = was["hash"].partition(":")
        return bool(_hash(salt, _text(now) or repr(now)) == made)
    if "secret" in was:
        return isinstance(now, Secret) and now.name == was["secret"]
    if "repr" in was:
        return bool(_described(now) == was["repr"])
    return bool(_text(now) == json.dumps(was["value"], sort_keys=True))


def _other(name: str, was: Mapping[str, Any], now: Any) -> str:
    """Return the argument that differs, as it is typed."""
    if "hash" in was:
        return f"another {name}" if now is not None else f"no {name}"
    return _shown(name, _kept(name, now))


def _shown(name: str, kept: Mapping[str, Any]) -> str:
    """Return an argument as it is typed; a secret is not told."""
    if "hash" in kept:
        return f"{name}=***"
    if "secret" in kept:
        return f"{name}=Secret({kept['secret']!r})"
    value = kept.get("value", kept.get("repr"))
    if value is None:
        return f"no {name}"
    return f"{name}={value if isinstance(value, str) else json.dumps(value)}"


def filled(kind: type, given: Mapping[str, Any], stored: str) -> dict[str, Any]:
    """Return the given arguments, and those of the crawl for what is not given.

    SpiderError for one that is kept as a hash alone and must be given again.
    """
    found: dict[str, Any] = {}
    were = were_of(stored)
    for name, was in were.items():
        if name in given:
            continue
        if "value" in was:
            found[name] = was["value"]
        elif "secret" in was:
            found[name] = Secret(was["secret"])
        else:
            raise SpiderError(
                f"the crawl of {getattr(kind, 'name', kind.__name__)} was given {name}, of which"
                f" it keeps a hash alone; give it again: -a {name}=…"
            )
    return {**found, **given}
