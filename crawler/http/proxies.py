"""Proxies by turns: which one a request takes, and how long one that failed is left alone.

Pure: time is a parameter. Credentials are put in from the environment when a proxy is taken.
"""

from __future__ import annotations

from functools import partial
from urllib.parse import quote

from crawler.config.secrets import expanded
from crawler.errors import ConfigError
from crawler.http.environment import Environment
from crawler.web.body import without_userinfo

DIRECT = "direct"
SCHEMES = ("http://", "https://", "socks5://", "socks5h://", "socks4://")
_DOUBLINGS = 5


class ProxyRoute:
    """One proxy and its health."""

    __slots__ = ("failures", "rests_until", "url")

    def __init__(self, text: str, *, is_literal: bool = False) -> None:
        """Take a proxy's URL; ConfigError where it is none. `is_literal`: a "$" is one."""
        if not text.startswith(SCHEMES):
            shown = without_userinfo(text)
            raise ConfigError(f"proxy {shown!r}: write a URL like http://proxy.example:8080")
        self.url = text if is_literal else _filled(text)
        self.failures = 0
        self.rests_until = 0.0

    def __repr__(self) -> str:
        return f"<ProxyRoute {without_userinfo(self.url)}>"

    def __str__(self) -> str:
        return f"the proxy {without_userinfo(self.url)}"

    @property
    def is_socks(self) -> bool:
        """Whether it speaks SOCKS and not HTTP."""
        return self.url.startswith("socks")


def _filled(text: str) -> str:
    """Put environment variables in; a user or password is percent-encoded, as it stands in a URL.

    A variable that holds the whole URL is taken as it is.
    """
    scheme, _, rest = text.partition("://")
    said, at, place = rest.rpartition("@")
    if not at or "/" in said:
        return expanded(text)
    return f"{scheme}://{expanded(said, partial(quote, safe=''))}@{expanded(place)}"


class Proxies:
    """The proxies of a crawl. A request's own comes first, then its host's, then the next in turn.

    Invariant: a proxy that rests is taken only while all of them rest.
    """

    def __init__(
        self,
        in_turn: list[str],
        hosts: dict[str, str],
        *,
        rest: float,
        environment: Environment | None = None,
    ) -> None:
        self._known: dict[str, ProxyRoute] = {}
        self._environment = environment
        self._in_turn = [self._way(text) for text in in_turn]
        self._hosts = {name: self._chosen(text) for name, text in hosts.items()}
        self._rest = rest
        self._turn = 0

    def __bool__(self) -> bool:
        return bool(self._in_turn or self._hosts or self._environment)

    def _way(self, text: str, *, is_literal: bool = False) -> ProxyRoute:
        way = self._known.get(text)
        if way is None:
            way = self._known[text] = ProxyRoute(text, is_literal=is_literal)
        return way

    def _chosen(self, text: str) -> ProxyRoute | None:
        return None if text == DIRECT else self._way(text)

    def pick(
        self, hostname: str, own: str | None, now: float, *, url: str = ""
    ) -> ProxyRoute | None:
        """Return the proxy to `hostname`, None for none; the environment is asked for `url`."""
        if own is not None:
            return self._chosen(own)
        if hostname in self._hosts:
            return self._hosts[hostname]
        if not self._in_turn:
            text = self._environment.proxy_of(url) if self._environment is not None else None
            return self._way(text, is_literal=True) if text else None
        self._turn += 1
        number = len(self._in_turn)
        ways = [self._in_turn[(self._turn + offset) % number] for offset in range(number)]
        return next((way for way in ways if way.rests_until <= now), None) or min(
            ways, key=lambda way: way.rests_until
        )

    def failed(self, way: ProxyRoute, now: float) -> None:
        """Leave a proxy alone for a while, longer each time in a row."""
        way.rests_until = now + self._rest * 2.0 ** min(way.failures, _DOUBLINGS)
        way.failures += 1

    def worked(self, way: ProxyRoute) -> None:
        """Forget a proxy's failures."""
        way.failures, way.rests_until = 0, 0.0
