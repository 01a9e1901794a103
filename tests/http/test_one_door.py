"""One door to the HTTP client, one function for redirects, secrets to their own origin."""

import ast
import asyncio
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from client_story import Served
from crawl_story import crawl, read
from multidict import CIMultiDict

from crawler import Crawler, Request, Spider, Stream
from crawler.cli.probe import look
from crawler.clients import ApiClient, LinkHeader, Retries, WebSocket, fetch_all
from crawler.config.layers import Config, load
from crawler.config.secrets import may_leave
from crawler.engine.robots_gate import robots_of
from crawler.errors import AddressRefused, FetchError
from crawler.export import import_
from crawler.export.warc import read_warc
from crawler.http.address_guard import AddressGuard
from crawler.http.fetcher import Fetcher
from crawler.store import open_store
from crawler.web import redirects

PACKAGE = Path(__file__).parents[2] / "crawler"
SENDS = {"request", "ws_connect", "get", "post", "put", "patch", "delete", "head", "options"}
SENDS |= {"_request", "_ws_connect"}

# ---------------------------------------------------------------- the door


def with_words(*words: str) -> Iterator[tuple[Path, ast.Module]]:
    """Every module of the package that has one of the words at all, in any case."""
    for file in PACKAGE.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        if any(word in text.lower() for word in words):
            yield file, ast.parse(text)


def calls(tree: ast.Module) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def of_session(call: ast.Call) -> bool:
    """Whether a call sends something over a session, or makes one."""
    function = call.func
    if isinstance(function, ast.Name):
        return function.id == "ClientSession"
    if not isinstance(function, ast.Attribute):
        return False
    over = ast.unparse(function.value)
    return function.attr == "ClientSession" or (
        function.attr in SENDS
        and ("session" in over.lower() or over == "aiohttp")
        and "sessions" not in over
    )


def test_sessions_and_the_exchange_alone_call_the_http_client() -> None:
    found = {
        (file.relative_to(PACKAGE).as_posix(), ast.unparse(call.func))
        for file, tree in with_words("session", "aiohttp")
        for call in calls(tree)
        if of_session(call) and "practice" not in file.parts
    }
    assert found == {
        ("http/sessions.py", "ClientSession"),
        ("http/exchange.py", "session.request"),
        ("http/sessions.py", "session.ws_connect"),
    }


def test_no_other_module_can_name_a_session_or_another_http_client() -> None:
    clients = {"httpx", "requests", "urllib3", "http.client", "socket.create_connection"}
    words = ("clientsession", "urlopen", "httpx", "urllib3", "create_connection")
    words += ("import requests", "from requests", "http.client", "from http import")
    for file, tree in with_words(*words):
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                names = {f"{node.module}.{alias.name}" for alias in node.names} | {
                    node.module or ""
                }
            elif isinstance(node, ast.Import):
                names = {alias.name for alias in node.names}
            else:
                continue
            assert not names & clients and "urllib.request.urlopen" not in names, file
            if "aiohttp.ClientSession" in names:
                assert file.name in ("sessions.py", "exchange.py")


def test_no_request_lets_the_client_follow_redirects() -> None:
    [sent] = [
        call
        for call in calls(ast.parse((PACKAGE / "http" / "exchange.py").read_text("utf-8")))
        if ast.unparse(call.func) == "session.request"
    ]
    assert ("allow_redirects", "False") in [(k.arg, ast.unparse(k.value)) for k in sent.keywords]


# ---------------------------------------------------------------- one function follows a Location

LOCATIONS = [
    ("/ü".encode(), "/%C3%BC"),
    ("/ü".encode("latin-1"), "/%FC"),
    ("/?q=ü".encode(), "/?q=%C3%BC"),
    ("/?q=ü".encode("latin-1"), "/?q=%FC"),
    ("/日本".encode(), "/%E6%97%A5%E6%9C%AC"),
    ("/a\u00a0".encode(), "/a%C2%A0"),
    (b"there", "/dir/there"),
    (b"../there", "/there"),
    (b"?there", "/dir/here?there"),
    (b"\\there", "/there"),
    (b"/a\\b", "/a/b"),
    (b" \t/there ", "/there"),
    (b"/a\tb", "/ab"),
    (b"/there#part", "/there"),
    (b"/%7ethere", "/~there"),
    (b"http:there", "/dir/there"),
]


class Site:
    """A raw server: /dir/here and /robots.txt redirect by the bytes given, all else is a page."""

    def __init__(self, location: bytes, *, of_robots: bool = False) -> None:
        self.location, self.of_robots, self.asked = location, of_robots, list[str]()

    async def __aenter__(self) -> "Site":
        self.server = await asyncio.start_server(self.answer, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.server.close()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        target = head.split(b" ")[1].decode()
        self.asked.append(target)
        if target == ("/robots.txt" if self.of_robots else "/dir/here"):
            said = b"302 Found\r\nLocation: " + self.location
        else:
            said = b"404 Not Found" if target == "/robots.txt" else b"200 OK"
        writer.write(b"HTTP/1.1 " + said + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()


async def imported(answer: tuple[Any, ...], path: Path) -> None:
    """Bring one answer that was fetched elsewhere into a store."""
    store = open_store(str(path))
    await store.open()
    await store.begin_run("import", "{}")
    await import_.pages(store, [answer])
    await store.close()


@pytest.mark.parametrize(("location", "path"), LOCATIONS)
def test_a_location_leads_everywhere_to_the_same_url(
    location: bytes, path: str, tmp_path: Path
) -> None:
    async def story() -> None:
        async with Site(location) as site:
            start = f"{site.url}/dir/here"
            [fetched] = await fetch_all([start], retries=0)
            assert fetched.response is not None and fetched.response.url == site.url + path
            looked = await look(start, Config())
            assert [hop.url for hop in looked.hops] == [start, site.url + path]

            class There(Spider):
                name = "there"
                start_urls = (start,)

            await crawl(There, tmp_path / "a.db", politeness__robots=False)
            urls = read(tmp_path / "a.db", "SELECT url FROM pages ORDER BY page_id")
            assert urls == [start, site.url + path]
            text = location.decode("utf-8", "surrogateescape")  # as aiohttp decodes a header
            await imported((start, 302, {"Location": text}, b"", 0.0), tmp_path / "b.db")
            [told] = read(tmp_path / "b.db", "SELECT redirect_to FROM pages")
            assert told == site.url + path
        async with Site(location, of_robots=True) as site:
            guard = AddressGuard(["127.0.0.1"])
            async with Fetcher(Config().fetch, agent="t", guard=guard, connections=1) as fetcher:
                robots = await robots_of(site.url, fetcher)
            told = path if location.startswith((b"/", b"\\", b" ", b"..")) else None
            assert site.asked[1:] == [
                told or path.replace("/dir/here", "/robots.txt").replace("/dir", "")
            ]
            assert robots.status == 200

    asyncio.run(story())


@pytest.mark.parametrize(("location", "path"), LOCATIONS[:5])
def test_a_location_in_a_warc_file_is_read_as_it_came(location: bytes, path: str) -> None:
    pytest.importorskip("warcio")
    start = "http://a.example/dir/here"
    http = b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n"
    head = f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {start}\r\n"
    head += (
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(http)}\r\n\r\n"
    )
    [(url, status, headers, _, _)] = read_warc(BytesIO(head.encode() + http + b"\r\n\r\n"))
    assert (url, status) == (start, 302)
    assert redirects.location_of(CIMultiDict(headers), url) == f"http://a.example{path}"


@pytest.mark.parametrize(
    ("date", "status", "read"),
    [
        ("0001-01-01T00:00:00+14:00", "200", (200, 0.0)),
        ("9999-12-31T23:59:59-14:00", "200", (200, 0.0)),
        ("9" * 5000, "200", (200, 0.0)),
        ("1970-01-01T00:00:09Z", "9" * 5000, None),
        ("1970-01-01T00:00:09Z", "-1", None),
    ],
    ids=["before all", "after all", "digits", "status", "minus"],
)
def test_a_warc_record_of_no_time_or_status_ends_no_import(
    date: str, status: str, read: tuple[int, float] | None
) -> None:
    pytest.importorskip("warcio")
    left_out: list[str] = []
    file = b""
    for path, said, when in (("a", status, date), ("b", "404", "1970-01-01T00:00:09Z")):
        http = f"HTTP/1.1 {said} So\r\nContent-Length: 0\r\n\r\n"
        file += (
            f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a.example/{path}\r\n"
            f"WARC-Date: {when}\r\nContent-Type: application/http; msgtype=response\r\n"
            f"Content-Length: {len(http)}\r\n\r\n{http}\r\n\r\n"
        ).encode()
    found = [(status, at) for _, status, _, _, at in read_warc(BytesIO(file), left_out.append)]
    assert found == [*([read] if read else []), (404, 9.0)]
    assert left_out == ([] if read else ["http://a.example/a"])


def test_two_locations_that_differ_lead_nowhere() -> None:
    said = CIMultiDict([("Location", "/a"), ("Location", "/b")])
    assert redirects.location_of(said, "http://a.example/") is None
    said = CIMultiDict([("Location", "/a"), ("Location", "/a")])
    assert redirects.location_of(said, "http://a.example/") == "http://a.example/a"


def test_redirects_are_counted_and_named() -> None:
    request = Request("http://a.example/", hops=3)
    with pytest.raises(FetchError) as caught:
        redirects.following(request, 302, {"Location": "/x"}, most=3)
    assert caught.value.outcome == "too_many_redirects"
    with pytest.raises(FetchError) as caught:
        redirects.following(request, 302, {"Location": "data:,x"}, most=9)
    assert caught.value.outcome == "bad_redirect"
    for status, headers in ((200, {"Location": "/x"}), (302, {}), (304, {"Location": "/x"})):
        assert redirects.following(request, status, headers, most=9) is None


# ---------------------------------------------------------------- WebSockets


def to(url: str, status: int = 302, **headers: str) -> Any:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": url, **headers})

    return answer


async def feed(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await socket.send_str(f"{request.headers.get('Authorization')} {request.cookies.get('a')}")
    await socket.close()
    return socket


async def heard(url: str, config: Config | None = None) -> list[Any]:
    headers = {"Authorization": "key"}
    async with WebSocket(url, headers=headers, backoff=None, config=config) as socket:
        return [message.data async for message in socket]


def test_a_handshake_follows_a_redirect_that_was_judged() -> None:
    async def story() -> None:
        async with Served({"/feed": feed}, "127.0.0.2") as away:
            there = f"{away}/feed"
            handlers = {
                "/feed": feed,
                "/in": to("/feed", **{"Set-Cookie": "a=1"}),
                "/out": to(there),
                "/ws": to(there.replace("http://", "ws://")),
                "/round": to("/round"),
            }
            async with Served(handlers) as site:
                assert await heard(f"{site}/in") == ["key 1"]
                with pytest.raises(AddressRefused):
                    await heard(f"{site}/out")
                config = load(None, overrides=OPEN)
                for path in ("/out", "/ws"):
                    assert await heard(site + path, config) == ["None None"]
                with pytest.raises(FetchError, match="redirects from"):
                    await heard(f"{site}/round")

    asyncio.run(story())


def test_a_stream_that_is_redirected_goes_back_through_the_frontier(tmp_path: Path) -> None:
    async def robots(request: web.Request) -> web.Response:
        return web.Response(text="User-agent: *\nDisallow: /denied")

    async def story() -> None:
        handlers = {"/ok": to("/feed"), "/no": to("/denied"), "/feed": feed, "/denied": feed}
        async with Served({**handlers, "/robots.txt": robots}) as site:

            class Feeds(Spider):
                name = "feeds"
                heard: list[str] = []  # noqa: RUF012

                def start(self) -> Any:
                    for path in ("/ok", "/no"):
                        yield Stream(site.replace("http", "ws") + path, callback=self.tick)

                def tick(self, message: Any) -> None:
                    self.heard.append(message.data)

            await crawl(Feeds, tmp_path / "a.db")
            rows = read(tmp_path / "a.db", "SELECT url, outcome FROM pages ORDER BY url")
            assert {url.removeprefix(site): outcome for url, outcome in rows} == {
                "/ok": "redirect",
                "/no": "redirect",
                "/feed": "ok",
                "/denied": "robots_denied",
            }
            assert Feeds.heard == ["None None"]

    asyncio.run(story())


# ---------------------------------------------------------------- secrets


async def echoed(request: web.Request) -> web.Response:
    names = ("Authorization", "Cookie", "X-Mine", "X-Api-Key", "Accept-Language")
    return web.json_response({name: request.headers.get(name) for name in names})


HEADERS = dict.fromkeys(("Authorization", "X-Mine", "X-Api-Key"), "SECRET")
HEADERS |= {"Accept-Language": "de", "Cookie": "sid=SECRET"}
KEPT = {**dict.fromkeys(HEADERS), "Accept-Language": "de"}
OPEN = ["fetch.allow_private=true"]  # both hosts are of this machine


async def both(story: Any, status: int = 307) -> None:
    """Tell a story with a site whose /to leads to another origin, and /in to its own."""
    async with Served({"/": echoed, "/next": echoed}, "127.0.0.2") as away:
        link = {"Link": f'<{away}/next>; rel="next"'}

        async def paged(request: web.Request) -> web.Response:
            return web.json_response([1], headers=link)

        handlers = {"/to": to(f"{away}/", status), "/in": to("/", status), "/": echoed}
        async with Served({**handlers, "/paged": paged}) as site:
            await story(site, away)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_header_of_a_client_goes_to_another_origin(status: int) -> None:
    async def story(site: str, away: str) -> None:
        config = load(None, overrides=OPEN)
        async with ApiClient(site, headers=HEADERS, config=config, retries=Retries(0)) as api:
            assert (await api.get("to")).data == KEPT
            assert (await api.get("in")).data == HEADERS
            assert (await api.request("GET", "to", headers=HEADERS)).data == KEPT
            assert (await api.get(f"{away}/")).data == KEPT
            *_, last = [page async for page in api.pages("paged", LinkHeader())]
            assert last.data == KEPT
        [found] = await fetch_all([f"{site}/to"], headers=HEADERS, config=config)
        assert found.response is not None and '"X-Mine": null' in found.response.body.decode()

    asyncio.run(both(story, status))


def test_a_next_page_that_a_server_names_is_not_trusted() -> None:
    async def story(site: str, away: str) -> None:
        async with ApiClient(site, retries=Retries(0)) as api:
            with pytest.raises(Exception, match="not on the public internet"):
                [page async for page in api.pages("paged", LinkHeader())]
            assert (await api.get(f"{away}/")).status == 200  # the caller may name it

    asyncio.run(both(story))


def signs(request: Any, handler: Any) -> Any:
    request.headers["X-Api-Key"] = "SECRET"
    return handler(request)


def test_no_header_of_a_crawl_goes_to_another_origin(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(site: str, away: str) -> None:
        class Keyed(Spider):
            name = "keyed"
            got: dict[str, Any] = {}  # noqa: RUF012

            def start(self) -> Any:
                yield Request(f"{site}/to?config")
                yield Request(f"{site}/to?request", headers=HEADERS, cookies={"a": "SECRET"})
                yield Request(f"{site}/in?config")

            def parse(self, page: Any) -> None:
                self.got[page.requested_url.removeprefix(site)] = page.json()

        settings = {
            "fetch": {
                "headers": HEADERS,
                "allow_private": True,
                "middlewares": [f"{__name__}:signs"],
            },
            "politeness": {"delay": 0.0, "robots": False},
            "engine": {"scope": "any"},
        }
        # Both lead to one URL, which is visited once for each of the two.
        async with Crawler(Keyed, store=tmp_path / "a.db", settings=settings) as crawler:
            await crawler.run()
        assert Keyed.got.pop("/in?config") == {**HEADERS}
        assert Keyed.got and all(headers == KEPT for headers in Keyed.got.values())

    asyncio.run(both(story))
    assert "fetch.headers: Authorization, X-Mine, X-Api-Key, Cookie not sent to" in caplog.text


def test_another_scheme_or_port_is_another_origin() -> None:
    request = Request("https://a.example/", headers=HEADERS)
    for target in ("http://a.example/", "https://a.example:8443/", "https://b.a.example/"):
        assert redirects.onward(request, 307, target).headers == {"Accept-Language": "de"}
    assert redirects.onward(request, 307, "https://a.example/x").headers == HEADERS


def test_what_asks_for_a_part_or_a_language_may_go_to_another_origin() -> None:
    open_ = ("Accept", "Range", "If-Range", "User-Agent", "Content-Type", "Sec-Fetch-Mode")
    assert all(map(may_leave, open_))
    closed = ("Authorization", "Cookie", "X-Anything", "Referer", "Origin", "Proxy-Authorization")
    assert not any(map(may_leave, closed))


# ---------------------------------------------------------------- what robots.txt did not say


def test_a_robots_txt_that_cannot_be_had_says_why(tmp_path: Path) -> None:
    async def broken(request: web.Request) -> web.Response:
        return web.Response(status=503)

    async def story() -> None:
        async with Served({"/robots.txt": broken}) as site:

            class One(Spider):
                name = "one"
                start_urls = (f"{site}/",)

            await crawl(One, tmp_path / "a.db", fetch__retries=0)
        rows = read(tmp_path / "a.db", "SELECT outcome, error FROM pages")
        assert rows == [("robots_unreachable", "robots.txt answered 503")]

    asyncio.run(story())
