"""No secret is stored, logged, printed or shown; it reaches the one place it is for."""

import asyncio
import json
import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from crawler import Crawler, Request, ScrapedPage, Secret, Spider
from crawler.errors import ConfigError
from crawler.practice import PracticeSite
from crawler.web.request import Todo, from_todo

WORD = "hunter2-never-shown"
QUICK = {"politeness": {"delay": 0.0}, "fetch": {"retries": 0, "retry_delay": 0.0}}


class Careful(Spider):
    """Sends the word in every way there is, and fails in every way there is."""

    name = "careful"
    site: PracticeSite
    away: PracticeSite

    def start(self) -> Any:
        self.cookies["second"].set("key", WORD, url=self.site.url)
        secret = Secret("CAREFUL")
        echo = self.site.at("/echo")
        yield Request(echo, "POST", data={"password": secret}, callback=self.check)
        yield Request(f"{echo}?1", headers={"X-Own": secret}, callback=self.check)
        yield Request(f"{echo}?2", cookies={"c": secret}, callback=self.broken)
        yield Request(f"{echo}?3", headers={"Authorization": secret}, callback=self.check)
        yield Request(self.site.at("/auth/bearer/"), callback=self.keyed)
        yield Request(f"{echo}?4", headers={"X-None": Secret("CAREFUL_NOT_SET")})
        yield Request(self.site.at("/moved"), "POST", data={"password": secret})

    def check(self, page: ScrapedPage) -> None:
        assert WORD in page.text
        page.response.body = b"{}"  # the site says it back; what a page says is stored

    def keyed(self, page: ScrapedPage) -> None:
        page.response.body = b""

    def broken(self, page: ScrapedPage) -> None:
        page.response.body = b""
        raise RuntimeError(repr(page.request))


def test_a_grep_for_the_secret_finds_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CAREFUL", WORD)
    caplog.set_level(logging.DEBUG)
    store = tmp_path / "careful.db"

    async def story() -> None:
        async with PracticeSite() as site, PracticeSite() as away:
            away.add_page("/steal", "<p>thanks")
            site.add_redirect("/moved", away.at("/steal"), status=307)
            Careful.site, Careful.away = site, away
            Careful.start_urls = [site.url, away.url]
            auth = {site.at("/auth/"): {"kind": "bearer", "env": "CAREFUL"}}
            settings = {**QUICK, "auth": auth, "fetch": {**QUICK["fetch"], "proxy": None}}
            async with Crawler(Careful, store=store, settings=settings) as crawler:
                assert WORD not in repr(crawler.config)
                summary = await crawler.run()
                assert WORD not in repr(summary)
            assert [
                hit.headers.get("Authorization") for hit in site.hits if "auth" in hit.path
            ] == [f"Bearer {WORD}"]
            assert away.count("/steal") == 0

    asyncio.run(story())
    with closing(sqlite3.connect(store)) as db:
        outcomes = dict(db.execute("SELECT url || method, outcome FROM pages").fetchall())
        dump = "\n".join(
            line for line in db.iterdump() if not line.startswith('INSERT INTO "cookies"')
        )
        traces = [
            error for (error,) in db.execute("SELECT error FROM pages WHERE error IS NOT NULL")
        ]
    assert sorted(outcomes.values()).count("bad_redirect") == 1
    assert sorted(outcomes.values()).count("spider_error") == 2  # `broken`, and this one:
    assert outcomes[f"{Careful.site.at('/echo')}?4GET"] == "spider_error"
    assert any("CAREFUL_NOT_SET is not in the environment" in trace for trace in traces)
    shown = capfd.readouterr()
    for text in (dump, caplog.text, shown.out, shown.err, *traces):
        assert WORD not in text


def test_a_secret_survives_a_restart_by_its_name() -> None:
    request = Request(
        "http://a.example/", "POST", data=[("p", Secret("X"))], headers={"A": Secret("Y")}
    )
    todo = Todo(1, 0, 1, request.identity, request.url, 0, 0, 0.0, None, None, request.extra())
    again = from_todo(todo, 0)
    assert (list(again.data), again.headers) == ([("p", Secret("X"))], {"A": Secret("Y")})
    assert again.identity == request.identity


def test_a_page_cannot_name_a_secret() -> None:
    """A hidden field that looks like the stored form of a Secret stays the text it is."""
    sly = json.dumps({"$secret": "HOME"})
    request = Request("http://a.example/", "POST", data={"f": sly}, json=None)
    todo = Todo(1, 0, 1, 0, request.url, 0, 0, 0.0, None, None, request.extra())
    assert from_todo(todo, 0).data == {"f": sly}


def test_literal_credentials_are_masked_in_the_table_of_pages() -> None:
    from crawler.web.body import shown

    request = Request(
        "http://a.example/",
        "POST",
        headers={"Authorization": WORD, "X-Api-Key": WORD},
        cookies={"sid": WORD},
        data={"user": "me", "password": WORD},
        proxy=f"http://me:{WORD}@proxy.example:1",
    )
    assert WORD not in shown(request.extra() or "")
    assert WORD not in repr(request)


def test_a_secret_that_is_not_set_is_named_before_the_crawl_begins(tmp_path: Path) -> None:
    class Keyed(Spider):
        name = "keyed"
        start_urls = ("http://127.0.0.1:9/",)
        settings = {"auth": {"api.example.com": {"kind": "bearer", "env": "NOT_SET_ANYWHERE"}}}  # noqa: RUF012

    async def story() -> None:
        async with Crawler(Keyed, store=tmp_path / "a.db") as crawler:
            await crawler.run()

    with pytest.raises(ConfigError, match="NOT_SET_ANYWHERE"):
        asyncio.run(story())
