"""Proxies: a real one in a process of its own, by turns, with health, keys and SOCKS."""

import asyncio
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from crawler.config.fetch import FetchSettings
from crawler.config.layers import Config
from crawler.config.proxy import ProxySettings
from crawler.config.tls import TlsSettings
from crawler.errors import ConfigError, FetchError
from crawler.http.address_guard import AddressGuard
from crawler.http.fetcher import Fetcher
from crawler.http.proxies import Proxies
from crawler.practice import PracticeSite
from crawler.web.request import Request

SCRIPT = Path(__file__).parents[1] / "support" / "proxy_process.py"


class Running:
    """A proxy that runs; `lines` are what it has let through, once it has ended."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process, self.port, self.lines = process, port, list[str]()

    def url(self, scheme: str = "http", key: str = "") -> str:
        return f"{scheme}://{key}127.0.0.1:{self.port}"


@contextmanager
def proxy(key: str = "") -> Iterator[Running]:
    command = [sys.executable, str(SCRIPT), *([key] if key else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        running = Running(process, int(process.stdout.readline()))
        try:
            yield running
        finally:
            process.terminate()
            running.lines += process.stdout.read().splitlines()


def fetcher(
    settings: ProxySettings | None = None,
    fetch: FetchSettings | None = None,
    **sections: TlsSettings,
) -> Fetcher:
    fetch = fetch or FetchSettings(total_timeout=5.0)
    config = Config(fetch=fetch, proxy=settings or ProxySettings(), **sections)
    return Fetcher(fetch, agent="t", guard=AddressGuard(), connections=4, config=config)


def test_plain_and_tls_sites_are_reached_through_an_http_proxy(tmp_path: Path) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("safe.example").configure_cert(context)

    async def story(running: Running) -> None:
        async with (
            PracticeSite() as site,
            PracticeSite(tls=context) as safe,
            fetcher(
                ProxySettings(urls=[running.url()]),
                tls=TlsSettings(ca_file=str(tmp_path / "ca.pem")),
            ) as way,
        ):
            for url in (
                f"http://site.example:{site.url.split(':')[2]}",
                f"https://safe.example:{safe.url.split(':')[2]}",
            ):
                assert (await way.fetch(Request(url))).status == 200

    with proxy() as running:
        asyncio.run(story(running))
    assert [line.split()[0] for line in running.lines] == ["GET", "CONNECT"]


def test_a_socks_proxy_resolves_the_name_itself() -> None:
    async def story(running: Running) -> None:
        async with (
            PracticeSite() as site,
            fetcher(ProxySettings(urls=[running.url("socks5")])) as way,
        ):
            url = f"http://hidden.example:{site.url.split(':')[2]}"
            assert (await way.fetch(Request(url))).status == 200

    with proxy() as running:
        asyncio.run(story(running))
    assert running.lines == ["SOCKS hidden.example"]


def test_a_proxy_gets_its_key_from_the_environment_and_nobody_else_sees_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PROXY_PASSWORD", "s3cr3t-proxy")

    async def story(running: Running) -> None:
        for key, works in (("me:$PROXY_PASSWORD@", True), ("me:wrong@", False)):
            async with (
                PracticeSite() as site,
                fetcher(ProxySettings(urls=[running.url(key=key)])) as way,
            ):
                request = Request(f"http://site.example:{site.url.split(':')[2]}")
                if works:
                    assert (await way.fetch(request)).status == 200
                    assert "proxy-authorization" not in {k.lower() for k in site.hits[0].headers}
                    continue
                with pytest.raises(FetchError) as caught:
                    await way.fetch(request)
                assert caught.value.outcome == "proxy_error"
                assert "wrong" not in str(caught.value)

    with proxy("me:s3cr3t-proxy") as running:
        asyncio.run(story(running))
    assert running.lines[-1] == "refused"


def test_a_dead_proxy_rests_while_the_others_work() -> None:
    async def story(running: Running) -> None:
        dead = "http://127.0.0.1:9"  # discard: nobody listens
        async with (
            PracticeSite() as site,
            fetcher(ProxySettings(urls=[dead, running.url()])) as way,
        ):
            outcomes = []
            for number in range(6):
                url = f"http://site.example:{site.url.split(':')[2]}{number}"
                try:
                    await way.fetch(Request(url))
                    outcomes.append("ok")
                except FetchError as error:
                    outcomes.append(str(error.outcome))
            assert outcomes.count("proxy_error") <= 1
            assert outcomes[2:] == ["ok"] * 4

    with proxy() as running:
        asyncio.run(story(running))


def test_a_request_or_a_host_has_its_own_way() -> None:
    async def story(running: Running) -> None:
        hosts = {"127.0.0.1": "direct"}
        settings = ProxySettings(urls=["http://127.0.0.1:9"], hosts=hosts)
        guard = AddressGuard(["127.0.0.1"])
        config = Config(proxy=settings)
        async with (
            PracticeSite() as site,
            Fetcher(FetchSettings(), agent="t", guard=guard, connections=4, config=config) as way,
        ):
            assert (await way.fetch(Request(site.url))).status == 200  # the host's: direct
            own = Request(f"http://site.example:{site.url.split(':')[2]}", proxy=running.url())
            assert (await way.fetch(own)).status == 200

    with proxy() as running:
        asyncio.run(story(running))
    assert len(running.lines) == 1


def test_the_environment_is_heeded_on_request_only(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(running: Running) -> None:
        monkeypatch.setenv("http_proxy", running.url())
        monkeypatch.setenv("no_proxy", "direct.example")
        async with PracticeSite() as site:
            port = site.url.split(":")[2]
            async with fetcher(ProxySettings(trust_env=True)) as way:
                assert (await way.fetch(Request(f"http://site.example:{port}"))).status == 200
                with pytest.raises(FetchError):
                    await way.fetch(Request("http://direct.example/"))
            async with fetcher() as way:
                with pytest.raises(FetchError):
                    await way.fetch(Request(f"http://site.example:{port}"))

    with proxy() as running:
        asyncio.run(story(running))
    assert len(running.lines) == 1


def test_a_failing_proxy_rests_longer_each_time_and_recovers() -> None:
    proxies = Proxies(["http://a:1", "http://b:2"], {}, rest=10)
    first = proxies.pick("x", None, 0)
    assert first is not None
    proxies.failed(first, 0)
    assert all(proxies.pick("x", None, 5) is not first for _ in range(4))
    assert first in [proxies.pick("x", None, 11) for _ in range(2)]
    proxies.failed(first, 11)
    assert all(proxies.pick("x", None, 30) is not first for _ in range(4))
    proxies.worked(first)
    assert first in [proxies.pick("x", None, 30) for _ in range(2)]


def test_a_proxy_that_is_no_url_is_named_without_its_password() -> None:
    with pytest.raises(ConfigError) as caught:
        Proxies(["ftp://me:hunter2@a"], {}, rest=1)
    assert "hunter2" not in str(caught.value)
