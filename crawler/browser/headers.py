"""What the browser says beyond its own headers: those of the configuration, keys, signatures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crawler import urls
from crawler.config.layers import Config
from crawler.config.secrets import may_leave, revealed
from crawler.http.address_guard import AddressGuard
from crawler.http.cookies import add_by_hand
from crawler.http.credentials import Credentials
from crawler.http.environment import Environment
from crawler.http.identity import Signer
from crawler.web.request import Request


class BrowserHeaders:
    """The headers of a crawl, by the URL that they are for."""

    def __init__(self, config: Config, guard: AddressGuard) -> None:
        known = Environment() if config.proxy.trust_env else None
        self._guard = guard
        self._keys = Credentials(config.auth, environment=known)
        self._signer = Signer(config.identity) if config.identity.key_file else None
        own = config.fetch.headers
        self.open = {name: value for name, value in own.items() if may_leave(name)}
        self._own = {name: value for name, value in own.items() if not may_leave(name)}
        self._prefixes = [*config.auth.at]

    def patterns(self) -> list[dict[str, str]]:
        """Return which requests of a page are to be shown to us, as `Fetch.enable` takes it."""
        places = [_literal(p if "://" in p else f"https://{p}/") for p in self._prefixes]
        return [{"urlPattern": f"{place}*", "requestStage": "Request"} for place in places]

    def of_page(self, request: Request) -> dict[str, str]:
        """Return what a request of the crawl says beside what all of its origin do."""
        headers = {name: revealed(value) for name, value in (request.headers or {}).items()}
        if request.cookies:
            add_by_hand(headers, {k: revealed(v) for k, v in request.cookies.items()})
        if self._signer is not None:
            headers |= self._signer.headers(request.method, request.url)
        return headers

    def of_url(self, url: str) -> dict[str, str]:
        """Return what may be secret and is for this URL: keys, and headers to named origins."""
        host = urls.host_of(url)
        found = dict(self._own) if self._own and self._guard.is_named(host) else {}
        key = self._keys.of(url)
        if key is not None and key.digest is None:
            found.setdefault(key.header, key.value)
        return found


def joined(known: Mapping[str, Any], more: Mapping[str, str]) -> list[dict[str, str]]:
    """Return headers as `Fetch.continueRequest` takes them; of two of one name the later."""
    said = {name.lower() for name in more}
    kept = {name: str(value) for name, value in known.items() if name.lower() not in said}
    return [{"name": name, "value": value} for name, value in {**kept, **more}.items()]


def _literal(url: str) -> str:
    """Return a URL as a pattern that means just itself."""
    return url.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")
