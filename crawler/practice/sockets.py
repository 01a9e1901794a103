"""WebSockets: an echo, and a ticker of numbered messages that can be taken up again."""

import asyncio

from aiohttp import WSMsgType, web

from crawler.practice.api import whole
from crawler.practice.content import quotes
from crawler.practice.layout import page


def routes() -> list[web.RouteDef]:
    return [
        web.get("/ws/", about),
        web.get("/ws/echo", echo),
        web.get("/ws/ticker", ticker),
    ]


async def about(request: web.Request) -> web.Response:
    return page(
        "Sockets",
        """<p>Two WebSockets: <code>/ws/echo</code> says back what it hears;
<code>/ws/ticker?since=0&amp;until=20</code> sends numbered messages, with
<code>interval=</code> milliseconds between them, and hangs up without a word after
<code>drop_after=</code> of them.</p>""",
    )


async def echo(request: web.Request) -> web.WebSocketResponse:
    """Send every text and every binary message back as it came."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    return socket


async def ticker(request: web.Request) -> web.WebSocketResponse:
    """Send `{n, text}` for n from `since` + 1 to `until`, then close with 1000.

    After `drop_after` messages of one connection (0: never) the transport is cut instead.
    """
    since = whole(request, "since", 0, 0, 10**9)
    until = whole(request, "until", 20, 0, 10**9)
    drop_after = whole(request, "drop_after", 0, 0, 10**9)
    interval = whole(request, "interval", 0, 0, 60_000) / 1000
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    for sent, number in enumerate(range(since + 1, until + 1)):
        if drop_after and sent == drop_after:
            _cut(request)
            return socket
        if interval:
            await asyncio.sleep(interval)
        text = quotes()[(number - 1) % len(quotes())].text
        await socket.send_json({"n": number, "text": text})
    await socket.close()
    return socket


def _cut(request: web.Request) -> None:
    """End the connection without a closing handshake; what was sent still arrives."""
    if request.transport:
        request.transport.close()
