"""upload over real HTTP: forms and raw bodies, streamed, with progress."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from client_story import Naps, Served, on_site

from crawler.clients import File, Retries, upload
from crawler.errors import FetchError, UsageError
from crawler.practice import PracticeSite


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@on_site()
async def test_sends_several_files_and_fields_as_a_form(site: PracticeSite, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"a,b\n" * 200_000)
    (tmp_path / "b.bin").write_bytes(b"\0\1")
    seen: list[tuple[int, int]] = []
    answer = await upload(
        site.at("/upload"),
        [tmp_path / "a.csv", File(tmp_path / "b.bin", field="second", name="naïve.png")],
        fields={"note": "hello"},
        progress=lambda sent, total: seen.append((sent, total)),
    )
    note, first, second = answer.json()["parts"]
    assert (note["name"], note["size"]) == ("note", 5)
    assert (first["name"], first["filename"], first["content_type"]) == (
        "file",
        "a.csv",
        "text/csv",
    )
    assert first["sha256"] == sha256(b"a,b\n" * 200_000)
    assert (second["name"], second["content_type"]) == ("second", "image/png")
    assert seen[-1] == (800_002, 800_002) and len(seen) > 3
    assert int(site.hits[0].headers["Content-Length"]) > 800_002


@on_site()
async def test_sends_one_file_raw(site: PracticeSite, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_bytes(b"<p>" * 1000)
    answer = await upload(site.at("/upload"), path, raw=True, method="PUT")
    expected = {"content_type": "text/html", "size": 3000, "sha256": sha256(b"<p>" * 1000)}
    assert answer.json() == expected
    assert site.hits[0].headers["Content-Length"] == "3000"


@on_site()
async def test_a_redirect_that_keeps_the_method_sends_the_files_again(
    site: PracticeSite, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(b"x" * 10)
    site.add_redirect("/old", "/upload", status=307)
    answer = await upload(site.at("/old"), tmp_path / "a")
    assert answer.json()["parts"][0]["sha256"] == sha256(b"x" * 10)


def test_a_try_again_sends_all_of_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 10)
    seen: list[int] = []
    bodies: list[bytes] = []

    async def busy(request: web.Request) -> web.Response:
        bodies.append(await request.read())
        return web.Response(status=503)

    async def story() -> None:
        async with Served({"/upload": busy}) as url:
            answer = await upload(
                f"{url}/upload",
                tmp_path / "a",
                raw=True,
                retries=Retries(2, sleep=Naps()),
                progress=lambda sent, total: seen.append(sent),
            )
        assert answer.status == 503 and seen == [10, 10, 10] and bodies == [b"x" * 10] * 3

    asyncio.run(story())


@on_site()
async def test_a_server_that_does_not_want_the_body_leaves_no_file_open(
    site: PracticeSite, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(b"x" * 5_000_000)
    assert (await upload(site.at("/status/403"), tmp_path / "a", retries=0)).status == 403


def test_a_file_that_cannot_be_read_is_named_before_anything_is_sent(tmp_path: Path) -> None:
    for files in (tmp_path / "missing", [], tmp_path):
        with pytest.raises(UsageError):
            asyncio.run(upload("http://127.0.0.1:9/", files, retries=0))


@on_site()
async def test_what_an_iterator_raises_is_told_as_its_own(
    site: PracticeSite,
) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x"
        raise ValueError("the source broke")

    async def texts() -> AsyncIterator[Any]:
        yield "a text"

    async def gone() -> AsyncIterator[bytes]:
        yield b"x"
        raise PermissionError(13, "taken away")

    sources = ((broken(), "source broke"), (texts(), "gave a str"), (gone(), "taken away"))
    for content, told in sources:
        with pytest.raises(FetchError, match=told) as raised:
            await upload(site.at("/echo"), content, raw=True)
        assert raised.value.final


def test_no_server_is_a_fetch_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    with pytest.raises(FetchError):
        asyncio.run(upload("http://127.0.0.1:9/", tmp_path / "a", retries=0))
