"""httpbin, started as a real server in a process of its own, answers as it should."""

import asyncio
import json
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from crawler import Crawler, ScrapedPage, Spider
from crawler.config.auth import AuthSettings, CredentialSettings
from crawler.config.fetch import FetchSettings
from crawler.config.layers import Config
from crawler.errors import FetchError
from crawler.http.address_guard import AddressGuard
from crawler.http.fetcher import Fetcher
from crawler.web.redirects import location_of, onward
from crawler.web.request import Request
from crawler.web.response import Response

Story = Callable[[Fetcher, str], Awaitable[None]]
SERVE = (
    "import logging, sys; from httpbin import app; from werkzeug.serving import make_server;"
    "logging.disable(); make_server('127.0.0.1', int(sys.argv[1]), app, threaded=True)"
    ".serve_forever()"
)


@pytest.fixture(scope="module")
def httpbin() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-c", SERVE, str(port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with socket.socket() as door:
                if door.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
        process.terminate()


def run(story: Story, base: str, **auth: CredentialSettings) -> None:
    async def told() -> None:
        at = {f"{base}/{path}": credential for path, credential in auth.items()}
        fetch = FetchSettings(total_timeout=10.0)
        config = Config(fetch=fetch, auth=AuthSettings(at=at))
        guard = AddressGuard(allow_private=True)
        async with Fetcher(
            fetch, agent="t/1", guard=guard, connections=8, config=config
        ) as fetcher:
            await story(fetcher, base)

    asyncio.run(told())


def said(response: Response) -> Any:
    return json.loads(response.body)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_methods_carry_parameters_headers_and_json(httpbin: str, method: str) -> None:
    async def story(fetcher: Fetcher, base: str) -> None:
        body: dict[str, Any] = {} if method == "GET" else {"json": {"a": [1, "ü"]}}
        request = Request(
            f"{base}/anything",
            method,
            params={"q": ["1", "ä b"]},
            headers={"X-Mine": "yes"},
            **body,
        )
        echo = said(await fetcher.fetch(request))
        assert echo["method"] == method
        assert echo["args"] == {"q": ["1", "ä b"]}
        assert echo["headers"]["X-Mine"] == "yes" and echo["headers"]["User-Agent"] == "t/1"
        assert echo["json"] == body.get("json")

    run(story, httpbin)


def test_head_and_options_have_no_body(httpbin: str) -> None:
    async def story(fetcher: Fetcher, base: str) -> None:
        for method in ("HEAD", "OPTIONS"):
            response = await fetcher.fetch(Request(f"{base}/get", method))
            assert (response.status, response.body) == (200, b"")

    run(story, httpbin)


def test_forms_text_bytes_and_files_arrive_as_sent(httpbin: str, tmp_path: Any) -> None:
    file = tmp_path / "note.txt"
    file.write_bytes(b"from a file")

    async def story(fetcher: Fetcher, base: str) -> None:
        async def echo(**body: Any) -> Any:
            return said(await fetcher.fetch(Request(f"{base}/post", "POST", **body)))

        assert (await echo(data={"a": "1", "b": ["x", "ü"]}))["form"] == {"a": "1", "b": ["x", "ü"]}
        assert (await echo(data=[("a", "1"), ("a", "2")]))["form"] == {"a": ["1", "2"]}
        assert (await echo(data="text"))["data"] == "text"
        assert (await echo(data=b"\x00raw"))["data"] in (
            "\x00raw",
            "data:application/octet-stream;base64,AHJhdw==",
        )
        streamed = await echo(data=file)
        assert streamed["data"] == "from a file"
        several = await echo(data={"who": "me"}, files={"f": file})
        assert (several["form"], several["files"]) == ({"who": "me"}, {"f": "from a file"})

    run(story, httpbin)


def test_cookies_are_kept_and_sessions_are_apart(httpbin: str) -> None:
    async def story(fetcher: Fetcher, base: str) -> None:
        await fetcher.fetch(Request(f"{base}/cookies/set?a=1"))
        await fetcher.fetch(Request(f"{base}/cookies/set?a=2", session="other"))
        for session, value in ((None, "1"), ("other", "2")):
            answer = said(await fetcher.fetch(Request(f"{base}/cookies", session=session)))
            assert answer["cookies"] == {"a": value}
        by_hand = Request(f"{base}/cookies", cookies={"b": "3"})
        assert said(await fetcher.fetch(by_hand))["cookies"] == {"a": "1", "b": "3"}
        fetcher.jars[None].clear(lambda cookie: cookie.key == "a")
        assert said(await fetcher.fetch(Request(f"{base}/cookies")))["cookies"] == {}

    run(story, httpbin)


@pytest.mark.parametrize("path", ["redirect/3", "relative-redirect/3", "absolute-redirect/3"])
def test_chains_of_redirects_lead_to_the_end(httpbin: str, path: str) -> None:
    async def story(fetcher: Fetcher, base: str) -> None:
        request = Request(f"{base}/{path}")
        for _ in range(3):
            response = await fetcher.fetch(request)
            target = location_of(response.headers, request.url)
            assert response.status == 302 and target is not None
            request = onward(request, response.status, target)
        assert (await fetcher.fetch(request)).status == 200

    run(story, httpbin)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirected_post_keeps_its_body_only_where_the_status_says_so(
    httpbin: str, status: int
) -> None:
    async def story(fetcher: Fetcher, base: str) -> None:
        url = f"{base}/redirect-to?status_code={status}&url=/anything"
        request = Request(url, "POST", data={"a": "1"})
        response = await fetcher.fetch(request)
        target = location_of(response.headers, url)
        assert target is not None
        echo = said(await fetcher.fetch(onward(request, response.status, target)))
        kept = status in (307, 308)
        assert echo["method"] == ("POST" if kept else "GET")
        assert echo["form"] == ({"a": "1"} if kept else {})

    run(story, httpbin)


def test_basic_digest_bearer_and_header_keys_open_their_prefix(
    httpbin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIN_PASSWORD", "p4ss")
    doors = {
        "basic-auth/me/p4ss": CredentialSettings(kind="basic", user="me", env="BIN_PASSWORD"),
        "digest-auth/auth/me/p4ss": CredentialSettings(
            kind="digest", user="me", env="BIN_PASSWORD"
        ),
        "bearer": CredentialSettings(kind="bearer", env="BIN_PASSWORD"),
        "headers": CredentialSettings(kind="header", header="X-Key", env="BIN_PASSWORD"),
    }

    async def story(fetcher: Fetcher, base: str) -> None:
        for path in doors:
            assert (await fetcher.fetch(Request(f"{base}/{path}"))).status == 200, path
        assert said(await fetcher.fetch(Request(f"{base}/headers")))["headers"]["X-Key"] == "p4ss"
        elsewhere = said(await fetcher.fetch(Request(f"{base}/anything")))
        assert "p4ss" not in json.dumps(elsewhere)
        assert (await fetcher.fetch(Request(f"{base}/basic-auth/me/other"))).status == 401

    run(story, httpbin, **doors)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "brotli"])
def test_codings_are_undone(httpbin: str, coding: str) -> None:
    async def story(fetcher: Fetcher, base: str) -> None:
        response = await fetcher.fetch(Request(f"{base}/{coding}"))
        assert any(said(response).get(name) for name in ("gzipped", "deflated", "brotli"))

    run(story, httpbin)


def test_streams_delays_ranges_and_encodings(httpbin: str) -> None:
    async def story(fetcher: Fetcher, base: str) -> None:
        lines = (await fetcher.fetch(Request(f"{base}/stream/5"))).body.splitlines()
        assert len(lines) == 5
        assert len((await fetcher.fetch(Request(f"{base}/stream-bytes/5000"))).body) == 5000
        part = await fetcher.fetch(Request(f"{base}/range/100", headers={"Range": "bytes=10-19"}))
        assert (part.status, part.body) == (206, b"klmnopqrst")
        with pytest.raises(FetchError) as caught:
            await fetcher.fetch(Request(f"{base}/delay/3", timeout={"read": 0.2}))
        assert caught.value.outcome == "timeout"
        text = (await fetcher.fetch(Request(f"{base}/encoding/utf8"))).body.decode()
        assert "STARGΛ̊TE" in text

    run(story, httpbin)


def test_statuses_and_conditions_are_given_as_they_are(httpbin: str) -> None:
    async def story(fetcher: Fetcher, base: str) -> None:
        for status in (200, 201, 204, 400, 404, 418, 429, 500, 503):
            assert (await fetcher.fetch(Request(f"{base}/status/{status}"))).status == status
        tagged = Request(f"{base}/etag/abc", headers={"If-None-Match": '"abc"'})
        assert (await fetcher.fetch(tagged)).status == 304

    run(story, httpbin)


class Members(Spider):
    """Reads what only members may, from page to page."""

    name = "members"

    def parse(self, page: ScrapedPage) -> Any:
        yield {"user": page.json()["user"], "in": page.json()["authenticated"]}
        if page.depth == 0:
            yield page.follow(page.url + "/SHA-256")


def test_a_crawl_logs_in_by_digest(
    httpbin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIN_PASSWORD", "p4ss-digest")
    members, store = f"{httpbin}/digest-auth/auth/me/p4ss-digest", tmp_path / "m.db"
    settings = {
        "politeness": {"delay": 0.0},
        "auth": {members: {"kind": "digest", "user": "me", "env": "BIN_PASSWORD"}},
    }
    spider = Members()
    spider.start_urls = [members]

    async def story() -> None:
        async with Crawler(spider, store=store, settings=settings) as crawler:
            assert (await crawler.run()).outcomes == {"ok": 2}

    asyncio.run(story())
    with closing(sqlite3.connect(store)) as db:
        assert db.execute('SELECT user, "in" FROM item').fetchall() == [("me", 1), ("me", 1)]
        assert not [line for line in db.iterdump() if "response=" in line]  # no answered challenge
