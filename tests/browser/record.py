"""Record what Chromium makes of the pages and forms beside this file: `make oracle`.

One headless browser is led over its debugging protocol; a server on loopback gives it the files
under one address that stays the same, so that what is recorded does too.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import aiohttp

HERE = Path(__file__).parent
EXPECTED = HERE / "expected.json"
HOST = "site.test"
# As the crawler's own tabs have it, and its text assumes (crawler/parse/cascade.py).
SCREEN = {"width": 1280, "height": 720, "deviceScaleFactor": 1, "mobile": False}
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
TYPES = {".html": "text/html", ".xhtml": "application/xhtml+xml", ".xml": "application/xml"}

LOOK = r"""(() => {
  const html = 'http://www.w3.org/1999/xhtml', svg = 'http://www.w3.org/2000/svg';
  const xlink = 'http://www.w3.org/1999/xlink';
  const all = (name, space) => [...document.getElementsByTagNameNS(space, name)];
  const below = root => [...root.querySelectorAll('*')].flatMap(
    e => e.shadowRoot ? [e, ...below(e.shadowRoot)] : [e]);
  const links = below(document).flatMap(e => {
    const named = e.namespaceURI === html && ['a', 'area'].includes(e.localName)
      ? e.getAttribute('href')
      : e.namespaceURI === svg && e.localName === 'a'
        ? e.getAttribute('href') ?? e.getAttributeNS(xlink, 'href') : null;
    if (named === null) return [];
    if (e.namespaceURI === html) return [e.href];
    try { return [new URL(named, document.baseURI).href]; } catch { return []; }
  });
  const canonical = all('link', html).find(
    e => e.relList.length && [...e.relList].some(r => r.toLowerCase() === 'canonical')
      && e.getAttribute('href'));
  // The browser's own words about an error in XML are not the page's.
  for (const e of document.querySelectorAll('parsererror')) e.remove();
  const markup = document.getElementById('webkit-xml-viewer-source-xml');
  // The letters of the text and not those of a style, and what a reader has but to unfold.
  const plain = document.createElementNS(html, 'style');
  plain.textContent = '* { text-transform: none !important }';
  const body = document.body ?? all('body', html)[0];
  // Of a body that waits for a script to show it, innerText would give the source, without lines.
  if (body && !body.checkVisibility()) {
    plain.textContent += ':root, body { display: block !important }';
  }
  if (body && !markup) document.documentElement.append(plain);
  for (const e of all('details', html)) e.open = true;
  return {
    type: document.contentType, title: document.title, encoding: document.characterSet,
    base: document.baseURI, links, canonical: canonical ? canonical.href : null,
    robots: all('meta', html).filter(e => e.name.toLowerCase() === 'robots').map(e => e.content),
    text: body && !markup ? body.innerText : '',
  };
})()"""

SUBMIT = r"""(() => {
  const form = document.querySelector('#t') || document.forms[0];
  if (!form) return false;
  const fill = form.dataset.fill ? JSON.parse(form.dataset.fill) : {};
  for (const e of form.elements) {
    if (!(e.name in fill)) continue;
    if (['checkbox', 'radio'].includes(e.type)) e.checked = fill[e.name] === e.value;
    else e.value = fill[e.name];
  }
  form.noValidate = true;
  form.removeAttribute('target');
  const buttons = [...document.querySelectorAll('button, input')].filter(
    e => e.form === form && ['submit', 'image'].includes(e.type)
      && !e.matches(':disabled, select > button'));
  for (const e of buttons) e.removeAttribute('formtarget');
  form.requestSubmit(buttons[0] ?? null);
  return true;
})()"""


def headers_of(path: Path) -> list[tuple[str, str]]:
    """Return the headers of a file: those that `headers.json` names, else its type alone."""
    known = json.loads((HERE / "headers.json").read_text(encoding="utf-8"))
    own = known.get(f"{path.parent.name}/{path.name}")
    if own is None:
        return [("Content-Type", TYPES[path.suffix])]
    return [(name, value) for name, value in own]


class Site:
    """A server that gives one file once, and 204 to whatever else is asked; it keeps a log."""

    def __init__(self) -> None:
        self.file: Path | None = None
        self.log: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self.port = 0

    async def start(self) -> None:
        """Listen on a port of loopback."""
        server = await asyncio.start_server(self.answer, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request; the connection ends with it."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except (asyncio.IncompleteReadError, asyncio.CancelledError):  # a connection kept for later
            writer.close()
            return
        size = re.search(r"(?im)^content-length: *(\d+)", head)
        body = await reader.readexactly(int(size[1])) if size else b""
        method, target, _ = head.split(" ", 2)
        kind = re.search(r"(?im)^content-type: *(.*?)\r$", head)
        file, self.file = self.file, None
        if file is not None:
            raw = file.read_bytes()
            lines = "".join(f"{name}: {value}\r\n" for name, value in headers_of(file))
            writer.write(
                f"HTTP/1.1 200 OK\r\n{lines}Content-Length: {len(raw)}\r\nConnection: close\r\n\r\n"
                .encode("latin-1") + raw
            )  # fmt: skip
        else:
            writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            sent = {"method": method, "url": f"http://{HOST}{target}"}
            if method == "POST":
                sent |= {"type": kind[1] if kind else "", "body": body.decode("latin-1")}
            self.log.put_nowait(sent)
        await writer.drain()
        writer.close()


class Browser:
    """One page of a browser, led over its debugging protocol."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket, self.numbers = socket, itertools.count(1)
        self.events: list[dict[str, Any]] = []

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Return the result of a command; what happens meanwhile is kept."""
        number = next(self.numbers)
        await self.socket.send_json({"id": number, "method": method, "params": params})
        while (message := await self.socket.receive_json()).get("id") != number:
            self.events.append(message)
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']['message']}")
        result: dict[str, Any] = message["result"]
        return result

    async def loaded(self, loader: str) -> bool:
        """Wait until a document is loaded, five seconds at most."""

        def is_it(message: dict[str, Any]) -> bool:
            said = message.get("params", {})
            return said.get("loaderId") == loader and said.get("name") == "load"

        try:
            async with asyncio.timeout(5):
                while not any(map(is_it, self.events)):
                    self.events.append(await self.socket.receive_json())
        except TimeoutError:
            return False
        return True

    async def evaluate(self, script: str) -> Any:
        """Return the value of a script in the page."""
        found = await self.call("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"]["exception"].get("description"))
        return found["result"].get("value")


async def shown(browser: Browser, site: Site, file: Path) -> bool:
    """Lead the browser to a file; tell whether it shows it."""
    browser.events.clear()
    blank = await browser.call("Page.navigate", url="about:blank")
    await browser.loaded(blank.get("loaderId", ""))
    browser.events.clear()
    site.file = file
    went = await browser.call("Page.navigate", url=f"http://{HOST}/{file.parent.name}/{file.name}")
    if went.get("errorText") or went.get("isDownload"):
        return False
    return await browser.loaded(went["loaderId"])


async def page(browser: Browser, site: Site, file: Path) -> dict[str, Any] | None:
    """Return what the browser sees of a page, None if it does not show it."""
    if not await shown(browser, site, file):
        return None
    found: dict[str, Any] = await browser.evaluate(LOOK)
    planned = [
        e["params"] for e in browser.events if e.get("method") == "Page.frameScheduledNavigation"
    ]
    refreshes = [p for p in planned if p["reason"] in ("metaTagRefresh", "httpHeaderRefresh")]
    found["refresh"] = [refreshes[0]["delay"], refreshes[0]["url"]] if refreshes else None
    return found


async def form(browser: Browser, site: Site, file: Path) -> dict[str, str] | None:
    """Return what the browser sends for a form, None if it sends nothing."""
    if not await shown(browser, site, file):
        return None
    await asyncio.sleep(0.02)
    while not site.log.empty():
        site.log.get_nowait()
    if not await browser.evaluate(SUBMIT):
        return None
    try:
        async with asyncio.timeout(1):
            while (sent := await site.log.get())["url"].endswith("/favicon.ico"):
                pass
    except TimeoutError:
        return None
    boundary = re.search("boundary=(.+)", sent.get("type", ""))
    if boundary:
        sent = {key: value.replace(boundary[1], "BOUNDARY") for key, value in sent.items()}
    return sent


async def record(only: list[str]) -> None:
    """Read every file with the browser; with `only` those whose names hold one of these."""
    site = Site()
    await site.start()
    expected = json.loads(EXPECTED.read_text(encoding="utf-8")) if EXPECTED.exists() else {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        binary = next(filter(None, map(shutil.which, NAMES)), None)
        if binary is None:
            sys.exit("No Chromium was found; install one, as with: apt-get install chromium")
        rules = f"MAP {HOST} 127.0.0.1:{site.port}, MAP * ~NOTFOUND"
        process = await asyncio.create_subprocess_exec(
            binary, "--headless=new", "--remote-debugging-port=0", f"--user-data-dir={folder}",
            f"--host-resolver-rules={rules}", "--lang=en-US", "--disable-gpu", "--no-first-run",
            *(["--no-sandbox"] if os.geteuid() == 0 else []), "about:blank",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            port = Path(folder) / "DevToolsActivePort"
            while not port.exists() or "\n" not in port.read_text():  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            number = port.read_text().split("\n")[0]
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{number}/json/list") as answer:
                    targets = await answer.json()
                address = next(t["webSocketDebuggerUrl"] for t in targets if t["type"] == "page")
                async with session.ws_connect(address, max_msg_size=1 << 26) as socket:
                    browser = Browser(socket)
                    await browser.call("Page.enable")
                    await browser.call("Emulation.setDeviceMetricsOverride", **SCREEN)
                    await browser.call("Page.setLifecycleEventsEnabled", enabled=True)
                    version = (await browser.call("Browser.getVersion"))["product"]
                    for kind, look in (("pages", page), ("forms", form)):
                        found = expected.get(kind, {}) if only else {}
                        for file in sorted((HERE / kind).iterdir()):
                            if not only or any(word in f"{kind}/{file.name}" for word in only):
                                found[file.name] = await look(browser, site, file)
                        expected[kind] = {name: found[name] for name in sorted(found)}
                    expected["browser"] = version
                    await browser.call("Browser.close")
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
    text = json.dumps(expected, ensure_ascii=True, indent=0, sort_keys=True)
    EXPECTED.write_text(f"{text}\n", encoding="utf-8")
    print(f"{len(expected['pages'])} pages and {len(expected['forms'])} forms by {version}")


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1:]))
