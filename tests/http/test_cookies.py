"""Cookies by RFC 6265bis: headers as tables, what is kept and sent, and what is refused aloud."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from aiohttp import web
from client_story import Served
from multidict import CIMultiDict
from yarl import URL

from crawler import Crawler, Request, ScrapedPage, Spider
from crawler.errors import UsageError
from crawler.http.cookies import CookieJar, CookieJars
from crawler.http.set_cookie import LONGEST_LIFE, Refusal, SetCookie, date, parse, path_matches
from crawler.store import CookieRow

NOW = 1_700_000_000.0
HERE = "https://www.shop.example/a/b"

PAIRS = [
    ("sid=ab/cd+e==", "sid", "ab/cd+e=="),
    ("n=1,2", "n", "1,2"),
    ('j={"k": 1}', "j", '{"k": 1}'),
    ('q="a b"', "q", '"a b"'),
    ('q="a\\"b;c"', "q", '"a\\"b'),
    ("  n \t=\t v  ;x", "n", "v"),
    ("e=", "e", ""),
    ("novalue", "", "novalue"),
    ("=v", "", "v"),
    ("==v", "", "=v"),
    ("u[id]=7", "u[id]", "7"),
    ("a b=c d", "a b", "c d"),
    ("tab=a\tb", "tab", "a\tb"),
    ("$Version=1", "$Version", "1"),
    ("é=春节回家路·春运完全手册", "é", "春节回家路·春运完全手册"),
    ("v=%2C%22", "v", "%2C%22"),
    ("a=1, b=2", "a", "1, b=2"),
    (f"n={'x' * 4095}", "n", "x" * 4095),
]
IGNORED = [
    ("", Refusal.COOKIE_EMPTY),
    ("=", Refusal.COOKIE_EMPTY),
    (" ; Path=/", Refusal.COOKIE_EMPTY),
    ("a=b\x01c", Refusal.COOKIE_CONTROL_CHARACTER),
    ("a\x00=b", Refusal.COOKIE_CONTROL_CHARACTER),
    ("a=b; Path=/\x7f", Refusal.COOKIE_CONTROL_CHARACTER),
    ("a=b\r\nc=d", Refusal.COOKIE_CONTROL_CHARACTER),
    (f"n={'x' * 4096}", Refusal.COOKIE_TOO_LONG),
    (f"n={'é' * 2048}", Refusal.COOKIE_TOO_LONG),
    ("a=\udce9", Refusal.COOKIE_NOT_UTF8),
]


@pytest.mark.parametrize(("header", "name", "value"), PAIRS)
def test_a_name_and_a_value_are_what_stands_in_the_header(
    header: str, name: str, value: str
) -> None:
    assert parse(header, NOW) == SetCookie(name, value)


@pytest.mark.parametrize(("header", "reason"), IGNORED)
def test_a_header_that_is_no_cookie_is_ignored_with_its_reason(
    header: str, reason: Refusal
) -> None:
    assert parse(header, NOW) is reason


DATES = [
    ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
    ("Sun, 06 Nov 1994 08:49:37 GMT", 784111777),
    ("Sunday, 06-Nov-94 08:49:37 GMT", 784111777),
    ("Sun Nov  6 08:49:37 1994", 784111777),
    ("6 november 1994 8:49:37", 784111777),
    ("08:49:37 94 nov 06", None),  # 94 is taken for the day
    ("Sun, 06-Nov-1994 08:49:37", 784111777),
    ("1994 Nov 06 08:49:37GMT+2", 784111777),
    ("06/Nov/1994;08:49:37", 784111777),
    ("Fri, 01 Jan 69 00:00:00 GMT", 3124224000),
    ("Thu, 01 Jan 70 00:00:00 GMT", 0),
    ("Mon, 31 Dec 1600 23:59:59 GMT", None),
    ("Mon, 01 Jan 1601 00:00:00 GMT", -11644473600),
    ("Fri, 31 Dec 9999 23:59:59 GMT", 253402300799),
    ("Fri, 30 Feb 2024 00:00:00 GMT", None),
    ("Thu, 29 Feb 2024 00:00:00 GMT", 1709164800),
    ("01 Jan 2024 24:00:00", None),
    ("01 Jan 2024 00:60:00", None),
    ("01 Jan 2024 00:00:60", None),
    ("00 Jan 2024 00:00:00", None),
    ("01 Jan 2024", None),
    ("Jan 2024 00:00:00", None),
    ("01 Foo 2024 00:00:00", None),
    ("01 Jan 12345 00:00:00", None),
    ("never", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "seconds"), DATES)
def test_a_date_is_read_as_leniently_as_browsers_do(text: str, seconds: int | None) -> None:
    assert date(text) == seconds


LIVES = [
    ("Max-Age=10", NOW + 10),
    ("Max-Age=0", 0),
    ("Max-Age=-1", 0),
    ("Max-Age=-" + "9" * 900, 0),
    ("Max-Age=" + "9" * 900, NOW + LONGEST_LIFE),
    ("max-age=10; MAX-AGE=20", NOW + 20),
    ("Max-Age=10; Max-Age=x", NOW + 10),
    ("Max-Age=+10", None),
    ("Max-Age=1.5", None),
    ("Max-Age=", None),
    ("Max-Age=-", None),
    ("Max-Age=10; Expires=Thu, 01 Jan 1970 00:00:00 GMT", NOW + 10),
    ("Expires=Thu, 01 Jan 1970 00:00:00 GMT", 0),
    ("Expires=Fri, 31 Dec 9999 23:59:59 GMT", NOW + LONGEST_LIFE),
    ("Expires=Sun, 06 Nov 1994 08:49:37 GMT; Expires=never", 784111777),
    ("Expires=never", None),
    ("Expires=" + "9" * 65_000, None),
]


@pytest.mark.parametrize(("attributes", "ends"), LIVES)
def test_a_cookie_ends_when_its_last_readable_attribute_says(
    attributes: str, ends: float | None
) -> None:
    said = parse(f"a=1; {attributes}", NOW)
    assert isinstance(said, SetCookie) and said.ends == ends


def test_attributes_are_read_in_any_case_and_the_last_of_a_kind_counts() -> None:
    said = parse(
        "a=1;SECURE; httponly=x ;SameSite=LAX;domain=.A.Example;PATH=/x; Path=/y;;=;z", NOW
    )
    assert said == SetCookie(
        *("a", "1"),
        domain="a.example",
        path="/y",
        has_path=True,
        secure=True,
        http_only=True,
        same_site="Lax",
    )
    said = parse("a=1; Path=/x; Path=y; Domain=b.example; Domain=; SameSite=other", NOW)
    assert said == SetCookie("a", "1", has_path=True)
    assert parse("a=1; Path=/" + "x" * 1024, NOW) == SetCookie("a", "1")


MATCHES = [
    ("/", "/", True),
    ("/a", "/a", True),
    ("/a/", "/a", True),
    ("/a/b", "/a", True),
    ("/a/b", "/a/", True),
    ("/ab", "/a", False),
    ("/a", "/a/", False),
    ("/A", "/a", False),
]


@pytest.mark.parametrize(("target", "path", "fits"), MATCHES)
def test_a_path_is_matched_at_its_boundaries(target: str, path: str, fits: bool) -> None:
    assert path_matches(target, path) is fits


# The URL that sets, the header, the URL asked, and what is sent there.
SENT = [
    (HERE, "a=1", HERE, "a=1"),
    (HERE, "a=1", "https://www.shop.example/a", "a=1"),
    (HERE, "a=1", "https://www.shop.example/", ""),
    (HERE, "a=1; Path=/", "http://www.shop.example:8080/", "a=1"),
    (HERE, "a=1; Path=/", "https://shop.example/", ""),
    (HERE, "a=1; Path=/", "https://x.www.shop.example/", ""),
    (HERE, "a=1; Path=/; Domain=shop.example", "https://x.shop.example/", "a=1"),
    (HERE, "a=1; Path=/; Domain=.shop.example", "https://shop.example/", "a=1"),
    (HERE, "a=1; Path=/; Domain=shop.example", "https://evilshop.example/", ""),
    (HERE, "a=1; Path=/; Domain=SHOP.example", "https://shop.example/", "a=1"),
    (HERE, "a=1; Path=/; Domain=..shop.example", HERE, ""),
    (HERE, "a=1; Path=/; Domain=other.example", HERE, ""),
    (HERE, "a=1; Path=/; Domain=x.www.shop.example", HERE, ""),
    (HERE, "a=1; Path=/; Domain=example", HERE, ""),
    (HERE, "a=1; Path=/; Domain=shöp.example", HERE, ""),
    ("http://shop.com./", "a=1; Domain=com.", "http://shop.com./", ""),
    ("http://shop.com./", "a=1; Domain=shop.com.", "http://x.shop.com./", "a=1"),
    (HERE, "a=1; Secure", "http://www.shop.example/a/b", ""),
    (HERE, "a=1; Secure", HERE, "a=1"),
    ("http://www.shop.example/", "a=1; Secure", "https://www.shop.example/", ""),
    ("https://shop.co.uk/", "a=1; Domain=co.uk", "https://shop.co.uk/", ""),
    ("https://me.github.io/", "a=1; Domain=github.io", "https://me.github.io/", ""),
    ("https://github.io/", "a=1; Domain=github.io", "https://github.io/", "a=1"),
    ("https://github.io/", "a=1; Domain=github.io", "https://me.github.io/", ""),
    ("http://127.0.0.1/", "a=1", "http://127.0.0.1:99/", "a=1"),
    ("http://127.0.0.1/", "a=1; Domain=127.0.0.1", "http://127.0.0.1/", "a=1"),
    ("http://127.0.0.1/", "a=1; Domain=0.0.1", "http://127.0.0.1/", ""),
    ("http://[::1]/", "a=1", "http://[::1]/x", "a=1"),
    ("http://localhost/", "a=1; Domain=localhost", "http://localhost/", "a=1"),
    (HERE, "__Secure-a=1", HERE, ""),
    (HERE, "__secure-a=1; Secure", HERE, "__secure-a=1"),
    (HERE, "__Host-a=1; Secure; Path=/", HERE, "__Host-a=1"),
    (HERE, "__HOST-a=1; Secure; Path=/", HERE, "__HOST-a=1"),
    (HERE, "__Host-a=1; Secure", HERE, ""),
    (HERE, "__Host-a=1; Secure; Path=/a", HERE, ""),
    (HERE, "__Host-a=1; Path=/", HERE, ""),
    (HERE, "__Host-a=1; Secure; Path=/; Domain=www.shop.example", HERE, ""),
    ("https://www.shop.example/", "__Host-a=1; Secure", HERE, ""),
    (HERE, "=__Host-a=1; Secure; Path=/", HERE, ""),
    (HERE, "__secure-nameless", HERE, ""),
    (HERE, "nameless", HERE, "nameless"),
    (HERE, "a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", HERE, ""),
    (HERE, "a=1; HttpOnly; SameSite=Strict", HERE, "a=1"),
    (HERE, "a=1; SameSite=None; Secure", HERE, "a=1"),
    (HERE, "a=1; SameSite=None", HERE, ""),
    ("http://127.0.0.1/", "a=1; SameSite=none", "http://127.0.0.1/", ""),
    (HERE, "a=1; SameSite=None; SameSite=other", HERE, "a=1"),
]


@pytest.mark.parametrize(("by", "header", "to", "sent"), SENT)
def test_a_cookie_goes_where_it_belongs_and_nowhere_else(
    by: str, header: str, to: str, sent: str
) -> None:
    jar = CookieJar()
    jar.update_cookies_from_headers([header], URL(by))
    assert "; ".join(jar.filter_cookies(URL(to))) == sent


def test_cookies_are_sent_longest_path_first_then_in_the_order_they_came() -> None:
    jars = CookieJars()
    lines = ["z=1; Path=/", "a=2; Path=/", "a=3; Path=/a/b", "m=4; Path=/a", "z=5; Path=/a"]
    jars[None].update_cookies_from_headers(lines, URL(HERE))
    jars[None].update_cookies_from_headers(["z=6; Path=/"], URL(HERE))  # it keeps its place
    sent = ["a=3", "m=4", "z=5", "z=6", "a=2"]
    assert jars[None].filter_cookies(URL(HERE)) == sent
    again = CookieJars()
    again.restore(reversed(jars.changes()))
    assert again[None].filter_cookies(URL(HERE)) == sent and again.changes() == []


def test_a_host_and_its_domain_may_each_have_a_cookie_of_one_name() -> None:
    jars = CookieJars()
    lines = ["a=1; Path=/", "a=2; Path=/; Domain=www.shop.example"]
    jars[None].update_cookies_from_headers(lines, URL(HERE))
    again = CookieJars()
    again.restore(jars.changes())
    assert again[None].filter_cookies(URL(HERE)) == ["a=1", "a=2"]
    assert again[None].filter_cookies(URL("https://x.www.shop.example/")) == ["a=2"]


def test_a_date_in_the_past_deletes_the_cookie_here_and_in_the_store() -> None:
    jars = CookieJars()
    jars[None].update_cookies_from_headers(["session=live", "other=1"], URL(HERE))
    assert len(jars.changes()) == 2
    past = "session=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"
    jars[None].update_cookies_from_headers([past], URL(HERE))
    assert jars[None].filter_cookies(URL(HERE)) == ["other=1"]
    assert jars.changes() == [CookieRow("", "www.shop.example", "/a", "session", None)]


def test_plain_http_does_not_overlay_what_tls_has_set() -> None:
    jars = CookieJars()
    jars[None].update_cookies_from_headers(["a=1; Secure; Path=/a"], URL(HERE))
    http = URL("http://www.shop.example/a/b")
    for line in ("a=2; Path=/a/b", "a=2; Path=/a/b; Domain=shop.example", "a=; Max-Age=0; Path=/a"):
        jars[None].update_cookies_from_headers([line], http)
    assert jars.refused == {Refusal.COOKIE_INSECURE: 3}
    jars[None].update_cookies_from_headers(["a=3; Path=/"], http)
    assert jars[None].filter_cookies(URL(HERE)) == ["a=1", "a=3"]


def test_a_domain_keeps_its_most_recent_180_and_a_header_its_first_8_kb() -> None:
    jars = CookieJars()
    jars[None].update_cookies_from_headers([f"c{n}={'x' * 80}" for n in range(200)], URL(HERE))
    assert (len(jars[None]), jars.refused[Refusal.COOKIE_EVICTED]) == (180, 20)
    sent = jars[None].filter_cookies(URL(HERE))
    assert sent[0].startswith("c20=") and len("; ".join(sent)) <= 8000
    assert jars.refused[Refusal.COOKIE_HEADER_FULL] == 180 - len(sent)


def test_rows_of_an_earlier_version_are_read_and_written_anew() -> None:
    expired = '["v", "v", true, {"expires": "Thu, 01 Jan 1970 00:00:00 GMT"}]'
    jars = CookieJars()
    jars.restore(
        [
            CookieRow(
                "", "shop.example", "/", "a", '["x y", "\\"x y\\"", false, {"secure": true}]'
            ),
            CookieRow("", "www.shop.example", "/", "b", '["1", "1", true, {}]'),
            CookieRow("", "www.shop.example", "/", "c", expired),
        ]
    )
    assert jars[None].filter_cookies(URL(HERE)) == ["a=x y", "b=1"]
    rows = jars.changes()
    assert sorted((row.domain, row.name, row.cookie is None) for row in rows) == [
        (".shop.example", "a", False),
        ("shop.example", "a", True),
        ("www.shop.example", "b", False),
        ("www.shop.example", "c", True),
    ]
    again = CookieJars()
    again.restore(rows)
    assert again[None].filter_cookies(URL(HERE)) == ["a=x y", "b=1"]


@pytest.mark.parametrize(
    ("name", "value", "domain"),
    [
        ("a", "b;c", ""),
        ("a=b", "c", ""),
        ("a", "b\r\nX: y", ""),
        ("a\tb", "c", ""),
        ("", "", ""),
        ("a", "\udce9", ""),
        ("a", "b", "other.example"),
        ("a", "b", "example"),
    ],
)
def test_a_cookie_by_hand_that_cannot_be_is_an_error_that_names_it(
    name: str, value: str, domain: str
) -> None:
    with pytest.raises(UsageError, match="cookie"):
        CookieJar().set(name, value, url=HERE, domain=domain)


VALUES = {"sid": "ab/cd+e==", "u[id]": "7", "q": '"a, b"', "é": "ü", "n": "1,2", "": "nameless"}


def test_a_crawl_sends_back_what_it_got_and_counts_what_it_refused(tmp_path: Path) -> None:
    seen: list[str | None] = []

    async def sets(request: web.Request) -> web.Response:
        lines = [f"{name}={value}; Path=/" for name, value in VALUES.items()]
        refused = ["a=1; Domain=co.uk", "__Host-a=1"]
        headers = CIMultiDict(("Set-Cookie", line) for line in [*lines, *refused])
        return web.Response(text="<a href=/show>", content_type="text/html", headers=headers)

    async def show(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Cookie"))
        return web.Response(text="ok")

    class Sent(Spider):
        name = "sent"
        url = ""

        def start(self) -> object:
            yield Request(f"{self.url}/{'show' if seen else 'sets'}")
            yield Request(f"{self.url}/show?by-hand", cookies={**VALUES, "n": "2"}, session="own")

        def parse(self, page: ScrapedPage) -> object:
            return page.follow_all("a")

    async def story() -> None:
        store = str(tmp_path / "a.db")
        settings = {"politeness": {"delay": 0}, "engine": {"workers": 1}}
        async with Served({"/sets": sets, "/show": show}) as url:
            Sent.url = url
            async with Crawler(Sent, store=store, settings=settings) as crawler:
                summary = await crawler.run()
        assert summary.refused["cookie_public_suffix"] == summary.refused["cookie_prefix"] == 1
        with closing(sqlite3.connect(store)) as db:
            counted = dict(
                db.execute("SELECT name, value FROM counters WHERE name GLOB '*cookie*'")
            )
            rows = [CookieRow(*row) for row in db.execute("SELECT * FROM cookies")]
        assert counted == {"refused.cookie_public_suffix": 1, "refused.cookie_prefix": 1}
        again = CookieJars()
        again.restore(rows)
        back = 'sid=ab/cd+e==; u[id]=7; q="a, b"; é=ü; n=1,2; nameless'
        assert sorted(map(str, seen)) == sorted([back, back.replace("n=1,2", "n=2")])
        assert "; ".join(again[None].filter_cookies(URL(url))) == back

    asyncio.run(story())


def test_a_cookie_by_hand_is_sent_in_place_of_the_jars_one_of_its_name() -> None:
    from crawler.http.cookies import add_by_hand
    from crawler.http.set_cookie import joined

    headers = {"cookie": "a=1; b=2"}
    add_by_hand(headers, {"b": 'x"y', "n": 3})
    assert headers == {"cookie": 'a=1; b=x"y; n=3'}
    assert joined(headers["cookie"], ["b=9", "z=8"]) == 'z=8; a=1; b=x"y; n=3'
    with pytest.raises(UsageError, match="'c': a ';' would end it"):
        add_by_hand({}, {"c": "1; d=2"})
