"""Signed requests, verified by the text of RFC 9421 alone: no part of the signing library."""

import asyncio
import base64
import hashlib
import json
import re
import sqlite3
import stat
import time
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from fault_server import FaultServer, Hit, page, says

from crawler.cli import run as main
from crawler.clients.transport import Transport
from crawler.config.identity import IdentitySettings
from crawler.config.layers import Config
from crawler.engine.crawler import Crawler
from crawler.errors import ConfigError
from crawler.http import identity
from crawler.spider import Spider

AGENT = "https://crawler.example"


def unquoted(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def verified(hit: Hit, authority: str, directory: str) -> dict[str, str]:
    """Rebuild the signature base (RFC 9421 2.5) and verify it; give the parameters."""
    label, _, params = hit.headers["signature-input"].partition("=")
    found = re.fullmatch(r'\((.*?)\)((?:;[a-z]+=(?:"[^"]*"|\d+))+)', params)
    assert found is not None
    values = {"@authority": authority, "signature-agent": hit.headers["signature-agent"]}
    names = re.findall(r'"([^"]+)"', found[1])
    lines = [f'"{name}": {values[name]}' for name in names]
    base = "\n".join([*lines, f'"@signature-params": {params}'])
    said = {k: v.strip('"') for k, v in re.findall(r';([a-z]+)=("[^"]*"|\d+)', found[2])}
    [key] = [one for one in json.loads(directory)["keys"] if one["kid"] == said["keyid"]]
    whole = re.fullmatch(rf"{label}=:([A-Za-z0-9+/=]+):", hit.headers["signature"])
    assert whole is not None
    public = Ed25519PublicKey.from_public_bytes(unquoted(key["x"]))
    public.verify(base64.b64decode(whole[1]), base.encode())
    return said


def test_every_request_is_signed_anew_and_verifies(tmp_path: Path) -> None:
    key = identity.new_key(tmp_path / "key.pem")
    settings = IdentitySettings(key_file=str(tmp_path / "key.pem"), agent=AGENT)

    async def story() -> None:
        async with FaultServer() as server, Transport(Config(identity=settings)) as caller:
            moved = b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"
            server.at("/b", says(page(b"")))
            await caller.fetch("GET", server.at("/a", says(moved)))
            authority = f"127.0.0.1:{server.port}"
            all_said = [verified(hit, authority, identity.directory(key)) for hit in server.hits]
            assert [hit.target for hit in server.hits] == ["/a", "/b"]
            with pytest.raises(InvalidSignature):
                verified(server.hits[0], "elsewhere.example", identity.directory(key))
            assert all_said[0]["nonce"] != all_said[1]["nonce"]
            said = all_said[0]
            assert (said["tag"], said["alg"]) == ("web-bot-auth", "ed25519")
            assert abs(int(said["created"]) - time.time()) < 30
            assert int(said["expires"]) - int(said["created"]) == 60
            assert server.hits[0].headers["signature-agent"] == f'"{AGENT}"'

    asyncio.run(story())


def test_the_key_id_is_the_thumbprint_of_the_public_key(tmp_path: Path) -> None:
    key = identity.new_key(tmp_path / "key.pem")
    [one] = json.loads(identity.directory(key))["keys"]
    text = '{"crv":"Ed25519","kty":"OKP","x":"' + one["x"] + '"}'  # RFC 7638 section 3, RFC 8037
    assert unquoted(one["kid"]) == hashlib.sha256(text.encode()).digest()
    assert "d" not in one  # the private part
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600


def test_nothing_is_signed_unless_it_is_asked_for() -> None:
    async def story() -> None:
        async with FaultServer() as server, Transport() as caller:
            await caller.fetch("GET", server.at("/a", says(page(b""))))
            assert not [name for name in server.hits[0].headers if name.startswith("signature")]

    asyncio.run(story())


def test_settings_that_cannot_work_say_what_would(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    with pytest.raises(ConfigError, match="crawler identity new"):
        identity.Signer(IdentitySettings(key_file=str(file), agent=AGENT))
    identity.new_key(file)
    with pytest.raises(ConfigError, match="never overwritten"):
        identity.new_key(file)
    for agent in (
        None,
        "crawler.example",
        "http://crawler.example",
        f"{AGENT}/path",
        'https://a"b',
    ):
        with pytest.raises(ConfigError, match="agent"):
            identity.Signer(IdentitySettings(key_file=str(file), agent=agent))
    other = ec.generate_private_key(ec.SECP256R1())
    pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "ec.pem").write_bytes(pem)
    with pytest.raises(ConfigError, match="Ed25519"):
        identity.Signer(IdentitySettings(key_file=str(tmp_path / "ec.pem"), agent=AGENT))


def test_the_command_makes_a_key_and_shows_what_to_publish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["identity", "new", "--agent", AGENT]) == 0
    made = capsys.readouterr().out
    assert main(["identity", "show", "--agent", AGENT]) == 0
    assert capsys.readouterr().out == made
    assert f"{AGENT}{identity.DIRECTORY}" in made and "PRIVATE" not in made
    assert identity.directory(identity.read_key(tmp_path / "identity.pem")) in made
    assert main(["identity", "new"]) == 2 and main(["identity", "lend"]) == 2


def test_the_answer_with_the_directory_is_signed_for_its_authority_and_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """RFC 9421 section 2.4 (a component of the request) and the directory draft."""
    monkeypatch.chdir(tmp_path)
    assert main(["identity", "new", "--agent", AGENT]) == 0
    capsys.readouterr()
    arguments = ["identity", "show", "--headers", "--valid", "600"]
    assert main([*arguments, "--agent", AGENT + ":443/"]) == 0
    said = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
    assert said["Content-Type"] == "application/http-message-signatures-directory+json"
    params = said["Signature-Input"].removeprefix("sig1=")
    assert params.startswith('("@authority";req);')
    assert ';tag="http-message-signatures-directory"' in params
    times = [int(re.findall(rf";{name}=(\d+)", params)[0]) for name in ("created", "expires")]
    assert abs(times[0] - time.time()) < 30 and times[1] - times[0] == 600
    key = identity.read_key(tmp_path / "identity.pem")
    assert f';keyid="{identity.key_id(key)}"' in params
    signature = base64.b64decode(said["Signature"].removeprefix("sig1=:").removesuffix(":"))
    [one] = json.loads(identity.directory(key))["keys"]
    public = Ed25519PublicKey.from_public_bytes(unquoted(one["x"]))

    def base(authority: str) -> bytes:
        return f'"@authority";req: {authority}\n"@signature-params": {params}'.encode()

    public.verify(signature, base("crawler.example"))
    with pytest.raises(InvalidSignature):
        public.verify(signature, base("mirror.example"))
    assert main(arguments) == 2 and main([*arguments, "--agent", "http://a.example"]) == 2


def test_402_is_an_outcome_and_its_price_is_kept(tmp_path: Path) -> None:
    priced = page(b"pay", b"Crawler-Price: USD 0.01\r\n", status=b"402 Payment Required")

    async def story() -> None:
        async with FaultServer() as server:

            class Poor(Spider):
                name = "poor"
                start_urls = (server.at("/a", says(priced)),)

            async with Crawler(Poor, store=tmp_path / "a.db") as crawler:
                await crawler.run()
            assert server.count("/a") == 1

    asyncio.run(story())
    with sqlite3.connect(tmp_path / "a.db") as db:
        [(outcome, headers)] = db.execute("SELECT outcome, headers FROM pages").fetchall()
    db.close()
    assert outcome == "payment_required" and json.loads(headers)["Crawler-Price"] == "USD 0.01"
