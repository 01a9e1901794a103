"""What one call of an ApiClient may say, as it arrives: bodies, params, keys, cookies, times."""

import io
import json
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from client_story import Naps, Served, on_site

from crawler.clients import ApiClient, File, Retries, fetch_all, upload
from crawler.errors import ApiDenied, ApiUnreachable, BadJson, UsageError
from crawler.http.digest import challenges
from crawler.practice import PracticeSite
from tests.clients.test_transport import Authority


async def echo(request: web.Request) -> web.Response:
    """Say what came."""
    said: dict[str, Any] = {
        "method": request.method,
        "query": dict(request.query),
        "headers": {name.lower(): value for name, value in request.headers.items()},
    }
    if request.content_type == "multipart/form-data":
        said["parts"] = [
            [part.headers.get("Content-Type"), (await part.read()).decode()]  # type: ignore[union-attr]
            async for part in await request.multipart()
        ]
    else:
        said["body"] = (await request.read()).decode("latin-1")
    return web.json_response(said, reason="Heard")


FORM = "application/x-www-form-urlencoded"


async def pieces() -> AsyncIterator[bytes]:
    yield b"one "
    yield b"two"


class Again:
    """An iterator that can be had anew."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return pieces()


@pytest.mark.parametrize(
    ("call", "kind", "body"),
    [
        ({"json": {"a": "é"}}, "application/json", '{"a":"Ã©"}'),
        ({"data": "é"}, "text/plain; charset=utf-8", "Ã©"),
        ({"data": b"\x00\xff"}, "application/octet-stream", "\x00ÿ"),
        ({"data": {"a": ["1", "2"], "b": True}}, FORM, "a=1&a=2&b=true"),
        ({"data": [("a", "x y"), ("a", "&")]}, FORM, "a=x+y&a=%26"),
        ({"data": io.BytesIO(b"open")}, "application/octet-stream", "open"),
        ({"data": pieces()}, "application/octet-stream", "one two"),
        ({"data": b"<a/>", "headers": {"content-type": "text/xml"}}, "text/xml", "<a/>"),
    ],
)  # fmt: skip
@on_site()
async def test_a_body_arrives_as_what_it_is(
    site: PracticeSite, call: Any, kind: str, body: str
) -> None:
    async with Served({"/": echo}) as url, ApiClient(url) as api:
        answer = await api.post("", **call)
    assert (answer.data["headers"]["content-type"], answer.data["body"]) == (kind, body)
    assert answer.reason == "Heard" and answer.json() == answer.data == json.loads(answer.text)


@on_site()
async def test_a_path_is_streamed(site: PracticeSite, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b")
    async with Served({"/": echo}) as url, ApiClient(url) as api:
        answer = await api.put("", data=tmp_path / "a.csv")
    assert (answer.data["headers"]["content-type"], answer.data["body"]) == ("text/csv", "a,b")


@on_site()
async def test_a_multipart_form_is_written_as_the_html_standard_has_it(site: PracticeSite) -> None:
    heads: list[bytes] = []

    async def raw(request: web.Request) -> web.Response:
        heads.append(await request.read())
        return web.json_response({})

    name = 'na"ïve\\\n'
    async with Served({"/": echo, "/raw": raw}) as url, ApiClient(url) as api:
        call: Any = {
            "data": {name: "a\nb"},
            "files": {"日": File(b"x", name='日"本.txt'), "s": pieces(), "o": io.BytesIO(b"o")},
        }
        answer = await api.post("", **call)
        await api.post("raw", data={name: "é"}, files={"f": File(b"", name='q"\\é.bin')})
    assert answer.data["parts"] == [
        [None, "a\r\nb"],
        ["text/plain", "x"],
        ["application/octet-stream", "one two"],
        ["application/octet-stream", "o"],
    ]
    assert 'form-data; name="na%22ïve\\%0D%0A"\r\n\r\né\r\n'.encode() in heads[0]
    assert (
        'name="f"; filename="q%22\\é.bin"\r\nContent-Type: application/octet'.encode() in heads[0]
    )


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ({"json": 1, "data": b"x"}, "one body"),
        ({"json": float("nan")}, "cannot be sent as JSON"),
        ({"json": object()}, "cannot be sent as JSON"),
        ({"data": b"x", "files": {"a": b""}}, "a mapping"),
        ({"files": {"a": 3}}, "int cannot be sent"),
        ({"files": {"a": io.StringIO("x")}}, '"rb"'),
        ({"files": {"a": "/no/such/file"}}, "nothing was sent"),
    ],
)
@on_site()
async def test_what_cannot_be_sent_says_why(site: PracticeSite, call: Any, says: str) -> None:
    async with ApiClient(site.url) as api:
        with pytest.raises(UsageError, match=says):
            await api.post("", **call)


@on_site()
async def test_params_headers_and_any_method(site: PracticeSite) -> None:
    async with Served({"/": echo}) as url, ApiClient(url) as api:
        answer = await api.request("report", "", params={"a": 1}, headers={"X-One": "1"})
        assert (await api.head("")).body == b""
        assert (await api.options("")).data["method"] == "OPTIONS"
    said = answer.data
    assert (said["method"], said["query"], said["headers"]["x-one"]) == ("REPORT", {"a": "1"}, "1")


@on_site()
async def test_any_content_type_is_taken_when_it_is_asked_for(site: PracticeSite) -> None:
    async def table(request: web.Request) -> web.Response:
        assert request.headers["Accept"] == "text/csv"
        return web.Response(
            body="a;é".encode("latin-1"), headers={"Content-Type": "text/csv; charset=iso-8859-1"}
        )

    async with Served({"/": table}) as url, ApiClient(url) as api:
        answer = await api.get("", accept="text/csv")
        assert (answer.data, answer.text, answer.content_type) == (None, "a;é", "text/csv")
        with pytest.raises(BadJson):
            await api.get("", headers={"Accept": "text/csv"})


@on_site()
async def test_a_call_has_its_own_time(site: PracticeSite) -> None:
    url = site.add_page("/slow", b"{}", delay=5)
    async with ApiClient(site.url, retries=0) as api:
        for timeout in (0.05, {"read": 0.05}):
            with pytest.raises(ApiUnreachable) as failed:
                await api.get(url, timeout=timeout)
            assert failed.value.outcome == "timeout"


@on_site()
async def test_cookies_are_kept_and_sent_back(site: PracticeSite) -> None:
    async def log_in(request: web.Request) -> web.Response:
        return web.json_response({}, headers={"Set-Cookie": "sid=1; HttpOnly"})

    async with (
        Served({"/in": log_in, "/": echo}) as url,
        ApiClient(url, cookies={"lang": "de"}) as api,
    ):
        await api.post("in")
        said = (await api.get("")).data["headers"]["cookie"]
        assert {cookie.name: cookie.value for cookie in api.cookies} == {"lang": "de", "sid": "1"}
        api.cookies.clear()
        assert "cookie" not in (await api.get("")).data["headers"]
    assert said == "lang=de; sid=1"


@on_site()
async def test_a_password_in_the_url_is_used_for_its_origin_alone(site: PracticeSite) -> None:
    async with Served({"/": echo}) as first, Served({"/": echo}) as second:
        own = first.replace("://", "://me:p%40ss@")
        async with ApiClient(own) as api:
            assert (await api.get("")).data["headers"]["authorization"] == "Basic bWU6cEBzcw=="
            assert "authorization" not in (await api.get(second)).data["headers"]
            there = second.replace("://", "://u:v@")
            assert (await api.get(there)).data["headers"]["authorization"] == "Basic dTp2"
            assert "authorization" not in (await api.get(second)).data["headers"]
        [one] = await fetch_all([own])
        assert one.json()["headers"]["authorization"] == "Basic bWU6cEBzcw=="
        assert (one.ok, one.status, one.reason) == (True, 200, "Heard") and "Basic" in one.text


def test_challenges_are_read_in_linear_time() -> None:
    started = time.process_time()
    for part in (" ", "a", "a ", 'a="', ", ", "="):
        list(challenges([part * 8000]))
    assert time.process_time() - started < 1


@on_site()
async def test_basic_and_digest_are_shown_to_the_origin(site: PracticeSite) -> None:
    async with Served({"/": echo}) as url, ApiClient(url, basic=("me", "pw")) as api:
        assert (await api.get("")).data["headers"]["authorization"] == "Basic bWU6cHc="

    said: list[str] = []

    async def challenge(request: web.Request) -> web.Response:
        said.append(request.headers.get("Authorization", ""))
        if said[-1]:
            return web.json_response({})
        answer = web.json_response({}, status=401)
        answer.headers.add("WWW-Authenticate", 'Basic realm="here"')
        answer.headers.add("WWW-Authenticate", 'Digest REALM="a, b", NONCE=x, ALGORITHM=SHA-3-999')
        answer.headers.add("WWW-Authenticate", 'Digest REALM="r", NONCE="n", QOP="AUTH,x"')
        return answer

    async with Served({"/": challenge}) as url, ApiClient(url, digest=("me", "pw")) as api:
        await api.get("")
    assert said[0] == "" and said[1].startswith('Digest username="me", realm="r", nonce="n"')
    assert "qop=auth" in said[1] and "pw" not in said[1]
    async with Served({"/": challenge}) as url, ApiClient(url) as api:
        said.clear()
        with pytest.raises(ApiDenied):
            await api.get("")
    assert said == [""]


@on_site()
async def test_a_tls_context_of_ones_own_is_taken_by_every_client(
    site: PracticeSite, tmp_path: Path
) -> None:
    known = Authority(tmp_path)
    context = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    async with PracticeSite(tls=known.context) as safe:
        async with ApiClient(safe.url, ssl=context, connections=0, limit=0) as api:
            assert (await api.get("", accept="text/html")).status == 200
        [one] = await fetch_all([safe.url], ssl=context)
        [two] = await fetch_all([safe.url], retries=0)
        assert one.ok and two.outcome == "tls_error"
        with pytest.raises(type(two.error)):
            _ = two.text
        assert (await upload(safe.at("/upload"), b"x", ssl=context)).ok


@pytest.mark.parametrize(
    ("content", "tries"),
    [(pieces(), 1), (Again(), 3), (b"one two", 3), (io.BytesIO(b"one two"), 3)],
)
@on_site()
async def test_what_can_be_read_once_is_sent_once(
    site: PracticeSite, content: Any, tries: int
) -> None:
    bodies: list[bytes] = []

    async def fail(request: web.Request) -> web.Response:
        bodies.append(await request.read())
        return web.Response(status=503)

    async with Served({"/": fail}) as url:
        answer = await upload(url, content, raw=True, retries=Retries(2, sleep=Naps()))
    assert bodies == [b"one two"] * tries and (answer.status, answer.size) == (503, 7)


@on_site()
async def test_an_upload_takes_bytes_files_and_iterators(site: PracticeSite) -> None:
    seen: list[tuple[int, int | None]] = []
    async with Served({"/": echo}) as url:
        answer = await upload(
            url,
            [b"bytes", io.BytesIO(b"open"), File(pieces(), field="s", name="s.txt")],
            progress=lambda done, total: seen.append((done, total)),
        )
    assert [part[1] for part in answer.json()["parts"]] == ["bytes", "open", "one two"]
    assert seen[-1] == (16, None) and answer.size == 16


def test_a_number_is_no_limit_of_a_rate() -> None:
    with pytest.raises(UsageError, match=r"RateLimit\(calls, period\)"):
        ApiClient("http://127.0.0.1:9/", limit=5)  # type: ignore[arg-type]
