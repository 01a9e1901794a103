"""The configuration: closed, typed sections, and the layers that fill them.

Layers, the later wins: defaults, `config.toml`, the spider's `settings`,
`CRAWLER_SECTION__KEY` in the environment, `--set section.key=value`. Tables are joined.
An unknown key is a ConfigError that names the nearest known one. msgspec and not pydantic-settings
checks the values: it costs a tenth of the start-up time (docs/decisions/0004-configuration.md).
"""

import contextlib
import difflib
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec
from msgspec import Struct

from crawler.config.auth import AuthSettings
from crawler.config.browser import BrowserSettings
from crawler.config.cache import CacheSettings
from crawler.config.engine import EngineSettings
from crawler.config.fetch import FetchSettings
from crawler.config.hosts import HostSettings, HostsSettings
from crawler.config.identity import IdentitySettings
from crawler.config.links import LinksSettings
from crawler.config.politeness import PolitenessSettings
from crawler.config.proxy import ProxySettings
from crawler.config.revisit import RevisitSettings
from crawler.config.scraper_api import ScraperApiSettings
from crawler.config.section import Section
from crawler.config.store import StoreSettings
from crawler.config.tls import TlsSettings
from crawler.config.traps import TrapsSettings
from crawler.errors import ConfigError

PREFIX = "CRAWLER_"
DEFAULT_FILE = Path("config.toml")
_WORDS = {"true": True, "false": False, "0": 0}
_NAMED = ("auth", "hosts")
"""Sections whose tables are named by what they are for, and kept below `at`."""


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every section; see each for its keys."""

    engine: EngineSettings = EngineSettings()
    politeness: PolitenessSettings = PolitenessSettings()
    fetch: FetchSettings = FetchSettings()
    store: StoreSettings = StoreSettings()
    revisit: RevisitSettings = RevisitSettings()
    tls: TlsSettings = TlsSettings()
    proxy: ProxySettings = ProxySettings()
    auth: AuthSettings = AuthSettings()
    hosts: HostsSettings = HostsSettings()
    identity: IdentitySettings = IdentitySettings()
    cache: CacheSettings = CacheSettings()
    scraper_api: ScraperApiSettings = ScraperApiSettings()
    browser: BrowserSettings = BrowserSettings()
    links: LinksSettings = LinksSettings()
    traps: TrapsSettings = TrapsSettings()

    @property
    def agent(self) -> str:
        """The User-Agent header."""
        contact = self.politeness.contact
        return (
            f"{self.politeness.user_agent} (+{contact})" if contact else self.politeness.user_agent
        )


SECTIONS: dict[str, type[Section]] = {
    field.name: field.type for field in msgspec.structs.fields(Config)
}

Layer = Mapping[str, Mapping[str, Any]]


def load(
    path: Path | None = None,
    *,
    spider: Layer | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Iterable[str] = (),
) -> Config:
    """Return the configuration made of all layers.

    `path` None reads `config.toml` of the working directory if there is one.
    ConfigError names the layer, the key, and the nearest known key.
    """
    merged: dict[str, dict[str, Any]] = {}
    for source, layer in (
        _file_layer(path),
        ("the spider's settings", spider or {}),
        ("the environment", _environ_layer(os.environ if environ is None else environ)),
        ("--set", _override_layer(overrides)),
    ):
        if not isinstance(layer, Mapping):
            raise ConfigError(f'{source}: no dict; write {{"politeness": {{"delay": 1}}}}')
        layer = _lifted(layer)
        _check(source, layer)
        for section, values in layer.items():
            known = merged.setdefault(section, {})
            deep = section == "hosts"
            known.update(
                {key: _joined(known.get(key), value, deep=deep) for key, value in values.items()}
            )
    return msgspec.convert(merged, Config)


def _joined(before: Any, value: Any, *, deep: bool = False) -> Any:
    """Return a later layer's value; a table joins the one before, an empty one empties it.

    `deep`: the tables in it do so as well.
    """
    if not (isinstance(before, Mapping) and isinstance(value, Mapping) and value):
        return value
    if not deep:
        return {**before, **value}
    return {**before, **{key: _joined(before.get(key), v, deep=True) for key, v in value.items()}}


def _file_layer(path: Path | None) -> tuple[str, Layer]:
    file = path or DEFAULT_FILE
    if path is None and not file.exists():
        return str(file), {}
    import tomllib  # 5 ms, which a crawl without a file need not wait for

    try:
        return str(file), tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{file}: {error.strerror or error}; give another file with --config"
        ) from None
    except ValueError as error:  # of numbers with over 4,300 digits, too
        raise ConfigError(f"{file}: not valid TOML: {error}") from None


def _environ_layer(environ: Mapping[str, str]) -> Layer:
    layer: dict[str, dict[str, Any]] = {}
    for name, text in environ.items():
        if name.startswith(PREFIX) and "__" in name:
            section, key = name.removeprefix(PREFIX).lower().split("__", 1)
            layer.setdefault(section, {})[key] = _value(text)
    return layer


def _override_layer(overrides: Iterable[str]) -> Layer:
    layer: dict[str, dict[str, Any]] = {}
    for text in overrides:
        name, equals, value = text.partition("=")
        section, dot, key = name.strip().partition(".")
        if not (equals and dot and key):
            raise ConfigError(
                f"--set {text}: write it as section.key=value, like politeness.delay=1"
            )
        if section.strip() in _NAMED:
            layer[section] = _joined(layer.get(section), _nested(key, value), deep=True)
        else:
            layer.setdefault(section, {})[key] = _value(value)
    return layer


def _nested(key: str, value: str) -> dict[str, Any]:
    """Read a key with a name in it, as in hosts."shop.example".delay=2, as TOML does."""
    import tomllib

    for written in (value, json.dumps(value)):
        with contextlib.suppress(ValueError):  # no TOML, or a number of over 4,300 digits
            return tomllib.loads(f"{key} = {written}")
    return {key: _value(value)}


def _value(text: str) -> Any:
    """Read a value as TOML would (1.5, true, [1, 2]); any other text is itself."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) < 10 and text.isascii() and text.isdecimal() and text[0] != "0":
        return int(text)
    import tomllib

    try:
        return tomllib.loads(f"value = {text}")["value"]
    except ValueError:  # no TOML, or a number of over 4,300 digits
        return text


def _lifted(layer: Layer) -> Layer:
    """Put the tables that `[auth."https://…"]` and `[hosts."…"]` make where sections keep them."""
    found = dict(layer)
    for section in _NAMED:
        tables = layer.get(section)
        if isinstance(tables, Mapping) and "at" not in tables:
            if tables:
                found[section] = {"at": dict(tables)}
            else:
                del found[section]
    return found


def _check(source: str, layer: Layer) -> None:
    """Raise ConfigError for the first unknown or unfit key of one layer."""
    for section, values in layer.items():
        model = SECTIONS.get(section)
        if model is None:
            raise ConfigError(_unknown(source, section, list(SECTIONS), ""))
        if not isinstance(values, Mapping):
            raise ConfigError(
                f"{source}: `{section}` is a section; write `[{section}]` and its keys below"
            )
        if section == "hosts":
            _check_hosts(source, values.get("at"))
        _check_keys(source, f"{section}.", values, model, _all_keys())


def _check_hosts(source: str, hosts: Any) -> None:
    """Raise ConfigError for the first host that is none, or key of it that is unknown or unfit."""
    for name, values in hosts.items() if isinstance(hosts, Mapping) else ():
        prefix = f'hosts."{name}".'
        if not isinstance(values, Mapping):
            raise ConfigError(
                f'{source}: `hosts.{name}` is a host; write `[hosts."{name}"]` and its keys below'
            )
        try:
            HostsSettings(at={name: HostSettings()}).of("https://any.example")
        except ConfigError as error:
            raise ConfigError(f"{source}: {error}") from None
        known = [f"{prefix}{key}" for key in HostSettings.__struct_fields__]
        _check_keys(source, prefix, values, HostSettings, known)


def _check_keys(
    source: str, prefix: str, values: Mapping[str, Any], model: type[Section], every: list[str]
) -> None:
    for key in values:
        if key not in model.__struct_fields__:
            raise ConfigError(_unknown(source, f"{prefix}{key}", every, prefix))
    for key, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{source}: `{prefix}{key}` = {value}: write a finite number")
        try:
            msgspec.convert({key: value}, model)
        except msgspec.ValidationError as error:
            reason = str(error).partition(" - at ")[0]
            if reason.startswith("Invalid enum value"):
                reason = _none_of(key, value, model)
            shown = "" if isinstance(value, Mapping) else f" = {value!r:.200}"
            raise ConfigError(f"{source}: `{prefix}{key}`{shown}: {reason}") from None


def _none_of(key: str, value: Any, model: type[msgspec.Struct]) -> str:
    """Return which values a key takes, and which of them was meant."""
    kind = next(field.type for field in msgspec.structs.fields(model) if field.name == key)
    known = list(_choices(kind))
    given = value if isinstance(value, (list, tuple)) else [value]
    wrong = [str(each) for each in given if each not in known]
    near = difflib.get_close_matches(wrong[0], known, n=1) if wrong else []
    return f"give {' or '.join(known)}" + (f"; did you mean {near[0]!r}?" if near else "")


def _choices(annotation: Any) -> Iterator[str]:
    """Yield the words that a type takes, as those of `Literal["breadth", "depth"]`."""
    for part in get_args(annotation):
        if isinstance(part, str):
            yield part
        else:
            yield from _choices(part)


class ConfigKey(Struct, frozen=True):
    """One key of the configuration, for documentation and messages."""

    section: str
    name: str
    kind: str
    default: Any
    help: str


def keys() -> list[ConfigKey]:
    """Return each key, by section, in code order; its help is the docstring behind it."""
    import ast
    import inspect

    found = []
    for section, model in SECTIONS.items():
        [body] = ast.parse(inspect.getsource(model)).body
        assert isinstance(body, ast.ClassDef)
        texts = [node.value.value for node in body.body[1:] if isinstance(node, ast.Expr)]  # type: ignore[attr-defined]
        for field, text in zip(msgspec.structs.fields(model), texts, strict=True):
            default = field.default
            if default is msgspec.NODEFAULT:
                default = field.default_factory()
            found.append(ConfigKey(section, field.name, _kind(field.type), default, text))
    return found


def _kind(annotation: Any) -> str:
    """Write a type as a reader of the configuration knows it."""
    if annotation is type(None):
        return "unset"
    parts = get_args(annotation)
    if not parts:
        return str(getattr(annotation, "__name__", annotation))
    if all(isinstance(part, str) for part in parts):
        return " | ".join(f'"{part}"' for part in parts)
    if getattr(annotation, "__metadata__", None):
        return _kind(parts[0])
    if parts[-1] is Ellipsis:
        return f"list[{_kind(parts[0])}]"  # as TOML has it
    if getattr(annotation, "__origin__", None) in (dict, list, tuple):
        return f"{annotation.__origin__.__name__}[{', '.join(map(_kind, parts))}]"
    return " | ".join(_kind(part) for part in parts)


def _all_keys() -> list[str]:
    return [
        f"{section}.{key}" for section, model in SECTIONS.items() for key in model.__struct_fields__
    ]


def _unknown(source: str, name: str, known: list[str], prefix: str) -> str:
    section, dot, key = name.partition(".")
    if dot and name in _all_keys():
        return f'{source}: `{name}` is a key of a section; write {{"{section}": {{"{key}": …}}}}'
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if not near and not dot:
        near = [each for each in _all_keys() if each.endswith(f".{name}")][:1]
    if not near and not dot:
        near = difflib.get_close_matches(name, _all_keys(), n=1, cutoff=0.5)
    hint = (
        f"; did you mean `{near[0]}`?"
        if near
        else f"; known: {', '.join(k for k in known if k.startswith(prefix))}"
    )
    return f"{source}: unknown key `{name}`{hint}"
