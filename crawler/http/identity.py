"""Who we are, provably: requests signed by RFC 9421, as the drafts of web-bot-auth have it.

A site finds the public key in the directory that `agent` publishes, and the signature says that
this request, to this authority, at this time, is ours. The key never leaves this machine. The
signing itself is `http-message-signatures`; importing it waits for who asks.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec import Struct, field

from crawler.config.identity import IdentitySettings
from crawler.errors import ConfigError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

DIRECTORY = "/.well-known/http-message-signatures-directory"
"""Where the directory of keys is published, below the origin of `agent`."""
DIRECTORY_TYPE = "application/http-message-signatures-directory+json"
TAG = "web-bot-auth"
DIRECTORY_TAG = "http-message-signatures-directory"
COVERED = ("@authority", "signature-agent")

_MISSING = "a signed identity needs http-message-signatures: pip install 'crawlkeep[identity]'"


class _Message(Struct):
    """A request as the signing library looks at one."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)


class Signer:
    """Signs requests with one key; ConfigError where the settings cannot work."""

    def __init__(self, settings: IdentitySettings) -> None:
        agent = settings.agent or ""
        parts = urlsplit(agent)
        if parts.scheme != "https" or not parts.hostname or parts.path.strip("/") or '"' in agent:
            raise ConfigError(
                f"[identity] agent: {agent!r} is no origin that publishes {DIRECTORY}; write"
                " https://crawler.example"
            )
        self._agent = f'"{agent.rstrip("/")}"'  # a String of RFC 8941
        self._key = read_key(Path(settings.key_file or ""))
        self.key_id = key_id(self._key)
        self._life = timedelta(seconds=settings.lifetime)
        try:
            from http_message_signatures import HTTPMessageSigner, algorithms
        except ImportError:
            raise ConfigError(_MISSING) from None
        resolver: Any = self
        self._signer = HTTPMessageSigner(
            signature_algorithm=algorithms.ED25519, key_resolver=resolver
        )

    def resolve_private_key(self, key_id: str) -> Ed25519PrivateKey:
        """Return the key, for the signing library."""
        return self._key

    def headers(self, method: str, url: str) -> Mapping[str, str]:
        """Return the headers that sign a request to a canonical URL, now."""
        message = _Message(method, url, {"Signature-Agent": self._agent})
        now = datetime.now(UTC)
        self._signer.sign(
            message,
            key_id=self.key_id,
            created=now,
            expires=now + self._life,
            nonce=base64.b64encode(secrets.token_bytes(32)).decode(),
            label="sig1",
            tag=TAG,
            covered_component_ids=COVERED,
        )
        return message.headers


def read_key(path: Path) -> Ed25519PrivateKey:
    """Return the key of a PEM file; ConfigError where there is none of Ed25519."""
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError:
        raise ConfigError(_MISSING) from None
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(
            f"[identity] key_file: {path} cannot be used ({error}); make one: crawler identity new"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"[identity] key_file: {path} is no key of Ed25519")
    return key


def new_key(path: Path) -> Ed25519PrivateKey:
    """Make a key and write it, readable to its owner alone; ConfigError where a file is there."""
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ImportError:
        raise ConfigError(_MISSING) from None
    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigError(f"{path} is there already; a key is never overwritten") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(text)
    return key


def key_id(key: Ed25519PrivateKey) -> str:
    """Return the thumbprint of the public key (RFC 7638, RFC 8037): the `keyid` of signatures."""
    said = {name: value for name, value in jwk(key).items() if name in ("crv", "kty", "x")}
    text = json.dumps(said, separators=(",", ":"), sort_keys=True)
    return _base64url(hashlib.sha256(text.encode()).digest())


def jwk(key: Ed25519PrivateKey) -> dict[str, str]:
    """Return the public key as a JSON Web Key (RFC 8037)."""
    x = _base64url(key.public_key().public_bytes_raw())
    return {"kty": "OKP", "crv": "Ed25519", "x": x}


def directory(key: Ed25519PrivateKey) -> str:
    """Return the directory file to publish: a JWK Set (RFC 7517) with the public key alone."""
    return json.dumps({"keys": [{**jwk(key), "kid": key_id(key), "use": "sig"}]}, indent=2)


def directory_headers(
    key: Ed25519PrivateKey, agent: str, *, lifetime: float, now: datetime | None = None
) -> dict[str, str]:
    """Return the headers to answer with the directory at `agent`, signed for `lifetime` seconds.

    Whoever mirrors the directory cannot pass it off as their own: the signature, by the key that
    is in it, covers the authority that was asked (RFC 9421 section 2.4; the directory draft of
    web-bot-auth, section "Application context"). ConfigError where `agent` is no https origin.
    """
    parts = urlsplit(agent)
    if parts.scheme != "https" or not parts.hostname:
        raise ConfigError(f"{agent!r} is no origin; write https://crawler.example")
    created = now or datetime.now(UTC)
    times = (int(created.timestamp()), int((created + timedelta(seconds=lifetime)).timestamp()))
    nonce = base64.b64encode(secrets.token_bytes(32)).decode()
    params = (
        f'("@authority";req);created={times[0]};expires={times[1]};keyid="{key_id(key)}"'
        f';alg="ed25519";nonce="{nonce}";tag="{DIRECTORY_TAG}"'
    )
    authority = parts.netloc.lower().removesuffix(":443")
    base = f'"@authority";req: {authority}\n"@signature-params": {params}'
    signature = base64.b64encode(key.sign(base.encode())).decode()
    return {
        "Content-Type": DIRECTORY_TYPE,
        "Cache-Control": f"max-age={int(lifetime) // 2}",
        "Signature-Input": f"sig1={params}",
        "Signature": f"sig1=:{signature}:",
    }


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
