"""A client's encrypted key: opened by a named pass phrase, and never asked for on a terminal."""

import ssl
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from crawler.config.tls import TlsSettings
from crawler.errors import ConfigError
from crawler.http.tls import context_of


@pytest.fixture
def encrypted(tmp_path: Path) -> TlsSettings:
    """Give the settings of a certificate whose key is encrypted with "pass"."""
    mine = trustme.CA().issue_cert("me@a.example")
    (tmp_path / "me.pem").write_bytes(b"".join(blob.bytes() for blob in mine.cert_chain_pems))
    key = serialization.load_pem_private_key(mine.private_key_pem.bytes(), None)
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"pass"),
        )
    )
    return TlsSettings(
        cert_file=str(tmp_path / "me.pem"),
        key_file=str(tmp_path / "key.pem"),
        key_password="$KEY_PASSWORD",
    )


def test_a_named_pass_phrase_opens_the_key(
    encrypted: TlsSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY_PASSWORD", "pass")
    assert isinstance(context_of(encrypted, verify=True), ssl.SSLContext)


def test_a_wrong_or_missing_pass_phrase_is_an_error_that_names_the_key(
    encrypted: TlsSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY_PASSWORD", "another")
    with pytest.raises(ConfigError, match=r"key\.pem: cannot be used"):
        context_of(encrypted, verify=True)
    monkeypatch.delenv("KEY_PASSWORD")
    with pytest.raises(ConfigError, match="KEY_PASSWORD is not in the environment"):
        context_of(encrypted, verify=True)
    nothing = TlsSettings(cert_file=encrypted.cert_file, key_file=encrypted.key_file)
    with pytest.raises(ConfigError, match=r"key\.pem: the key is encrypted; name its pass phrase"):
        context_of(nothing, verify=True)
