"""The sections of the configuration about the way to a site: TLS, proxies, keys, the cache.

No section holds a secret: `env` and `$NAME` name variables of the environment.
"""

from __future__ import annotations

from typing import Literal

from crawler.config.section import Positive, Section, SomeSeconds


class Tls(Section, frozen=True, kw_only=True):
    """How a server proves who it is, and how we do. `fetch.verify_tls` switches it all off."""

    ca_file: str | None = None
    """A PEM file of certificate authorities to trust beside the system's."""
    cert_file: str | None = None
    """A PEM file with our own certificate, for servers that ask for one."""
    key_file: str | None = None
    """The key of `cert_file`, where it is in a file of its own."""
    key_password: str | None = None
    """The pass phrase of an encrypted key, named: "$KEY_PASSWORD"."""
    minimum: Literal["1.2", "1.3"] = "1.2"
    """The oldest version of TLS that is spoken."""
    pins: dict[str, str] = {}
    """SHA-256 fingerprints by host name; such a host is known by its certificate alone."""
    unverified: list[str] = []
    """Host names whose certificates are not checked."""


class Proxy(Section, frozen=True, kw_only=True):
    """Ways around: proxies by turns. http:// and https:// proxies, socks5:// with the extra."""

    urls: list[str] = []
    """Proxies used in turn, like "http://user:$PROXY_PASSWORD@proxy.example:8080"."""
    hosts: dict[str, str] = {}
    """The proxy of a host name, or "direct"."""
    rest: SomeSeconds = 30.0
    """Seconds that a proxy is left alone after a failure; doubles while it keeps failing."""
    trust_env: bool = False
    """Heed HTTP_PROXY, HTTPS_PROXY, NO_PROXY and ~/.netrc."""


class Credential(Section, frozen=True, kw_only=True):
    """What opens the URLs below one prefix."""

    kind: Literal["basic", "digest", "bearer", "header"]
    """The scheme; "header" sends the secret in a header of its own."""
    env: str
    """The name of the environment variable that holds the password, token or key."""
    user: str = ""
    """The user of basic and digest."""
    header: str = "X-API-Key"
    """The name of the header of kind "header"."""


class Auth(Section, frozen=True, kw_only=True):
    """Keys, by the URL prefix that they open: `[auth."https://api.example.com/v1/"]`."""

    at: dict[str, Credential] = {}
    """URL prefix (or host name, for https) to credential; the longest prefix that fits decides."""


class Identity(Section, frozen=True, kw_only=True):
    """Who we are, provably: requests signed by RFC 9421 (web-bot-auth). Off without a key."""

    key_file: str | None = None
    """A PEM file with a private key of Ed25519; `crawler identity new` makes one."""
    agent: str | None = None
    """The origin that publishes the directory of keys, like "https://crawler.example"."""
    lifetime: Positive = 60
    """Seconds that a signature holds."""


class ScraperApi(Section, frozen=True, kw_only=True):
    """A rendering service that fetches for us; its key is SCRAPER_API_KEY in the environment."""

    enabled: bool = False
    """Send every page through the service; without it only requests with `via="scraper_api"`."""
    base_url: str = "https://api.scraperapi.com/"
    """Where the service is."""
    render: bool = False
    """Run the page's scripts in a browser."""
    country_code: str | None = None
    """The country to ask from, as two letters."""
    device_type: Literal["desktop", "mobile"] | None = None
    """The device to pretend to be."""
    premium: bool = False
    """Use residential addresses."""
    concurrency: Positive = 5
    """Requests with the service at the same time; more are refused by it."""
    timeout: SomeSeconds = 70.0
    """Seconds for one request; the service itself tries for about a minute."""


class Cache(Section, frozen=True, kw_only=True):
    """Answers from the bodies of an earlier crawl, so that writing a spider hits a site once."""

    mode: Literal["off", "record", "replay"] = "off"
    """record asks the site for what is not stored yet; replay never asks it."""
    store: str | None = None
    """The store that answers; unset: the crawl's own."""
