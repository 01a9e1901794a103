"""512 ways for a page to ask for an address that is not public: none is connected to.

`BROWSER_PROOF=1` (make browser-proof) tries them all, the quick suite 128 of them.
"""

import asyncio
import json
import os
from pathlib import Path

from browser_story import needs_browser, render_all
from crawl_story import read

from crawler import Spider
from crawler.practice import PracticeSite

pytestmark = needs_browser

HOSTS = (
    *("127.0.0.1", "127.1", "127.0.0.3", "0x7f000001", "2130706433", "0177.0.0.1", "0.0.0.0"),
    *("localhost", "there.localhost", "[::1]", "[::ffff:127.0.0.1]", "[::]", "[0:0:0:0:0:0:0:1]"),
    *("10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "[fd00::1]"),
    *("[fe80::1]", "198.18.0.1", "192.0.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1"),
    *("[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::127.0.0.1]", "127.0.0.1.", "LOCALHOST"),
    *("%31%32%37.0.0.1", "１２７.0.0.1"),
)
WAYS = {
    "fetch": "fetch(url, {mode: 'no-cors'}).catch(() => 0)",
    "beacon": "navigator.sendBeacon(url, 'x')",
    "img": "Object.assign(new Image(), {src: url})",
    "script": "put('script', {src: url})",
    "frame": "put('iframe', {src: url})",
    "style": "put('link', {rel: 'stylesheet', href: url})",
    "events": "new EventSource(url)",
    "socket": "new WebSocket(url.replace('http', 'ws'))",
    "preload": "put('link', {rel: 'preload', as: 'fetch', href: url})",
    "object": "put('object', {data: url})",
    "video": "put('video', {src: url, preload: 'auto'})",
    "form": "send(url)",
    "redirect": "fetch('/away/' + at, {mode: 'no-cors'}).catch(() => 0)",
    "redirected-frame": "put('iframe', {src: '/away/' + at})",
    "worker": "work(url)",
    "module": "import(url).catch(() => 0)",
}
QUICK = ("fetch", "frame", "socket", "redirect")
TRIED = WAYS if os.environ.get("BROWSER_PROOF") else {name: WAYS[name] for name in QUICK}
PAGE = """<!doctype html><title>Asks</title><p id=said></p><script>
const put = (name, fields) => {
  document.body.append(Object.assign(document.createElement(name), fields));
};
const send = (url) => {
  const name = 'f' + Math.random();
  put('iframe', {name});
  const form = Object.assign(document.createElement('form'), {action: url, method: 'post'});
  form.target = name; document.body.append(form); form.submit();
};
const work = (url) => {
  const code = 'fetch("' + url + '", {mode: "no-cors"}).catch(() => 0)';
  new Worker(URL.createObjectURL(new Blob([code])));
};
let asked = 0;
addEventListener('load', () => {
  for (const [at, host] of HOSTS.entries()) {
    const url = 'http://' + host + ':PORT/secret';
    try { WAY; } catch (error) {}
    asked += 1;
  }
  said.textContent = asked;
});
</script>"""

CALL = """<!doctype html><title>Asks</title><script>
const call = new RTCPeerConnection({iceServers: [{urls: 'stun:127.0.0.1:PORT'}]});
call.createDataChannel('x');
call.setLocalDescription();
</script>"""  # by UDP, which no proxy leads anywhere


class Datagrams(asyncio.DatagramProtocol):
    """Notes that one has come."""

    def __init__(self, reached: list[object]) -> None:
        self._reached = reached

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._reached.append(addr)


class Guest(Spider):
    """Looks at what it is given."""

    name = "guest"


def test_no_page_reaches_an_address_that_is_not_public_whatever_way_it_asks(
    tmp_path: Path,
) -> None:
    """The site is at 127.0.0.2, which a seed names; whoever else is asked for is forbidden."""
    store = tmp_path / "crawl.db"
    reached: list[object] = []

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.append(writer.get_extra_info("sockname"))
        writer.close()

    async def tell() -> None:
        forbidden = await asyncio.start_server(accept, "0.0.0.0", 0)
        port = forbidden.sockets[0].getsockname()[1]
        calls, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: Datagrams(reached), ("0.0.0.0", port)
        )
        async with (
            PracticeSite("127.0.0.2") as site,
            asyncio.timeout(800 if len(TRIED) > 4 else 200),
        ):
            for name, code in TRIED.items():
                text = PAGE.replace("HOSTS", json.dumps(HOSTS)).replace("WAY", code)
                site.add_page(f"/{name}", text.replace("PORT", str(port)))
            site.add_page("/call", CALL.replace("PORT", str(port)))
            for at, host in enumerate(HOSTS):
                site.add_redirect(f"/away/{at}", f"http://{host}:{port}/secret")
            summary = await render_all(
                Guest,
                store,
                *(site.at(f"/{name}") for name in (*TRIED, "call")),
                browser__mode="always",
                browser__block=[],
                fetch__retries=0,
            )
            assert summary.outcomes == {"ok": len(TRIED) + 1}, summary.reasons
            assert summary.refused["browser_address"] >= len(TRIED)
        forbidden.close()
        calls.close()

    asyncio.run(tell())
    assert len(HOSTS) * len(WAYS) == 512
    assert reached == []
    assert read(store, "SELECT count(*) FROM pages WHERE title = 'Asks'") == [len(TRIED) + 1]
