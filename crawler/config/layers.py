"""The configuration: closed, typed sections, and the layers that fill them.

Layers, the later wins: defaults, `config.toml`, the spider's `settings`,
`CRAWLER_SECTION__KEY` in the environment, `--set section.key=value`. Tables are joined.
An unknown key is a ConfigError that names the nearest known one. msgspec and not pydantic-settings
checks the values: it costs a tenth of the start-up time (docs/decisions/0004-configuration.md).
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_args

import msgspec
from msgspec import Struct

from crawler.config.auth import AuthSettings
from crawler.config.browser import BrowserSettings
from crawler.config.cache import CacheSettings
from crawler.config.engine import EngineSettings
from crawler.config.fetch import FetchSettings
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
        layer = _lifted(layer)
        _check(source, layer)
        for section, values in layer.items():
            known = merged.setdefault(section, {})
            known.update({key: _joined(known.get(key), value) for key, value in values.items()})
    return msgspec.convert(merged, Config)


def _joined(before: Any, value: Any) -> Any:
    """Return a later layer's value; a table joins the one before, an empty one empties it."""
    if isinstance(before, Mapping) and isinstance(value, Mapping) and value:
        return {**before, **value}
    return value


def _file_layer(path: Path | None) -> tuple[str, Layer]:
    file = path or DEFAULT_FILE
    if path is None and not file.exists():
        return str(file), {}
    try:
        return str(file), tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{file}: {error.strerror or error}; give another file with --config"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
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
        layer.setdefault(section, {})[key] = _value(value)
    return layer


def _value(text: str) -> Any:
    """Read a value as TOML would (1.5, true, [1, 2]); any other text is itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _lifted(layer: Layer) -> Layer:
    """Put the tables that `[auth."https://…"]` makes where the section keeps them."""
    auth = layer.get("auth")
    if not isinstance(auth, Mapping) or "at" in auth:
        return layer
    return {**layer, "auth": {"at": dict(auth)}} if auth else layer


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
        for key in values:
            if key not in model.__struct_fields__:
                raise ConfigError(_unknown(source, f"{section}.{key}", _all_keys(), f"{section}."))
        for key, value in values.items():
            try:
                msgspec.convert({key: value}, model)
            except msgspec.ValidationError as error:
                reason = str(error).partition(" - at ")[0]
                shown = "" if isinstance(value, Mapping) else f" = {value!r}"
                raise ConfigError(f"{source}: `{section}.{key}`{shown}: {reason}") from None


class ConfigKey(NamedTuple):
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
    if getattr(annotation, "__origin__", None) in (dict, list, tuple):
        return f"{annotation.__origin__.__name__}[{', '.join(map(_kind, parts))}]"
    return " | ".join(_kind(part) for part in parts)


def _all_keys() -> list[str]:
    return [
        f"{section}.{key}" for section, model in SECTIONS.items() for key in model.__struct_fields__
    ]


def _unknown(source: str, name: str, known: list[str], prefix: str) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if not near and "." not in name:
        near = difflib.get_close_matches(name, _all_keys(), n=1, cutoff=0.5)
    hint = (
        f"; did you mean `{near[0]}`?"
        if near
        else f"; known: {', '.join(k for k in known if k.startswith(prefix))}"
    )
    return f"{source}: unknown key `{name}`{hint}"
