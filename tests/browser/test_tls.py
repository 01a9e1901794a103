"""A page in the browser holds to [tls] as any other request does: pins, and own CAs."""

import asyncio
import hashlib
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
from browser_story import needs_browser, render_all
from crawl_story import read

from crawler import Request, Spider
from crawler.practice import PracticeSite

pytestmark = needs_browser

CA = trustme.CA()
LEAF = CA.issue_cert("127.0.0.1")
PIN = hashlib.sha256(
    ssl.PEM_cert_to_DER_cert(LEAF.cert_chain_pems[0].bytes().decode("ascii"))
).hexdigest()


class Rendering(Spider):
    name = "rendering"
    url = ""

    def start(self) -> Any:
        yield Request(self.url, browser=True)

    def parse(self, page: Any) -> None: ...


async def _story(tmp_path: Path, settings: dict[str, Any]) -> list[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    LEAF.configure_cert(context)
    CA.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    own = {
        key: str(tmp_path / value) if key == "tls__ca_file" else value
        for key, value in settings.items()
    }
    async with PracticeSite(tls=context, robots=False) as site:
        spider = Rendering()
        spider.url = site.at("/scripted/slow")
        quick = {"fetch__retries": 0, "politeness__robots": False}
        await render_all(spider, tmp_path / "a.db", **quick, **own)
    return read(tmp_path / "a.db", "SELECT outcome FROM pages")


@pytest.mark.parametrize(
    ("settings", "outcome"),
    [
        ({}, "tls_error"),
        ({"tls__pins": {"127.0.0.1": PIN}}, "ok"),
        ({"tls__pins": {"127.0.0.1": PIN[::-1]}}, "tls_error"),
        ({"tls__ca_file": "ca.pem"}, "ok"),
        ({"tls__ca_file": "ca.pem", "tls__pins": {"127.0.0.1": PIN[::-1]}}, "tls_error"),
    ],
    ids=["unknown CA", "pinned", "another pin", "own CA", "own CA, another pin"],
)
def test_it_ends_as_the_settings_of_tls_say(
    tmp_path: Path, settings: dict[str, Any], outcome: str
) -> None:
    assert asyncio.run(_story(tmp_path, settings)) == [outcome]
