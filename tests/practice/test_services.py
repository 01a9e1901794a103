"""What the practice site does on request: login, keys, the API, notes, files, sockets."""

import hashlib

import aiohttp
import pytest
from bs4 import BeautifulSoup
from practice_story import ask, body_of, on_site

from crawler.practice.account import BEARER_TOKEN, PASSWORD, USER
from crawler.practice.api import API_KEY
from crawler.practice.catalog import products
from crawler.practice.content import quotes, voices
from crawler.practice.files import DEFAULT_SIZE, large_bytes


async def form(client, path, selector):
    """The fields of a form as it stands on a page."""
    tree = BeautifulSoup(await body_of(client, path), "lxml")
    return {box["name"]: box.get("value", "") for box in tree.select(f"{selector} input")}


@on_site()
async def test_a_login_opens_the_letters_and_a_logout_closes_them(site, client):
    async with client.get("/members/letters/2/") as answer:
        assert str(answer.url.relative()) == "/login?next=/members/letters/2/"
    fields = await form(client, "/login?next=/members/letters/2/", "form#login")
    fields |= {"user": USER, "password": PASSWORD}
    async with client.post("/login", data=fields) as answer:
        assert (answer.history[0].status, answer.url.path) == (303, "/members/letters/2/")
        assert "Nothing happened today" in await answer.text()
    leave = await form(client, "/members/", "form#logout")
    assert (await ask(client, "POST", "/logout", data=leave)).url.path == "/"
    assert (await ask(client, "GET", "/members/")).url.path == "/login"


@pytest.mark.parametrize(
    "wrong", [{"password": "x"}, {"user": ""}, {"csrf_token": "x"}, {"csrf_token": "ä"}]
)
@on_site()
async def test_a_wrong_field_opens_nothing(site, client, wrong):
    fields = await form(client, "/login", "form#login")
    sent = fields | {"user": USER, "password": PASSWORD} | wrong
    assert (await ask(client, "POST", "/login", data=sent)).status == 403
    assert (await ask(client, "GET", "/members/")).url.path == "/login"


@on_site()
async def test_a_login_without_a_session_is_refused(site, client):
    assert (
        await ask(client, "POST", "/login", data={"user": USER, "password": PASSWORD})
    ).status == 403


@on_site()
async def test_a_login_gives_a_new_cookie_and_never_leads_off_the_site(site, client):
    fields = await form(client, "/login", "form#login")
    before = {cookie.value for cookie in client.cookie_jar}
    sent = fields | {"user": USER, "password": PASSWORD, "next": "//evil.test/"}
    async with client.post("/login", data=sent, allow_redirects=False) as answer:
        assert answer.headers["Location"] == "/members/"
        assert "HttpOnly" in answer.headers["Set-Cookie"]
    assert before.isdisjoint({cookie.value for cookie in client.cookie_jar})


BASIC = aiohttp.encode_basic_auth(USER, PASSWORD)
KEYS = [
    ("/auth/basic/", {"Authorization": BASIC}, 200),
    ("/auth/basic/", {"Authorization": aiohttp.encode_basic_auth(USER, "x")}, 401),
    ("/auth/basic/", {"Authorization": "Basic ?"}, 401),
    ("/auth/basic/", {}, 401),
    ("/auth/bearer/", {"Authorization": f"Bearer {BEARER_TOKEN}"}, 200),
    ("/auth/bearer/", {"Authorization": BASIC}, 401),
    ("/api/private/products", {"X-API-Key": API_KEY}, 200),
    ("/api/private/products", {"X-API-Key": "x"}, 401),
    ("/api/private/products", {}, 401),
]


@pytest.mark.parametrize(("path", "headers", "status"), KEYS)
@on_site()
async def test_a_door_opens_to_its_own_key_only(site, client, path, headers, status):
    async with client.get(path, headers=headers) as answer:
        assert answer.status == status
        assert ("WWW-Authenticate" in answer.headers) is (status == 401)


@on_site()
async def test_the_api_pages_by_number_by_cursor_and_by_link_header(site, client):
    path, numbers = "/api/quotes?per_page=30", []
    while path:
        answer = await (await ask(client, "GET", path)).json()
        numbers += [item["id"] for item in answer["items"]]
        path = answer["next"]
    assert numbers == [quote.number for quote in quotes()]

    cursor, names = "", []
    while cursor is not None:
        answer = await (await ask(client, "GET", "/api/products", params={"cursor": cursor})).json()
        names += [item["name"] for item in answer["items"]]
        cursor = answer["next_cursor"]
    assert names == [product.name for product in products()]

    address, slugs = "/api/authors", []
    while address:
        async with client.get(address) as page:
            slugs += [item["slug"] for item in await page.json()]
            address = page.links.get("next", {}).get("url")
    assert slugs == list(voices())


WRONG = ["/api/quotes?page=0", "/api/quotes?per_page=51", "/api/quotes?page=x"]
WRONG += ["/api/products?cursor=x", "/api/products?cursor=%C3%A4", "/api/notes?limit=-1"]


@pytest.mark.parametrize("path", WRONG)
@on_site()
async def test_a_wrong_parameter_is_400_and_says_which(site, client, path):
    async with client.get(path) as answer:
        problem = await answer.json()
    assert (answer.status, problem["status"]) == (400, 400)
    assert path.partition("?")[2].partition("=")[0] in problem["detail"]


@on_site()
async def test_an_unknown_address_of_the_api_is_404_in_json(site, client):
    assert (await (await ask(client, "GET", "/api/none")).json())["error"] == "Not Found"


@on_site()
async def test_a_note_is_written_read_changed_replaced_and_deleted(site, client):
    async with client.post("/api/notes", json={"title": "Tides", "body": "high"}) as answer:
        assert answer.status == 201
        path, note = answer.headers["Location"], await answer.json()
    assert (note["title"], note["body"], note["done"]) == ("Tides", "high", False)
    assert await (await ask(client, "GET", path)).json() == note
    patched = await (await ask(client, "PATCH", path, json={"done": True})).json()
    assert (patched["title"], patched["body"], patched["done"]) == ("Tides", "high", True)
    replaced = await (await ask(client, "PUT", path, json={"title": "Ebb"})).json()
    assert (replaced["title"], replaced["body"], replaced["done"]) == ("Ebb", "", False)
    assert replaced["created_at"] == note["created_at"]
    listed = await (await ask(client, "GET", "/api/notes")).json()
    assert listed == {"total": 1, "items": [replaced]}
    assert (await ask(client, "DELETE", path)).status == 204
    for method in ("GET", "DELETE"):
        assert (await ask(client, method, path)).status == 404
    assert (await ask(client, "PUT", path, json={"title": "late"})).status == 404


@on_site()
async def test_notes_are_listed_in_pages_with_their_total(site, client):
    for number in range(5):
        await ask(client, "POST", "/api/notes", json={"title": f"note {number}"})
    part = await (await ask(client, "GET", "/api/notes?limit=2&offset=3")).json()
    assert (part["total"], [item["title"] for item in part["items"]]) == (5, ["note 3", "note 4"])


BODIES = [
    ({"json": {}}, 422, "title: is missing"),
    ({"json": {"title": " "}}, 422, "title: must not be empty"),
    ({"json": {"title": 5}}, 422, "title: must be a text"),
    ({"json": {"title": "x" * 121}}, 422, "title: must not be longer than 120"),
    ({"json": {"title": "x", "done": 1}}, 422, "done: must be true or false"),
    ({"json": {"title": "x", "colour": ""}}, 422, "colour: is no field"),
    ({"json": []}, 422, "must be an object"),
    ({"data": b"{", "headers": {"Content-Type": "application/json"}}, 400, "no JSON"),
    ({"data": {"title": "x"}}, 415, "send application/json"),
]


@pytest.mark.parametrize(("body", "status", "detail"), BODIES)
@on_site()
async def test_a_note_that_is_none_is_refused_with_a_reason(site, client, body, status, detail):
    async with client.post("/api/notes", **body) as answer:
        assert (answer.status, detail in (await answer.json())["detail"]) == (status, True)
    assert (await (await ask(client, "GET", "/api/notes")).json())["total"] == 0


@on_site()
async def test_a_method_that_is_not_there_is_405_and_names_those_that_are(site, client):
    async with client.patch("/api/notes") as answer:
        assert answer.status == 405
        assert "POST" in answer.headers["Allow"]


SIZE = 200_000
RANGES = [
    ("bytes=0-99", 206, 0, 100),
    ("bytes=70000-", 206, 70_000, SIZE),
    ("bytes=-5", 206, SIZE - 5, SIZE),
    ("bytes=199990-999999", 206, 199_990, SIZE),
    ("bytes=0-1,5-6", 200, 0, SIZE),
    ("lines=0-1", 200, 0, SIZE),
    ("bytes=200000-", 416, 0, 0),
]


@pytest.mark.parametrize(("asked", "status", "start", "stop"), RANGES)
@on_site()
async def test_a_large_file_can_be_had_in_ranges(site, client, asked, status, start, stop):
    async with client.get(f"/files/large.bin?size={SIZE}", headers={"Range": asked}) as answer:
        body = await answer.read()
        assert answer.status == status
    if status == 416:
        assert answer.headers["Content-Range"] == f"bytes */{SIZE}"
        return
    assert body == large_bytes(0, SIZE)[start:stop] == large_bytes(start, stop)
    if status == 206:
        assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{SIZE}"


@on_site()
async def test_a_range_is_sent_only_of_the_file_that_if_range_names(site, client):
    async with client.head("/files/large.bin") as answer:
        tag, date = answer.headers["ETag"], answer.headers["Last-Modified"]
        assert answer.content_length == DEFAULT_SIZE
    for condition, status in [(tag, 206), (date, 206), ('"other"', 200), (f"W/{tag}", 200)]:
        headers = {"Range": "bytes=5-9", "If-Range": condition}
        assert (await ask(client, "GET", "/files/large.bin", headers=headers)).status == status
    assert (
        await ask(client, "GET", "/files/large.bin", headers={"If-None-Match": tag})
    ).status == 304


@on_site()
async def test_a_download_that_was_cut_can_be_resumed(site, client):
    path, got = "/files/large.bin?size=300000&cut=100000", b""
    with pytest.raises(aiohttp.ClientPayloadError):
        async with client.get(path) as answer:
            async for piece in answer.content.iter_any():
                got += piece
    assert len(got) == 100_000
    async with client.get(path, headers={"Range": f"bytes={len(got)}-"}) as answer:
        assert got + await answer.read() == large_bytes(0, 300_000)


@on_site()
async def test_a_file_has_a_name_of_its_own(site, client):
    async with client.get("/files/tides.csv") as answer:
        assert answer.content_disposition.filename == "tides ≈.csv"


@on_site()
async def test_an_upload_is_answered_with_size_and_digest_of_every_part(site, client):
    body = large_bytes(0, 150_000)
    expected = {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    raw = await (await ask(client, "PUT", "/upload", data=body)).json()
    assert raw == expected | {"content_type": "application/octet-stream"}
    parts = aiohttp.FormData({"remark": "two files"})
    for name in ("a.bin", "b.bin"):
        parts.add_field("file", body, filename=name, content_type="image/x-none")
    answer = await (await ask(client, "POST", "/upload", data=parts)).json()
    assert [part["filename"] for part in answer["parts"]] == [None, "a.bin", "b.bin"]
    assert expected.items() <= answer["parts"][2].items()
    wrong = {"Content-Type": "multipart/form-data"}
    assert (await ask(client, "POST", "/upload", data=b"x", headers=wrong)).status == 400


@on_site()
async def test_the_echo_socket_says_back_what_it_hears(site, client):
    async with client.ws_connect("/ws/echo") as socket:
        await socket.send_str("ahoy")
        assert await socket.receive_str() == "ahoy"
        await socket.send_bytes(b"\x00\xff")
        assert await socket.receive_bytes() == b"\x00\xff"


@on_site()
async def test_the_ticker_can_be_taken_up_again_after_it_hung_up(site, client):
    numbers, codes = [], []
    while 1000 not in codes:
        since = numbers[-1] if numbers else 0
        async with client.ws_connect(f"/ws/ticker?since={since}&until=7&drop_after=3") as socket:
            numbers += [message.json()["n"] async for message in socket]
            codes.append(socket.close_code)
    assert numbers == [1, 2, 3, 4, 5, 6, 7]
    assert codes == [1006, 1006, 1000]
