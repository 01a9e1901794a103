"""Every client over TLS and through proxies: a private CA, a pin, our own certificate, SOCKS."""

import asyncio
import hashlib
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trustme

from crawler.clients import ApiClient, Retries, WebSocket, download, fetch_all, upload
from crawler.clients.scraper_api import ScraperApi
from crawler.config.layers import Config
from crawler.config.proxy import ProxySettings
from crawler.config.tls import TlsSettings
from crawler.errors import ApiUnreachable, FetchError
from crawler.practice import PracticeSite
from tests.http.test_proxies import proxy

ONCE = Retries(0)


async def api(root: str, config: Config, folder: Path) -> None:
    async with ApiClient(f"{root}/api", retries=ONCE, config=config) as client:
        assert (await client.get("quotes", expect=dict)).data["items"]


async def many(root: str, config: Config, folder: Path) -> None:
    for found in await fetch_all([f"{root}/", f"{root}/shop/"], retries=0, config=config):
        if found.error is not None:
            raise found.error
        assert found.ok


async def file(root: str, config: Config, folder: Path) -> None:
    found = await download(f"{root}/files/tides.csv", folder / "t", retries=ONCE, config=config)
    assert found.path.stat().st_size == found.size > 0


async def form(root: str, config: Config, folder: Path) -> None:
    (folder / "sent.txt").write_text("sent")
    answer = await upload(f"{root}/upload", folder / "sent.txt", retries=ONCE, config=config)
    assert answer.json()["parts"][0]["size"] == 4


async def socket(root: str, config: Config, folder: Path) -> None:
    async with WebSocket(f"ws{root[4:]}/ws/echo", config=config) as wire:
        await wire.send_json({"n": 1})
        assert await wire.receive_json() == {"n": 1}


async def service(root: str, config: Config, folder: Path) -> None:
    base = f"{root}/echo"  # it answers any question; what a service says is tested elsewhere
    async with ScraperApi("key", base_url=base, retries=ONCE, config=config) as client:
        assert (await client.get(f"{root}/")).status == 200


CLIENTS = [api, many, file, form, socket, service]
Client = Callable[[str, Config, Path], Awaitable[None]]
each_client = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__)


async def outcome(client: Client, root: str, config: Config, folder: Path) -> str:
    try:
        await client(root, config, folder)
    except (FetchError, ApiUnreachable) as error:
        assert error.outcome is not None
        return str(error.outcome)
    return "ok"


class Authority:
    """A certificate authority of the test's own, with a server's context and files of PEM."""

    def __init__(self, folder: Path, name: str = "127.0.0.1", *, asks: bool = False) -> None:
        ca = trustme.CA()
        server, mine = ca.issue_cert(name), ca.issue_cert("us.example")
        self.file, self.mine = str(folder / "ca.pem"), str(folder / "mine.pem")
        ca.cert_pem.write_to_path(self.file)
        mine.private_key_and_cert_chain_pem.write_to_path(self.mine)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.configure_cert(self.context)
        if asks:
            ca.configure_trust(self.context)
            self.context.verify_mode = ssl.CERT_REQUIRED
        certificate = ssl.PEM_cert_to_DER_cert(server.cert_chain_pems[0].bytes().decode())
        self.pin = hashlib.sha256(certificate).hexdigest()


@each_client
def test_trusts_a_private_authority_only_where_it_is_named(client: Client, tmp_path: Path) -> None:
    known = Authority(tmp_path)

    async def story() -> None:
        async with PracticeSite(tls=known.context) as site:
            named = Config(tls=TlsSettings(ca_file=known.file))
            assert await outcome(client, site.url.rstrip("/"), named, tmp_path) == "ok"
            assert await outcome(client, site.url.rstrip("/"), Config(), tmp_path) == "tls_error"

    asyncio.run(story())


@each_client
def test_knows_a_pinned_server_by_its_certificate_alone(client: Client, tmp_path: Path) -> None:
    known = Authority(tmp_path)

    async def story() -> None:
        async with PracticeSite(tls=known.context) as site:
            for pin, wanted in ((known.pin, "ok"), ("00" * 32, "tls_error")):
                config = Config(tls=TlsSettings(pins={"127.0.0.1": pin}))
                assert await outcome(client, site.url.rstrip("/"), config, tmp_path) == wanted

    asyncio.run(story())


@each_client
def test_shows_its_own_certificate_where_one_is_asked_for(client: Client, tmp_path: Path) -> None:
    known = Authority(tmp_path, asks=True)

    async def story() -> None:
        async with PracticeSite(tls=known.context) as site:
            shown = Config(tls=TlsSettings(ca_file=known.file, cert_file=known.mine))
            assert await outcome(client, site.url.rstrip("/"), shown, tmp_path) == "ok"
            silent = Config(tls=TlsSettings(ca_file=known.file))
            refused = await outcome(client, site.url.rstrip("/"), silent, tmp_path)
            assert refused in ("tls_error", "connect_error")  # TLS 1.3 says no after the handshake

    asyncio.run(story())


@pytest.mark.parametrize("scheme", ["http", "socks5"])
@each_client
def test_goes_through_a_proxy_and_is_told_when_there_is_none(
    client: Client, scheme: str, tmp_path: Path
) -> None:
    known = Authority(tmp_path, "safe.example")
    tls = TlsSettings(ca_file=known.file)

    async def story(way: str) -> None:
        async with PracticeSite(tls=known.context) as site:
            root = f"https://safe.example:{site.url.rstrip('/').rpartition(':')[2]}"
            through = Config(tls=tls, proxy=ProxySettings(urls=[way]))
            assert await outcome(client, root, through, tmp_path) == "ok"
            nobody = Config(tls=tls, proxy=ProxySettings(urls=[f"{scheme}://127.0.0.1:9"]))
            assert await outcome(client, root, nobody, tmp_path) == "proxy_error"

    with proxy() as running:
        asyncio.run(story(running.url(scheme)))
    assert {line.split()[0] for line in running.lines} == {
        "CONNECT" if scheme == "http" else "SOCKS"
    }
