"""The section [hosts]: what holds for single hosts."""

from functools import lru_cache
from typing import Any

from msgspec.structs import asdict

from crawler import urls
from crawler.config.section import Positive, Seconds, Section
from crawler.errors import ConfigError


class HostSettings(Section, frozen=True, kw_only=True):
    """What holds for the hosts of one name; what is unset is as for all others."""

    delay: Seconds | None = None
    """Seconds between two starts, as `politeness.delay`; a longer Crawl-delay counts."""
    per_host: Positive | None = None
    """Requests in flight at the same time, as `politeness.per_host`."""
    headers: dict[str, str] = {}
    """Headers sent to these hosts alone; they go before those of `fetch.headers`."""
    robots: bool | None = None
    """Obey its robots.txt, as `politeness.robots`."""

    @property
    def shown(self) -> str:
        """What is set, without the values of headers, which may be secret; empty for nothing."""
        values = asdict(self) | {"headers": ", ".join(self.headers)}
        told = [f"{key} = {value}" for key, value in values.items() if value not in (None, "")]
        return "; ".join(told)


class HostsSettings(Section, frozen=True, kw_only=True):
    """Single hosts that are treated otherwise: `[hosts."shop.example"]` with `delay`, `per_host`,
    `headers`, `robots`."""

    at: dict[str, HostSettings] = {}
    """Name to settings. `shop.example` is that host alone, at any port (`shop.example:8443` at
    one), `*.shop.example` every host below it and not itself, `https://shop.example:8443` one
    scheme and port. For each key the entry counts that says most of the host: scheme and port,
    then the name, then the longest `*.`; headers are joined."""

    def of(self, host: str) -> HostSettings:
        """Return what holds for a host, as in `https://shop.example`."""
        fitting = [
            (weight, entry) for name, entry in self.at.items() if (weight := _weight(name, host))
        ]
        if not fitting:
            return _NONE
        found: dict[str, Any] = {"headers": {}}
        for _, entry in sorted(fitting, key=lambda pair: pair[0]):
            own = {key: value for key, value in asdict(entry).items() if value is not None}
            headers = {**found["headers"], **entry.headers}
            found = {**found, **own, "headers": headers}
        return HostSettings(**found)

    @property
    def paced(self) -> bool:
        """Whether any host has a delay or a number in flight of its own."""
        return any(s.delay is not None or s.per_host is not None for s in self.at.values())

    def pace_of(self, host: str) -> dict[str, float]:
        """Return the `delay` and `per_host` that a host has of its own."""
        own = self.of(host)
        values = {"delay": own.delay, "per_host": own.per_host}
        return {key: value for key, value in values.items() if value is not None}

    def longest(self, delay: float) -> float:
        """Return the longest delay that any host has, at least `delay`."""
        return max([delay, *(s.delay for s in self.at.values() if s.delay is not None)])

    @property
    def obeyed(self) -> bool:
        """Whether the robots.txt of any host is obeyed, whatever holds for the others."""
        return any(settings.robots for settings in self.at.values())

    @property
    def headed(self) -> bool:
        """Whether any host has headers of its own."""
        return any(settings.headers for settings in self.at.values())


_NONE = HostSettings()
_NAME, _ORIGIN = 1_000, 2_000  # above the length of any name


@lru_cache(maxsize=4096)
def _weight(name: str, host: str) -> int:
    """Return how much the name of an entry says of a host, 0 if it is of others.

    ConfigError for what is no name of a host.
    """
    pattern = name.removeprefix("*.")
    url = urls.parse(f"{pattern}/" if "://" in pattern else f"https://{pattern}/")
    if url is None or urls.split(url)[1] != "/" or (pattern != name and "://" in name):
        raise ConfigError(
            f"hosts: {name!r} is no host; write shop.example, *.shop.example (every host below it)"
            " or https://shop.example:8443"
        )
    if "://" in name:
        return _ORIGIN if urls.host_of(url) == host else 0
    own, known = urls.authority_of(host + "/"), urls.authority_of(url)
    if pattern != name:
        return len(known) if urls.hostname_of(host + "/").endswith("." + known) else 0
    return _NAME if known in (own, urls.hostname_of(host + "/")) else 0
