"""Keys: which credential opens a URL, and how it is shown to the server.

A credential is bound to a URL prefix, so no redirect, link or page can lead it elsewhere. Secrets
are read from the environment once, when the crawl starts, and kept nowhere else.
"""

from __future__ import annotations

from aiohttp import DigestAuthMiddleware, encode_basic_auth

from crawler import urls
from crawler.config.auth import AuthSettings, CredentialSettings
from crawler.config.secrets import Secret
from crawler.errors import ConfigError


class Credential:
    """What is sent to the URLs below one prefix: a header, or the answers of the digest scheme."""

    __slots__ = ("digest", "header", "prefix", "value")

    def __init__(self, prefix: str, credential: CredentialSettings) -> None:
        self.prefix = prefix
        secret = Secret(credential.env).reveal()
        self.header, self.value = "Authorization", ""
        self.digest: DigestAuthMiddleware | None = None
        if credential.kind == "basic":
            self.value = encode_basic_auth(credential.user, secret)
        elif credential.kind == "bearer":
            self.value = f"Bearer {secret}"
        elif credential.kind == "digest":
            self.digest = DigestAuthMiddleware(credential.user, secret)
        else:
            self.header, self.value = credential.header, secret

    def __repr__(self) -> str:
        return f"<Credential {self.prefix}>"

    def opens(self, url: str) -> bool:
        """Return whether a canonical URL is below the prefix, at a boundary of its path."""
        prefix = self.prefix
        if not url.startswith(prefix):
            return False
        return prefix[-1] in "/?" or len(url) == len(prefix) or url[len(prefix)] in "/?"


class Credentials:
    """The credentials of a crawl; the longest prefix decides."""

    def __init__(self, settings: AuthSettings) -> None:
        """Read the secrets; ConfigError for a prefix that is no URL, or a secret that is unset."""
        at = {
            _prefix(text): credential for text, credential in settings.at.items()
        }  # the last wins
        keys = [Credential(prefix, credential) for prefix, credential in at.items()]
        self._keys = sorted(keys, key=lambda key: -len(key.prefix))

    def __bool__(self) -> bool:
        return bool(self._keys)

    def of(self, url: str) -> Credential | None:
        """Return the key to a canonical URL, None where it needs none."""
        return next((key for key in self._keys if key.opens(url)), None)


def _prefix(text: str) -> str:
    url = urls.parse(text if "://" in text else f"https://{text}/")
    if url is None:
        raise ConfigError(f"[auth] {text!r} is no URL; write https://api.example.com/v1/")
    return url
