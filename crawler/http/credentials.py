"""Keys: which credential opens a URL, and how it is shown to the server.

A credential is bound to a URL prefix, so no redirect, link or page can lead it elsewhere. Secrets
are read from the environment once, when the crawl starts, and kept nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import encode_basic_auth

from crawler import urls
from crawler.config.auth import AuthSettings, CredentialSettings
from crawler.config.secrets import Secret
from crawler.errors import ConfigError
from crawler.http.digest import Digest
from crawler.http.environment import Environment


class CredentialSettings:
    """What is sent to the URLs below one prefix: a header, or the answers of the digest scheme."""

    __slots__ = ("digest", "header", "prefix", "value")

    def __init__(
        self, prefix: str, header: str = "", value: str = "", *, digest: Digest | None = None
    ) -> None:
        self.prefix, self.header, self.value, self.digest = prefix, header, value, digest

    def __repr__(self) -> str:
        return f"<CredentialSettings {self.prefix}>"

    def opens(self, url: str) -> bool:
        """Return whether a canonical URL is below the prefix, at a boundary of its path."""
        prefix = self.prefix
        if not url.startswith(prefix):
            return False
        return prefix[-1] in "/?" or len(url) == len(prefix) or url[len(prefix)] in "/?"


def key_of(prefix: str, credential: CredentialSettings) -> CredentialSettings:
    """Return the key that the configuration names; ConfigError where its secret is not set."""
    secret = Secret(credential.env).reveal()
    if credential.kind == "basic":
        return CredentialSettings(
            prefix, "Authorization", encode_basic_auth(credential.user, secret)
        )
    if credential.kind == "bearer":
        return CredentialSettings(prefix, "Authorization", f"Bearer {secret}")
    if credential.kind == "digest":
        return CredentialSettings(prefix, digest=Digest(credential.user, secret))
    return CredentialSettings(prefix, credential.header, secret)


class Keys:
    """The credentials of a crawl; the longest prefix decides."""

    def __init__(
        self,
        settings: AuthSettings,
        more: Iterable[CredentialSettings] = (),
        *,
        environment: Environment | None = None,
    ) -> None:
        """Read the secrets; ConfigError for a prefix that is no URL, or a secret that is unset."""
        at = {
            _prefix(text): credential for text, credential in settings.at.items()
        }  # the last wins
        keys = [*more, *(key_of(prefix, credential) for prefix, credential in at.items())]
        self._keys = sorted(keys, key=lambda key: -len(key.prefix))
        self._environment = environment

    def __bool__(self) -> bool:
        return bool(self._keys or self._environment)

    def of(self, url: str) -> CredentialSettings | None:
        """Return the key to a canonical URL, None where it needs none."""
        found = next((key for key in self._keys if key.opens(url)), None)
        if found is None and self._environment is not None:
            said = self._environment.key_of(urls.hostname_of(url))
            found = CredentialSettings(url, "Authorization", said) if said is not None else None
        return found


def _prefix(text: str) -> str:
    url = urls.parse(text if "://" in text else f"https://{text}/")
    if url is None:
        raise ConfigError(f"[auth] {text!r} is no URL; write https://api.example.com/v1/")
    return url
