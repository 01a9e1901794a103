"""What a run takes that the run before refused: the keys that bound it, then and now."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from crawler.config.layers import Config
from crawler.inspect.query import Reader
from crawler.spider import Spider
from crawler.spider.code import code_of
from crawler.store import damage

BOUNDS: Mapping[str, tuple[str, ...]] = {
    "too_deep": ("engine.max_depth",),
    "out_of_scope": ("engine.scope", "spider.allowed_domains", "links.check_external"),
    "request_out_of_scope": ("engine.scope", "spider.allowed_domains"),
    "page_nofollow": ("links.robots_meta",),
    "nofollow": ("links.nofollow",),
    "not_included": ("links.include",),
    "excluded": ("links.exclude",),
    "url_too_long": ("traps.max_url",),
    "too_many_segments": ("traps.max_segments",),
    "repeated_segments": ("traps.max_repeats",),
    "repeated_parameters": ("traps.max_repeats",),
    "too_many_parameters": ("traps.max_parameters",),
    "too_many_queries": ("traps.max_queries",),
    "too_many_hosts": ("traps.max_hosts_per_domain",),
}
"""By the reason of a refusal the keys that bound what is taken."""


class Widened(NamedTuple):
    """What a run may take beyond the one before: the keys, and the pages it may stand on."""

    keys: tuple[str, ...]
    where: str = ""


def last_settings(reader: Reader) -> dict[str, Any]:
    """Return the settings of the last run, and of its spider; empty where there was none."""
    rows = list(reader.query("SELECT settings FROM runs ORDER BY run_id DESC LIMIT 1").rows)
    with damage.told(reader.path, "runs.settings of the last run"):
        found: dict[str, Any] = json.loads(rows[0][0]) if rows and rows[0][0] else {}
    return found


def config_of(stored: Mapping[str, Any]) -> Config:
    """Return the configuration that a run is recorded with, as far as URLs and hosts go by it.

    Of the headers of a host the names alone are recorded.
    """
    names = ("engine", "politeness", "links", "traps") & stored.keys()
    kept = {name: stored[name] for name in names}
    if "hosts" in stored:
        at = stored["hosts"]["at"].items()
        named = {name: {**own, "headers": dict.fromkeys(own["headers"], "")} for name, own in at}
        kept["hosts"] = {"at": named}
    return msgspec.convert(kept, Config)


def widened_since(reader: Reader, spider: Spider, config: Config) -> Widened | None:
    """Return the keys that differ from the last run and had refused something; None for none."""
    was = last_settings(reader)
    names = "SELECT name FROM counters WHERE name LIKE 'refused.%' AND value > 0"
    refused = {name.removeprefix("refused.") for (name,) in reader.query(names).rows}
    now = msgspec.to_builtins(config) | {"spider": {"allowed_domains": [*spider.allowed_domains]}}
    keys = {key for reason in refused for key in BOUNDS.get(reason, ())}
    changed = tuple(sorted(key for key in keys if _takes_more(key, was, now)))
    if not changed:
        return None
    depth = was["engine"].get("max_depth")
    only_depth = changed == ("engine.max_depth",) and depth is not None
    return Widened(changed, f"depth >= {int(depth)}" if only_depth else "")


def _takes_more(key: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Return whether a key differs, and, where it is a number, is higher or unset."""
    section, _, name = key.partition(".")
    if name not in was.get(section, {}):
        return False  # a run of an older version did not say
    old, new = was[section][name], now[section][name]
    if key == "links.check_external":
        return bool(new) and not old
    if isinstance(old, (list, tuple)):
        return list(old) != list(new)
    if isinstance(old, int) and not isinstance(old, bool):
        return new is None or new > old
    return bool(old != new and old is not None)


def code_changed(reader: Reader, spider: Spider) -> bool:
    """Return whether the file of a spider is another than in the run that began the crawl last."""
    was = last_settings(reader).get("spider", {}).get("code")
    return was is not None and was != code_of(spider)
