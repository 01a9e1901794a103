"""ApiClient over real HTTP: methods, retries, errors, paging, keys."""

import asyncio
import json
import traceback

import pytest
from aiohttp import web
from client_story import Naps, Served, on_site

from crawler.clients import (
    ApiClient,
    Cursor,
    LinkHeader,
    NextLink,
    PageNumber,
    RateLimit,
    Retries,
)
from crawler.clients.paging import Paging
from crawler.errors import (
    ApiDenied,
    ApiFailed,
    ApiLimited,
    ApiNotFound,
    ApiStatus,
    ApiUnreachable,
    BadJson,
    PagingLoop,
    UsageError,
)
from crawler.practice import PracticeSite


@on_site()
async def test_reads_and_writes_with_every_method(site: PracticeSite) -> None:
    async with ApiClient(site.at("/api")) as api:
        made = await api.post("notes", json={"title": "ebb", "body": "at noon"})
        assert (made.status, made.data["title"]) == (201, "ebb")
        path = f"notes/{made.data['id']}"
        assert (await api.patch(path, json={"body": "at one"})).data["body"] == "at one"
        assert (await api.put(path, json={"title": "flood", "body": "x"})).data["title"] == "flood"
        assert (await api.get(path, expect=dict)).headers["Content-Type"].startswith("application/")
        gone = await api.delete(path)
        assert (gone.status, gone.data) == (204, None)
        with pytest.raises(ApiNotFound):
            await api.get(path)


@on_site()
async def test_says_when_an_answer_was_asked_for(site: PracticeSite) -> None:
    async with ApiClient(site.at("/api")) as api:
        answer = await api.get("quotes", params={"page": 2, "per_page": 5, "none": None})
    assert answer.timestamp.tzinfo is not None
    assert answer.data["page"] == 2
    assert answer.url.endswith("/api/quotes?page=2&per_page=5")


@pytest.mark.parametrize(
    ("path", "paging", "at", "number"),
    [
        ("quotes", NextLink(), "items", 100),
        ("quotes", PageNumber(pages="pages"), "items", 100),
        ("quotes", PageNumber(), "items", 100),
        ("products", Cursor(), "items", 160),
        ("authors", LinkHeader(), None, 20),
    ],
)
def test_reads_a_collection_to_its_end(path: str, paging: object, at: str, number: int) -> None:
    @on_site()
    async def story(site: PracticeSite) -> None:
        async with ApiClient(site.at("/api")) as api:
            found = [str(entry) async for entry in api.items(path, paging, at=at)]  # type: ignore[arg-type]
        assert len(found) == len(set(found)) == number

    story()


@on_site()
async def test_reads_no_more_pages_than_asked_for(site: PracticeSite) -> None:
    async with ApiClient(site.at("/api")) as api:
        pages = [page async for page in api.pages("quotes", NextLink(), most=3)]
    assert [page.data["page"] for page in pages] == [1, 2, 3]


@pytest.mark.parametrize(
    ("body", "paging", "error", "said"),
    [
        (b'{"items": [], "next_cursor": "\\ud800"}', Cursor(), BadJson, "has no UTF-8"),
        (b'{"next": "/odd", "items": []}', NextLink(), PagingLoop, "comes again"),
    ],
)
@on_site()
async def test_ends_a_paging_that_leads_nowhere(
    site: PracticeSite, body: bytes, paging: Paging, error: type[Exception], said: str
) -> None:
    site.add_page("/odd", body)
    async with ApiClient(site.url) as api:
        with pytest.raises(error, match=said):
            async for _ in api.pages("odd", paging):
                pass


@on_site()
async def test_sends_its_key(site: PracticeSite) -> None:
    async with ApiClient(site.at("/api"), api_key="practice-key") as api:
        assert len((await api.get("private/products")).data["items"]) == 20
    async with ApiClient(site.at("/api"), api_key="wrong") as api:
        with pytest.raises(ApiDenied):
            await api.get("private/products")
    async with ApiClient(site.url, token="practice-token") as api:
        with pytest.raises(BadJson):  # opened, but it is a page
            await api.get("auth/bearer/")


@on_site()
async def test_never_takes_its_key_to_another_host(site: PracticeSite) -> None:
    async with PracticeSite("127.0.0.2") as other:
        site.add_redirect("/away", other.at("/echo"), status=307)
        async with ApiClient(site.url, api_key="practice-key", token="tok") as api:
            there = await api.get(other.at("/echo"))
            with pytest.raises(ApiUnreachable, match="not on the public internet"):
                async with ApiClient(site.url, api_key="practice-key") as fresh:
                    await fresh.get("away")
            after = await api.get("away")
    for sent in (there, after):
        assert "practice-key" not in str(sent.data) and "tok" not in str(sent.data)


@on_site()
async def test_tries_again_after_503_and_heeds_retry_after(site: PracticeSite) -> None:
    naps = Naps()
    async with ApiClient(site.url, retries=Retries(3, sleep=naps)) as api:
        with pytest.raises(BadJson):
            await api.get("flaky/a", params={"fail": 2})
    assert site.count("/flaky/a") == 3
    assert naps == [1.0, 1.0]


@pytest.mark.parametrize(
    ("status", "error", "tries"),
    [
        (400, ApiStatus, 1),
        (401, ApiDenied, 1),
        (403, ApiDenied, 1),
        (404, ApiNotFound, 1),
        (410, ApiNotFound, 1),
        (418, ApiStatus, 1),
        (429, ApiLimited, 3),
        (500, ApiFailed, 3),
        (501, ApiFailed, 1),
        (503, ApiFailed, 3),
    ],
)
def test_ends_in_a_typed_error(status: int, error: type[ApiStatus], tries: int) -> None:
    @on_site()
    async def story(site: PracticeSite) -> None:
        async with ApiClient(site.url, retries=Retries(2, sleep=Naps())) as api:
            with pytest.raises(error) as caught:
                await api.get(f"status/{status}")
        assert caught.value.status == status
        assert site.count(f"/status/{status}") == tries

    story()


@on_site()
async def test_backs_off_twice_as_long_each_time(site: PracticeSite) -> None:
    naps = Naps()
    async with ApiClient(site.url, retries=Retries(4, first=1.0, sleep=naps)) as api:
        with pytest.raises(ApiFailed):
            await api.get("status/500")
    for nap, whole in zip(naps, [1, 2, 4, 8], strict=True):
        assert whole / 2 <= nap <= whole


@on_site()
async def test_does_not_wait_for_an_hour(site: PracticeSite) -> None:
    naps = Naps()
    site.add_page("/later", b"", status=503, headers={"Retry-After": "3600"})
    async with ApiClient(site.url, retries=Retries(sleep=naps)) as api:
        with pytest.raises(ApiFailed):
            await api.get("later")
    assert naps == []


def test_tries_a_refused_connection_again_and_names_it() -> None:
    async def story() -> None:
        naps = Naps()
        async with ApiClient("http://127.0.0.1:9", retries=Retries(2, sleep=naps)) as api:
            with pytest.raises(ApiUnreachable) as caught:
                await api.get("x")
        assert caught.value.outcome == "connect_error"
        assert len(naps) == 2

    asyncio.run(story())


@on_site()
async def test_tries_a_time_out_again(site: PracticeSite) -> None:
    release = site.hold("/api/quotes")
    async with ApiClient(site.at("/api"), timeout=0.05, retries=Retries(1, sleep=Naps())) as api:
        with pytest.raises(ApiUnreachable) as caught:
            await api.get("quotes")
    release.set()
    assert caught.value.outcome == "timeout"
    assert site.count("/api/quotes") == 2


def test_a_repeated_post_carries_the_same_idempotency_key() -> None:
    keys: list[str] = []

    async def note(request: web.Request) -> web.Response:
        keys.append(request.headers["Idempotency-Key"])
        return web.json_response({}, status=201 if len(keys) == 3 else 503)

    async def story() -> None:
        again = Retries(3, sleep=Naps())
        async with Served({"/notes": note}) as url, ApiClient(url, retries=again) as api:
            assert (await api.post("notes", json={})).status == 201
        assert len(keys) == 3 and len(set(keys)) == 1

    asyncio.run(story())


@on_site()
async def test_what_is_no_json_is_shown_by_its_first_bytes(site: PracticeSite) -> None:
    async with ApiClient(site.url) as api:
        with pytest.raises(BadJson, match=r"no JSON \(text/html.*<!DOCTYPE html>") as caught:
            await api.get("shop/")
        assert "bytes more" in str(caught.value)
        with pytest.raises(BadJson, match=r"wanted list, got dict: .{.page"):
            await api.get("api/quotes", expect=list)


@on_site()
async def test_shares_a_rate_between_its_tries(site: PracticeSite) -> None:
    now, naps = [100.0], []

    async def sleep(seconds: float) -> None:
        naps.append(seconds)
        now[0] += seconds

    limit = RateLimit(2, 10, clock=lambda: now[0], sleep=sleep)
    async with ApiClient(site.at("/api"), limit=limit) as api:
        await asyncio.gather(*(api.get("quotes") for _ in range(5)))
    assert naps == [10.0, 10.0]


def test_no_key_shows_in_an_error_a_traceback_or_a_repr() -> None:
    key = "s3cr" + "3t"

    async def story() -> str:
        client = ApiClient("http://127.0.0.1:9/", api_key=key, token=key)
        try:
            async with client as api:
                await api.request("GET", f"x?key={key}", retries=Retries(0))
        except ApiUnreachable as error:
            return traceback.format_exc() + repr(client) + str(error)
        raise AssertionError

    assert key not in asyncio.run(story())


def test_leaves_no_socket_open_when_it_is_cancelled() -> None:
    """-W error makes an unclosed session or transport fail this test."""

    @on_site()
    async def story(site: PracticeSite) -> None:
        async with ApiClient(site.url) as api:
            site.hold("/slow/")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(api.get("slow/"), 0.05)
            assert site.count("/slow/") == 1

    story()


@on_site()
async def test_a_client_that_is_not_open_says_so(site: PracticeSite) -> None:
    client = ApiClient(site.at("/api"))
    with pytest.raises(UsageError, match="async with"):
        await client.get("quotes")
    async with client:
        await client.get("quotes")
    with pytest.raises(UsageError, match="async with"):
        await client.get("quotes")


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a": ', b"\xff\xfe", b"1" * 5000, b"[NaN]"])
@on_site()
async def test_json_that_nobody_could_read_is_named(site: PracticeSite, body: bytes) -> None:
    url = site.add_page("/odd", body, headers={"Content-Type": "application/json"})
    async with ApiClient(site.url) as client:
        with pytest.raises(BadJson, match="no JSON"):
            await client.get(url)


@on_site()
async def test_json_is_read_as_python_reads_it(site: PracticeSite) -> None:
    texts = ["1e999", '"\\ud800"', str(2**80), " \n", '{"a": 1, "a": 2}', "-0.0"]
    async with ApiClient(site.url) as client:
        for number, text in enumerate(texts):
            url = site.add_page(f"/json/{number}", text.encode(), headers={"Content-Type": "a/b"})
            found = (await client.get(url)).data
            assert repr(found) == repr(json.loads(text) if text.strip() else None)
