"""The connection to a browser: what comes in pieces, is no Unicode, or is never answered."""

import asyncio
import json
import os

import pytest

from crawler.browser.devtools import DevTools, DevToolsError


async def connected() -> tuple[DevTools, int]:
    """Return a connection, and where what it sends can be read."""
    devtools, (read, write) = DevTools(), os.pipe()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(write, "wb", 0))
    devtools.writes_to(transport)
    return devtools, read


def test_answers_and_events_find_who_waits_for_them_however_they_are_cut() -> None:
    async def tell() -> None:
        devtools, read = await connected()
        seen: list[dict[str, object]] = []
        devtools.session("A").on("Page.said", seen.append)
        first = asyncio.create_task(devtools.root.send("Browser.one"))
        second = asyncio.create_task(devtools.session("B").send("Page.two", {"x": 1}))
        await asyncio.sleep(0.01)
        asked = [json.loads(text) for text in os.read(read, 4096).split(b"\0")[:-1]]
        assert [each["method"] for each in asked] == ["Browser.one", "Page.two"]
        assert asked[1]["sessionId"] == "B" and asked[1]["params"] == {"x": 1}
        answers = [
            {"method": "Page.said", "sessionId": "A", "params": {"text": "\ud800 half"}},
            {"method": "Page.said", "sessionId": "unknown", "params": {}},
            {"id": asked[1]["id"], "sessionId": "B", "error": {"code": 1, "message": "no such"}},
            {"id": asked[0]["id"], "result": {"fine": "é"}},
        ]
        text = b"".join(json.dumps(each).encode() + b"\0" for each in answers)
        for at in range(0, len(text), 7):
            devtools.data_received(text[at : at + 7])
        assert await first == {"fine": "é"}
        with pytest.raises(DevToolsError, match="no such"):
            await second
        assert seen == [{"text": "? half"}]
        devtools.close()
        os.close(read)

    asyncio.run(tell())


def test_a_question_ends_with_its_session_and_none_is_asked_after_it() -> None:
    async def tell() -> None:
        devtools, read = await connected()
        session = devtools.session("A")
        asked = asyncio.create_task(session.send("Page.enable"))
        await asyncio.sleep(0)
        gone = {"method": "Target.detachedFromTarget", "params": {"sessionId": "A"}}
        devtools.data_received(json.dumps(gone).encode() + b"\0")
        for question in (asked, session.send("Page.enable")):
            with pytest.raises(DevToolsError, match="gone"):
                await question
        devtools.connection_lost(None)
        with pytest.raises(DevToolsError, match="gone"):
            await devtools.root.send("Browser.getVersion")
        os.close(read)

    asyncio.run(tell())
