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
from typing import Annotated, Any, Literal, NamedTuple, get_args

import msgspec
from msgspec import Meta, Struct

from crawler.config.links import LinksSettings, TrapsSettings
from crawler.config.network import (
    AuthSettings,
    CacheSettings,
    ProxySettings,
    ScraperApiSettings,
    TlsSettings,
)
from crawler.config.section import Count, Positive, RateText, Seconds, Section, SomeSeconds
from crawler.errors import ConfigError
from crawler.version import __version__

PREFIX = "CRAWLER_"
DEFAULT_FILE = Path("config.toml")


class EngineSettings(Section, frozen=True, kw_only=True):
    """How much is done at once, how far a crawl goes, and when it stops."""

    workers: Positive = 32
    """Requests in flight at the same time, over all hosts."""
    streams: Positive = 100
    """Streams (WebSockets) open at the same time, beside the workers; more wait for their turn."""
    max_pages: Positive | None = None
    """Stop when this many pages are stored, counted over all runs of the crawl; unset: no limit.
    What a recrawl visits again is counted by itself, from 0 in each run."""
    max_depth: Count | None = None
    """Follow links at most this many steps from a seed; unset: no limit."""
    scope: Literal["host", "domain", "prefix", "any"] = "host"
    """Which links belong to the crawl, measured against its seeds (or `allowed_domains`)."""
    order: Literal["breadth", "depth"] = "breadth"
    """Within a host and a priority: oldest discovery first, or deepest first."""
    grace: Seconds = 10.0
    """Seconds that requests in flight get to end after the first SIGINT or SIGTERM."""
    callback_timeout: SomeSeconds = 60.0
    """Seconds an asynchronous callback may take for one page."""
    parse_processes: Count = 0
    """Processes that parse pages and run the spider's synchronous callbacks; 0: no process more."""
    parse_timeout: SomeSeconds = 30.0
    """Seconds that parsing a page may take, with its callback where `parse_processes` runs it."""


class PolitenessSettings(Section, frozen=True, kw_only=True):
    """How a host is treated. A host is scheme, name and port."""

    delay: Seconds = 0.25
    """Seconds between two starts on one host."""
    per_host: Positive = 2
    """Requests in flight on one host at the same time."""
    rate: RateText | None = None
    """At most this many starts on one host in any window, as calls/seconds: "10/60", "500/1h"."""
    robots: bool = True
    """Obey robots.txt (RFC 9309), its Crawl-delay included."""
    user_agent: str = f"crawlkeep/{__version__}"
    """Sent with every request; its first word is the product token that robots.txt rules name."""
    contact: str = ""
    """An address or URL at which a site's owner reaches you, added to the user agent."""
    adaptive: bool = True
    """Let the delay follow the response time of a host (never below `delay`, so that 0 stays 0),
    and trouble (429, 503, time-outs) double it; it recovers by a tenth with each good answer."""
    load: Annotated[float, Meta(gt=0, le=100)] = 1.0
    """The share of its time that a host spends on us: 0.5 waits twice as long as an answer took."""
    limit_by: Literal["host", "domain", "address"] = "host"
    """What `delay` and `per_host` hold for: each host, or all hosts of a registrable domain, or
    all hosts at one IP address together."""
    quiet_hours: tuple[str, ...] = ()
    """Hours in which no request is started, like 22:00-06:00, by the clock of this machine."""
    robots_override: dict[str, str] = {}
    """Files to take for the robots.txt of a host (scheme://name:port), for a site of your own;
    an empty name allows everything there."""
    max_delay: Seconds = 60.0
    """Seconds that a host rests at most on its own account, between two starts or after trouble;
    Retry-After may ask for more, a Crawl-delay may not."""
    max_retry_after: Seconds = 3600.0
    """The longest Retry-After that is honoured in full, in seconds."""
    give_up_after: Count = 30
    """Failures in a row (no answer, 5xx, 429, 403) after which a host is given up for this run:
    what is queued of it ends as host_given_up, to be queued again by `crawler retry`; 0: never.
    Where it gave good answers, it takes a tenth as many errors (5xx, 429), or as many 403; with
    more than three of its requests in flight at once, more in proportion."""


class FetchSettings(Section, frozen=True, kw_only=True):
    """One try of one request."""

    connect_timeout: SomeSeconds = 10.0
    """Seconds to connect, TLS handshake included."""
    read_timeout: SomeSeconds = 20.0
    """Seconds between two pieces of the answer."""
    total_timeout: SomeSeconds = 60.0
    """Seconds for the whole answer."""
    max_body: Positive = 20_000_000
    """Bytes that a body may have, on the wire and after decompression."""
    max_file: Positive = 10_000_000_000
    """Bytes that a downloaded file may have; files are streamed to disk and know no other cap."""
    max_redirects: Count = 10
    """Redirects followed one after the other; each goes back through the frontier."""
    retries: Count = 3
    """Tries after the first for time-outs, resets, 429 and 5xx."""
    retry_delay: Seconds = 1.0
    """Seconds before the first retry; doubles with each, with jitter."""
    allow_private: bool = False
    """Connect to private, loopback and link-local addresses that no seed names."""
    verify_tls: bool = True
    """Refuse a server whose certificate does not prove its name."""
    proxy: str | None = None
    """The URL of a proxy for every request; see `[proxy]` for several of them."""
    headers: dict[str, str] = {}
    """Headers sent with every request; those that may be secret only to origins that seeds name."""
    base_url: str | None = None
    """What the start URLs of a spider are relative to."""
    pool_size: Positive | None = None
    """Connections open at the same time; unset: as many as `engine.workers`."""
    pool_per_host: Count = 0
    """Connections open to one host at the same time; 0: no limit of its own."""
    pool_timeout: SomeSeconds | None = None
    """Seconds to wait for a free connection and connect; unset: the total alone counts."""
    keep_alive: Seconds = 15.0
    """Seconds that an idle connection stays open for the next request; 0: none does."""
    dns_cache: Count = 300
    """Seconds that the address of a name is remembered."""
    max_header: Positive = 32_768
    """Bytes that the status line or one header may have."""
    max_headers: Positive = 256
    """Headers that an answer may have."""
    walls: Literal["refuse", "keep"] = "refuse"
    """What becomes of a bot check, a login or a consent form that answers 200 in place of a page:
    refuse ends it as walled, neither parsed nor kept nor followed; keep takes it for a page."""
    middlewares: list[str] = []
    """aiohttp client middlewares, as module:function, the first one outermost."""


class StoreSettings(Section, frozen=True, kw_only=True):
    """What is kept, and how safely."""

    durable: Literal["normal", "full"] = "normal"
    """normal survives a killed process, full also a power cut (one fsync per flush)."""
    bodies: bool = True
    """Keep the body of every page (zstd)."""
    links: bool = True
    """Keep the links of every page."""
    text: bool = False
    """Keep the readable text of every page, and index it for `crawler search`."""
    hidden_text: Literal["drop", "keep"] = "drop"
    """What becomes of text that a reader does not see: drop counts it (texts.hidden), keep stores
    it with the rest."""
    versions: Count = 1
    """How many earlier versions of a page are kept when a later visit finds it changed."""
    files: str | None = None
    """The directory of downloaded files; unset: beside the store, with `.files` at its name."""
    lock_timeout: Seconds = 60.0
    """Seconds to wait for another program that holds the store; told of after five."""
    flush_interval: SomeSeconds = 0.25
    """Seconds after which finished visits are committed."""
    flush_visits: Positive = 200
    """Finished visits that are committed at once."""


class RevisitSettings(Section, frozen=True, kw_only=True):
    """When `crawler recrawl` visits a page again."""

    first: SomeSeconds = 86400.0
    """Seconds to the second visit. A change halves the time, none makes it half as long again."""
    least: SomeSeconds = 3600.0
    """Seconds between two visits of a page that changes all the time."""
    most: SomeSeconds = 5184000.0
    """Seconds between two visits of a page that never changes."""


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
    cache: CacheSettings = CacheSettings()
    scraper_api: ScraperApiSettings = ScraperApiSettings()
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
