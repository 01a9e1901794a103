"""TLS: the context of a crawl, and what is different for single hosts."""

from __future__ import annotations

import ssl
from functools import partial
from pathlib import Path

import aiohttp

from crawler.config.secrets import expanded
from crawler.config.tls import TlsSettings
from crawler.errors import ConfigError

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def context_of(settings: TlsSettings, *, verify: bool) -> ssl.SSLContext | bool:
    """Return the connector's `ssl`: True is aiohttp's own verified context, shared and ready."""
    if settings == TlsSettings(pins=settings.pins, unverified=settings.unverified):
        return verify
    try:
        context = ssl.create_default_context()
        if settings.ca_file:
            context.load_verify_locations(settings.ca_file)
        if settings.cert_file:
            phrase = partial(_pass_phrase, settings)  # else OpenSSL asks on the terminal, and waits
            context.load_cert_chain(settings.cert_file, settings.key_file, phrase)
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(
            str(Path(name))
            for name in (settings.ca_file, settings.cert_file, settings.key_file)
            if name
        )
        raise ConfigError(f"[tls] {files}: cannot be used ({error}); give PEM files") from None
    context.minimum_version = _VERSIONS[settings.minimum]
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _pass_phrase(settings: TlsSettings) -> str:
    """Return what opens the key, which is encrypted; ConfigError where nothing was given."""
    if not settings.key_password:
        raise ConfigError(
            f"[tls] {settings.key_file or settings.cert_file}: the key is encrypted; name its pass"
            ' phrase: key_password = "$KEY_PASSWORD"'
        )
    return expanded(settings.key_password)


def exceptions_of(settings: TlsSettings) -> dict[str, aiohttp.Fingerprint | bool]:
    """Return the hosts that are known by a fingerprint, or not verified, by name."""
    found: dict[str, aiohttp.Fingerprint | bool] = dict.fromkeys(settings.unverified, False)
    for host, pin in settings.pins.items():
        try:
            digest = bytes.fromhex(pin.lower().removeprefix("sha256:").replace(":", ""))
            found[host] = aiohttp.Fingerprint(digest)
        except ValueError:
            raise ConfigError(
                f"[tls] pins: {host!r} needs the SHA-256 of its certificate, 64 hex digits, not"
                f" {pin!r}"
            ) from None
    return found
