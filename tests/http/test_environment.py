"""What the environment says about the way out, as curl reads it."""

import asyncio
from pathlib import Path

import pytest
from crawl_story import crawl, read
from fault_server import FaultServer, page, says

from crawler.clients.transport import Transport
from crawler.config.layers import Config
from crawler.config.proxy import ProxySettings
from crawler.errors import ConfigError, FetchError
from crawler.http.environment import Environment
from crawler.http.proxies import ProxyRoute

P = "http://proxy.example:8080"


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "NO_PROXY", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.parametrize(
    ("said", "url", "proxy"),
    [
        ({"http": P}, "http://a.example/", P),
        ({"http": P}, "https://a.example/", None),
        ({"all": P}, "https://a.example/", P),
        ({"all": P, "https": "http://other:1"}, "https://a.example/", "http://other:1"),
        ({"http": "proxy.example:8080"}, "http://a.example/", P),
        ({"http": "https://p:1"}, "http://a.example/", "https://p:1"),
        ({"http": ""}, "http://a.example/", None),
        ({"http": P, "no": "*"}, "http://a.example/", None),
        ({"http": P, "no": "a.example"}, "http://a.example/", None),
        ({"http": P, "no": "a.example"}, "http://www.a.example/", None),
        ({"http": P, "no": ".a.example"}, "http://www.a.example/", None),
        ({"http": P, "no": "*.a.example"}, "http://www.a.example/", None),
        ({"http": P, "no": "a.example"}, "http://not-a.example/", P),
        ({"http": P, "no": "A.Example"}, "http://a.example/", None),
        ({"http": P, "no": "b.example, a.example"}, "http://a.example/", None),
        ({"http": P, "no": "b.example a.example"}, "http://a.example/", None),
        ({"http": P, "no": "a.example:80"}, "http://a.example/", None),
        ({"http": P, "no": "a.example:81"}, "http://a.example/", P),
        ({"http": P, "no": "a.example:81"}, "http://a.example:81/", None),
        ({"http": P, "no": "127.0.0.0/8"}, "http://127.3.2.1:99/", None),
        ({"http": P, "no": "127.0.0.0/8"}, "http://128.0.0.1/", P),
        ({"http": P, "no": "127.0.0.1"}, "http://127.0.0.1/", None),
        ({"http": P, "no": "127.0.0.1:80"}, "http://127.0.0.1:81/", P),
        ({"http": P, "no": "10.0.0.0/8"}, "http://a.example/", P),
        ({"http": P, "no": "münchen.example"}, "http://www.xn--mnchen-3ya.example/", None),
        ({"http": P, "no": "*.MÜNCHEN.example:81"}, "http://xn--mnchen-3ya.example/", P),
        ({"http": P, "no": "::1"}, "http://[::1]/", None),
        ({"http": P, "no": "[::1]:80"}, "http://[::1]/", None),
        ({"http": P, "no": "[::1]:80"}, "http://[::1]:81/", P),
        ({"http": P, "no": "fd00::/8"}, "http://[fd12::1]/", None),
    ],
)
def test_the_proxy_of_a_url(said: dict[str, str], url: str, proxy: str | None) -> None:
    assert Environment(said).proxy_of(url) == proxy


def test_a_secret_in_a_proxy_url_is_percent_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PW", "p@ss/w:rd#1%")
    monkeypatch.setenv("WHOLE", "http://me:p%40@proxy.example:1")
    assert (
        ProxyRoute("http://me:$PW@p.example:1").url
        == "http://me:p%40ss%2Fw%3Ard%231%25@p.example:1"
    )
    assert ProxyRoute("http://p.example:$PW").url.endswith(":p@ss/w:rd#1%")
    assert ProxyRoute("http://me:x$@p:1", is_literal=True).url == "http://me:x$@p:1"


def told(monkeypatch: pytest.MonkeyPatch, answer: bytes, proxy: str = "", **env: str) -> str:
    """Fetch a URL of nobody through what the environment names."""

    async def story() -> str:
        async with FaultServer() as server:
            server.at("*", says(answer))
            for name, value in env.items():
                monkeypatch.setenv(name, value.format(port=server.port))
            async with Transport(Config(proxy=ProxySettings(trust_env=True))) as caller:
                try:
                    found = await caller.fetch("GET", "http://site.example/")
                except FetchError as error:
                    return str(error.outcome)
                return found.body.decode()

    return asyncio.run(story())


def test_a_proxy_of_the_environment_is_used_and_its_407_is_a_proxy_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert told(monkeypatch, page(b"by proxy"), http_proxy="127.0.0.1:{port}") == "by proxy"
    refused = page(b"", status=b"407 No")
    assert told(monkeypatch, refused, all_proxy="http://127.0.0.1:{port}") == "proxy_error"


def test_a_407_in_place_of_robots_txt_is_the_proxys_error(tmp_path: Path) -> None:
    async def story() -> None:
        async with FaultServer() as server:
            server.at("*", says(page(b"", status=b"407 No")))
            way = f"http://me:secret@127.0.0.1:{server.port}"
            for scheme in ("http", "https"):  # asked for the page, or for a tunnel
                store, url = tmp_path / f"{scheme}.db", f"{scheme}://site.example/"
                await crawl("site", store, url, proxy__urls=[way], fetch__retries=0)
                assert read(store, "SELECT outcome FROM pages") == ["proxy_error"]
                [error] = read(store, "SELECT error FROM pages")
                told = f"robots.txt: the proxy http://127.0.0.1:{server.port} answered 407; it asks"
                assert error.startswith(told) and "proxy.urls" in error

    asyncio.run(story())


def test_a_proxy_that_cannot_be_used_never_means_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "")
    assert told(monkeypatch, page(b""), http_proxy="https://127.0.0.1:9") == "proxy_error"
    with pytest.raises(ConfigError, match="quic"):
        told(monkeypatch, page(b""), http_proxy="quic://127.0.0.1:9")


def test_the_key_of_a_netrc_goes_to_its_host(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password pw\n")

    async def story() -> None:
        async with FaultServer() as server:
            server.at("*", says(page(b"")))
            async with Transport(Config(proxy=ProxySettings(trust_env=True))) as caller:
                await caller.fetch("GET", server.url("/"))
            assert server.hits[0].headers["authorization"] == "Basic bWU6cHc="

    asyncio.run(story())
