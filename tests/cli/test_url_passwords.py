"""A user or password in a URL that a person gives: sent to its origin, or refused with the way out.

It is never dropped without a word, nor stored, nor shown.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from damaged_stores import outcome_of

from crawler import SiteSpider, control
from crawler.engine.crawler import Crawler
from crawler.errors import UsageError

URL = "http://me:s3cret@127.0.0.1:9/x"


@pytest.mark.parametrize(
    "command",
    [
        ["crawl", URL],
        ["fetch", URL],
        ["shell", URL],
        ["new", "shop", URL],
        ["import", "list.txt"],
        ["crawl", URL.removeprefix("http://me:").replace("s3cret", "me")],
    ],
    ids=lambda command: command[0],
)
def test_it_is_refused_with_the_way_out(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("list.txt").write_text(f"http://127.0.0.1:9/a\n{URL}\n", encoding="utf-8")
    more = [] if command[0] in ("fetch", "new", "shell") else ["--store", "a.db"]
    code, said = outcome_of([*command, *more])
    assert code == 2
    assert '[auth."http' in said and "127.0.0.1:9/" in said
    assert "s3cret" not in said and said.count("\n") == 1


def test_without_a_scheme_it_is_not_shown() -> None:
    code, said = outcome_of(["fetch", URL.removeprefix("http://")])
    assert code == 2 and "s3cret" not in said and "https://example.com/" in said


def test_a_spider_and_what_is_added_to_a_crawl_are_refused_too(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="user or password"):
        Crawler(SiteSpider(URL), store=tmp_path / "a.db")
    with pytest.raises(UsageError, match="user or password"):
        control.ask(tmp_path / "a.db", "add", f"http://127.0.0.1:9/\n{URL}")


def test_an_error_of_a_download_does_not_show_it(tmp_path: Path) -> None:
    code, said = outcome_of(["download", URL, "-o", f"{tmp_path}/", "--set", "fetch.retries=0"])
    assert code == 1
    assert "127.0.0.1:9/x" in said and "s3cret" not in said


SITEMAP = """<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
<url><loc>http://me:s3cret@h.example/a</loc></url><url><loc>mailto:x@h.example</loc></url>
<url><loc>http://h.example/b</loc></url></urlset>"""


def _archived(place: str, http: str) -> str:
    """A response as a record of a WARC file."""
    return (
        f"WARC/1.1\r\nWARC-Type: response\r\nWARC-Target-URI: {place}\r\n"
        "WARC-Date: 2026-01-01T00:00:00Z\r\nWARC-Record-ID: <urn:uuid:0>\r\n"
        "Content-Type: application/http; msgtype=response\r\n"
        f"Content-Length: {len(http)}\r\n\r\n{http}\r\n\r\n"
    )


WARC = _archived(
    "http://me:s3cret@h.example/",
    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"
    "<a href='http://me:s3cret@h.example/c'>c</a><a href='mailto:me@h.example'>m</a>",
) + _archived(
    "http://h.example/moved",
    "HTTP/1.1 301 Moved\r\nLocation: http://me:s3cret@h.example/d\r\n\r\n",
)


@pytest.mark.parametrize(
    ("more", "counted"),
    [
        (["map.xml"], {"url_credentials": 1, "bad_sitemap_url": 1}),
        (["a.warc"], {"url_credentials": 3}),
        (["a.warc", "--seeds"], {"url_credentials": 1}),
    ],
    ids=["sitemap", "WARC", "URLs of a WARC"],
)
def test_what_an_import_leaves_out_of_urls_is_counted_and_told(
    more: list[str], counted: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("map.xml").write_text(SITEMAP, encoding="utf-8")
    Path("a.warc").write_bytes(WARC.encode())
    code, said = outcome_of(["import", *more, "--store", "a.db"])
    assert code == 0 and "s3cret" not in said
    assert "1 url_credentials: a user or password in a " in said
    assert ("1 bad_sitemap_url: an entry of a sitemap" in said) == ("bad_sitemap_url" in counted)
    sql = "SELECT substr(name, 9), value FROM counters WHERE name LIKE 'refused.%'"
    with closing(sqlite3.connect("a.db")) as db:
        assert dict(db.execute(sql)) == counted
        [text] = db.execute(
            "SELECT group_concat(url) FROM (SELECT url FROM todo UNION SELECT url FROM pages)"
        ).fetchone()
    assert "s3cret" not in text and "h.example/" in text
