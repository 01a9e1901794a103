"""Attacks on the page: other sites, other names, other files, SQL that writes or never ends."""

import asyncio
import inspect
import itertools
import json
import re
import sqlite3
import time
from pathlib import Path

import aiohttp
import pytest
from page_story import crawled, got, posted, shown, told
from yarl import URL

from crawler import control
from crawler.dashboard.serve import Listening, served
from crawler.dashboard.views import BY_PATH
from crawler.errors import QueryError, UsageError
from crawler.inspect.query import Reader
from crawler.practice import PracticeSite


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("safe") / "things.db"

    async def make():
        async with PracticeSite(robots=False) as site:
            await crawled(site, path)

    asyncio.run(make())
    with sqlite3.connect(path) as db:
        db.execute(
            "INSERT INTO cookies VALUES ('', 'a.example', '/', 'sid', '{\"v\": \"s3cret\"}')"
        )
    return path


def asked(store):
    return len(control.log(store))


# ---------------------------------------------------------------- who asks


FOREIGN = [
    {"Host": "evil.example"},
    {"Host": "evil.example:8642"},
    {"Host": "127.0.0.1.evil.example"},
    {"Host": "127.0.0.1"},
    {"Host": ""},
    {"Sec-Fetch-Site": "cross-site"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_another_name_or_site_sees_nothing(store, headers):
    async def story():
        async with shown(store) as base:
            for path in ("/", "/things/", "/things/events?view=", "/metrics", "/healthz"):
                status, text = await got(base + path, headers=headers)
                assert status in (400, 403, 421), path
                assert "things" not in text

    told(story())


CROSS = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "https://127.0.0.1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1.evil.example"},
]


@pytest.mark.parametrize("headers", CROSS, ids=str)
def test_another_site_cannot_steer(store, headers):
    async def story():
        async with shown(store) as base, aiohttp.ClientSession() as session:
            before = asked(store)
            data = {"action": "stop"}
            url = f"{base}/things/control"
            async with session.post(url, data=data, headers=headers) as answer:
                assert answer.status == 403
            async with session.post(url, data=data) as answer:  # no origin at all
                assert answer.status == 403
            for method in ("GET", "HEAD"):
                async with session.request(method, url, params=data) as answer:
                    assert answer.status == 200
            assert asked(store) == before

    told(story())


def test_our_own_form_steers_and_leads_back(store):
    async def story():
        async with shown(store) as base:
            url = f"{base}/things/control"
            answer = await posted(url, {"action": "pause", "reason": "lunch"})
            assert (answer.status, answer.headers["Location"]) == (303, "/things/")
            [row] = control.log(store, 1)
            assert (row.action, row.via, row.reason) == ("pause", "page", "lunch")
            for back in ("//evil.example/", "https://evil.example/", "/other/", "/things/\r\nX: 1"):
                answer = await posted(
                    url, {"action": "add", "target": "http://a.example/x", "back": back}
                )
                assert (answer.status, answer.headers["Location"]) == (303, "/things/control")
                assert "X" not in answer.headers
            answer = await posted(url, {"action": "block", "target": "*"})
            assert answer.status == 400
            answer = await posted(url, {"action": "explode"})
            assert answer.status == 400

    told(story())


# ---------------------------------------------------------------- what may be read


PATHS = [
    "/assets/../app.py",
    "/assets/..%2fapp.py",
    "/assets/%2e%2e/app.py",
    "/assets/..\\app.py",
    "/assets/live.css/../../serve.py",
    "/..%2f..%2fetc/passwd",
    "/things/..%2f..%2f/etc/passwd",
    "/%2e%2e/",
    "/things/stored?what=body&url=file:///etc/passwd",
    "/things/diff?store=..%2f..%2fetc%2fpasswd",
    "/things/sql?saved=..%2f..%2fetc%2fpasswd",
]


@pytest.mark.parametrize("path", PATHS)
def test_no_other_file_is_reached(store, path):
    async def story():
        async with (
            shown(store) as base,
            aiohttp.ClientSession() as session,
            session.get(URL(base + path, encoded=True)) as answer,
        ):
            text = await answer.text()
            assert "import " not in text and "root:" not in text
            assert answer.status in (200, 303, 400, 404)

    told(story())


def test_every_answer_says_what_may_be_loaded_and_bodies_cannot_run(store):
    async def story():
        async with shown(store) as base, aiohttp.ClientSession() as session:
            for path in (
                "/things/",
                "/assets/live.js",
                "/things/nothing",
                "/metrics",
                "/nowhere/x",
            ):
                async with session.get(base + path) as answer:
                    policy = answer.headers["Content-Security-Policy"]
                    assert policy.startswith("default-src 'none'; script-src 'self'")
                    assert "unsafe" not in policy
                    assert answer.headers["X-Content-Type-Options"] == "nosniff"
                    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
                    assert answer.headers["Cache-Control"] == "no-store"
                    assert "Server" not in answer.headers
            with sqlite3.connect(store) as db:
                [url] = db.execute("SELECT url FROM pages WHERE outcome = 'ok' LIMIT 1").fetchone()
            for what in ("body", "text"):
                params = {"url": url, "what": what}
                async with session.get(f"{base}/things/stored", params=params) as answer:
                    assert answer.status == 200
                    assert answer.headers["Content-Type"].startswith("text/plain")
                    assert "sandbox" in answer.headers["Content-Security-Policy"]
                    assert answer.headers["Content-Disposition"].startswith("attachment")

    told(story())


# ---------------------------------------------------------------- SQL


WRITES = [
    "DELETE FROM pages",
    "UPDATE pages SET title = 'x'",
    "INSERT INTO control (action) VALUES ('stop')",
    "DROP TABLE pages",
    "CREATE TABLE t (x)",
    "CREATE TEMP TABLE t (x)",
    "ATTACH '/tmp/evil.db' AS evil",
    "VACUUM INTO '/tmp/evil.db'",
    "PRAGMA query_only = OFF",
    "PRAGMA writable_schema = ON",
    "PRAGMA journal_mode = DELETE",
    "SELECT 1; DELETE FROM pages",
    "SELECT load_extension('evil')",
    "SELECT readfile('/etc/passwd')",
    "SELECT writefile('/tmp/evil', 'x')",
    "REPLACE INTO crawl VALUES ('spider', 'evil')",
    "BEGIN IMMEDIATE",
    "SELECT * FROM cookies",
    "SELECT cookie FROM main.cookies",
    "WITH c AS (SELECT * FROM cookies) SELECT * FROM c",
    "SELECT (SELECT cookie FROM cookies)",
    "INSERT INTO search (search) VALUES ('optimize')",
    "SELECT fts3_tokenizer('simple')",
    "SELECT fts3_tokenizer('simple', x'4141414141414141')",
]


@pytest.mark.parametrize("sql", WRITES)
def test_sql_cannot_write_or_read_what_is_secret(store, sql):
    async def story():
        before = store.read_bytes()
        async with shown(store) as base:
            for extra in ({}, {"format": "csv"}, {"explain": "1"}):
                status, text = await got(f"{base}/things/sql", params={"sql": sql, **extra})
                assert status in (200, 400)
                assert "s3cret" not in text and "root:" not in text
        assert store.read_bytes() == before

    told(story())
    assert not Path("/tmp/evil.db").exists() and not Path("/tmp/evil").exists()


SECRET = (
    "0) UNION SELECT 1, 'http://a.example/', cookie, 4 FROM cookies WHERE (1",
    "(SELECT max(cookie) FROM cookies) LIKE '%s_cret%'",
    "' UNION SELECT cookie FROM cookies --",
)


def taken_by(view):
    """Return the parameters that a view takes, as its code names them."""
    modules = {inspect.getmodule(part.make) for part in view.all}
    found = re.findall(r"""params\.get\("(\w+)"|["'](\w+)["'] in params""", sources(modules))
    return sorted({one or other for one, other in found} | {"where", "wait", "q"} - {"sql"})


def sources(modules):
    return "".join(inspect.getsource(module) for module in modules)


@pytest.mark.parametrize("view", BY_PATH.values(), ids=lambda view: view.path or "overview")
def test_no_parameter_of_a_view_reads_what_is_secret(store, view):
    async def story():
        async with shown(store) as base:
            for name, value in itertools.product(taken_by(view), SECRET):
                _, page = await got(f"{base}/things/{view.path}", params={name: value})
                assert "s3cret" not in page, name

    told(story())


def test_a_condition_tells_nothing_of_cookies_at_once_or_live(store):
    """Neither their text nor, by the items that stay, whether a guess of it is right."""

    async def story():
        async with shown(store) as base:
            for where in SECRET[:2]:
                _, page = await got(f"{base}/things/items", params={"where": where})
                assert "prohibited" in page and "s3cret" not in page
                assert "The latest of thing" not in page
            async with aiohttp.ClientSession() as session:
                asked = {"view": "items", "where": SECRET[0]}
                async with session.get(f"{base}/things/events", params=asked) as answer:
                    seen = b""
                    while b"event: beat" not in seen:
                        seen += await answer.content.readany()
            assert b"prohibited" in seen and b"s3cret" not in seen

    told(story())


ENDLESS = [
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n",
    "SELECT count(*) FROM pages a, pages b, pages c, pages d, pages e, pages f",
    "SELECT 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab' REGEXP '(a+)+c'",
    "SELECT length(randomblob(1000000000))",
    "SELECT printf('%.1000000000c', 'x')",
]


@pytest.mark.parametrize("sql", ENDLESS)
def test_sql_that_never_ends_is_stopped_and_the_page_goes_on(store, sql, monkeypatch):
    from crawler.dashboard.views import sql as box

    monkeypatch.setattr(box, "SECONDS", 0.3)

    async def story():
        async with shown(store) as base:
            began = time.monotonic()
            endless = [
                asyncio.create_task(got(f"{base}/things/sql", params={"sql": sql}))
                for _ in range(3)
            ]
            await asyncio.sleep(0.05)
            status, _ = await got(f"{base}/things/")
            assert status == 200
            assert time.monotonic() - began < 3
            for status, text in await asyncio.gather(*endless):
                assert status in (200, 503)
                assert re.search(
                    "[Ss]topped after|REGEXP|too big|string or blob|can only read", text
                )

    told(story())


BOUNDED = {
    "SELECT instr(hex(zeroblob(100000)), hex(zeroblob(50000)) || '1')": 0,
    "SELECT length(replace(hex(zeroblob(100000)), hex(zeroblob(50000)) || '1', ''))": 200_000,
    "SELECT trim(hex(zeroblob(100000)), hex(zeroblob(50000)) || '1')": None,
    "SELECT replace(hex(zeroblob(100000)), '0', hex(zeroblob(100000)))": None,
    "SELECT json_patch('{}', '{}')": None,
    "SELECT instr('a/b', '/') || replace('abc', 'b', 'x') || rtrim('a//', '/')": "2axca",
    "SELECT instr(x'0102', x'02') || replace(12, 1, 3) || replace('a', '', 'b')": "232a",
}
"""What nothing could stop once it has begun takes no time, or is refused."""


@pytest.mark.parametrize(("sql", "answer"), BOUNDED.items())
def test_no_call_of_a_function_takes_long(store, sql, answer):
    with Reader(store) as reader:
        reader.guard("cookies")
        began = time.process_time()
        if answer is None:
            with pytest.raises(QueryError):
                list(reader.query(sql).rows)
        else:
            assert list(reader.query(sql).rows) == [(answer,)]
        assert time.process_time() - began < 1


def test_rows_that_become_a_file_hold_no_formula(store):
    async def story():
        async with shown(store) as base:
            sql = "SELECT '=HYPERLINK(1)' AS a, '+1' AS b, '<script>' AS c"
            _, text = await got(f"{base}/things/sql", params={"sql": sql, "format": "csv"})
            assert text.splitlines()[1] == "'=HYPERLINK(1),'+1,<script>"
            _, text = await got(f"{base}/things/sql", params={"sql": sql, "format": "json"})
            assert json.loads(text)[0]["c"] == "<script>"

    told(story())


# ---------------------------------------------------------------- the token


def test_beyond_this_machine_a_token_is_asked_for(store):
    async def story():
        async with (
            served([store], Listening("127.0.0.1", 0), token="t0ken") as address,
            aiohttp.ClientSession() as session,
        ):
            base, _, query = address.partition("/?")
            assert query == "token=t0ken"
            for path in ("/", "/things/", "/metrics", "/things/events?view="):
                assert (await got(base + path))[0] == 401
            assert (await got(base + "/healthz"))[0] == 200
            async with session.get(
                f"{base}/things/?token=t0ken&span=1h", allow_redirects=False
            ) as a:
                assert (a.status, a.headers["Location"]) == (303, "/things/?span=1h")
                cookie = a.headers["Set-Cookie"]
                assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
            headers = {"Cookie": "crawlkeep=t0ken"}
            status, text = await got(f"{base}/things/", headers=headers)
            assert status == 200 and "t0ken" not in text
            assert (await got(base + "/metrics", headers={"Authorization": "Bearer t0ken"}))[
                0
            ] == 200
            statuses = [(await got(f"{base}/?token={n}"))[0] for n in range(12)]
            assert statuses == [401] * 10 + [429] * 2
            assert (await got(f"{base}/?token=t0ken"))[0] == 429

    told(story())


def test_a_token_in_front_of_a_foreign_address_leads_nowhere_else(store):
    async def story():
        async with (
            served([store], Listening("127.0.0.1", 0), token="t0ken") as address,
            aiohttp.ClientSession() as session,
        ):
            base = address.partition("/?")[0]
            url = URL(f"{base}//evil.example/?token=t0ken", encoded=True)
            async with session.get(url, allow_redirects=False) as answer:
                assert answer.headers["Location"].startswith("/evil.example")

    told(story())


def test_where_it_cannot_listen_is_told_in_a_line():
    with pytest.raises(UsageError, match="HOST:PORT"):
        Listening.parse("8642")
    with pytest.raises(UsageError, match="HOST:PORT"):
        Listening.parse("localhost:99999")
    assert Listening.parse("[::1]:8642") == ("::1", 8642, 0)
