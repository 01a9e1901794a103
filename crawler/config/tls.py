"""The section [tls]."""

from typing import Literal

from crawler.config.section import Section


class TlsSettings(Section, frozen=True, kw_only=True):
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
