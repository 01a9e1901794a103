"""Steps in a page of the browser: as data, in a crawl, and after a restart."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from browser_story import browsing, needs_browser
from crawl_story import read

from crawler import Request, ScrapedPage, Spider
from crawler.config.secrets import Secret
from crawler.errors import UsageError
from crawler.practice import PracticeSite
from crawler.practice.account import LETTERS, PASSWORD
from crawler.web import body
from crawler.web.request import Todo, from_todo
from crawler.web.steps import (
    Click,
    Evaluate,
    Fill,
    Pdf,
    Press,
    Screenshot,
    Scroll,
    Select,
    Wait,
)

EVERY = (
    Wait("#there"),
    Wait(ms=20, idle=True, optional=True),
    Click("button", most=3),
    Fill("#user", "me"),
    Fill("#password", Secret("PRACTICE_PASSWORD")),
    Select("select", "two", optional=True),
    Press("Enter", "#user"),
    Scroll(until=".end", most=9),
    Evaluate("() => 1"),
    Screenshot("shelf", css="#shelf"),
    Pdf(),
)


def revived(request: Request) -> Request:
    row = Todo(1, 0, 0, 0, request.url, 0, 0, 0.0, None, None, request.extra())
    return from_todo(row, 0)


def test_every_step_survives_the_store_and_a_secret_only_by_its_name() -> None:
    request = Request("http://h.example/", steps=EVERY)
    assert request.browser and revived(request).steps == EVERY
    assert revived(request).identity == request.identity
    assert "PRACTICE_PASSWORD" in (request.extra() or "")


def test_a_page_with_other_steps_is_another_request() -> None:
    plain, clicked, filled = (
        Request("http://h.example/", browser=True, steps=steps).identity
        for steps in ((), (Click("a"),), (Click("b"),))
    )
    assert len({plain, clicked, filled, Request("http://h.example/").identity}) == 4


def test_what_is_written_into_a_password_field_is_not_shown() -> None:
    steps = (Fill("#password", "lighthouse"), Fill("#city", "Hamburg"))
    shown = body.shown(Request("http://h.example/", steps=steps).extra() or "")
    assert "lighthouse" not in shown and "Hamburg" in shown


@pytest.mark.parametrize("wrong", ["click", {"step": "click"}, Screenshot("../x")])
def test_what_is_no_step_is_refused_where_it_is_given(wrong: Any) -> None:
    with pytest.raises(UsageError, match=r"no step|cannot name"):
        Request("http://h.example/", steps=[wrong])


class Stepping(Spider):
    """Asks for each page with its steps, and remembers what it saw."""

    name = "stepping"

    def __init__(self, *requests: Request) -> None:
        super().__init__()
        self.requests = requests
        self.start_urls = [request.url for request in requests]
        self.seen: dict[str, ScrapedPage] = {}
        self.errors: dict[str, str] = {}

    def start(self) -> list[Request]:
        return list(self.requests)

    def parse(self, page: ScrapedPage) -> None:
        self.seen["/" + page.requested_url.split("/", 3)[3]] = page

    def on_error(self, request: Request, outcome: Any, status: int | None) -> None:
        self.errors["/" + request.url.split("/", 3)[3]] = str(outcome)


class Touching(Stepping):
    """Does by hand what steps do not say."""

    async def on_browser(self, tab: Any, request: Request) -> None:
        told = "by hand"
        if request.url.endswith("/slow"):  # another page of the same session
            await tab.context.add_cookies([{"name": "by", "value": "hand", "url": request.url}])
            other = await tab.context.new_page()
            await other.goto(request.url)
            told += await other.evaluate("document.title + /by=hand/.test(document.cookie)")
            await other.close()
            tab.on("dialog", lambda dialog: asyncio.ensure_future(dialog.accept("said")))
            told += await tab.evaluate("prompt('What?')")
        await tab.evaluate("(told) => document.body.append(told)", told)


@needs_browser
def test_a_login_a_click_a_banner_and_a_late_page_by_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRACTICE_PASSWORD", PASSWORD)
    store = tmp_path / "crawl.db"

    async def tell() -> Stepping:
        async with PracticeSite(robots=False) as site, asyncio.timeout(120):
            login = (
                Fill("[name=user]", "reader"),
                Fill("[name=password]", Secret("PRACTICE_PASSWORD")),
                Click("button"),
                Wait("p.letter"),
            )
            asked = {
                "/scripted/login": login,
                "/scripted/more": (Click("button.more", most=5),),
                "/scripted/consent": (Click("#agree"), Screenshot(), Pdf("print")),
                "/scripted/slow": (Wait("p.late"),),
                "/scripted/shadow": (Click("#nothing", optional=True),),
                "/scripted/frames": (),
                "/scripted/": (Click("#nothing"),),
                "/app/": (Scroll(most=3),),
            }
            requests = [
                Request(site.at(path), steps=steps, browser=True) for path, steps in asked.items()
            ]
            spider = Touching(*requests)
            settings = {
                "browser__shadow": True,
                "browser__frames": True,
                "browser__xhr": ["/api/"],
                "fetch__retries": 0,
            }
            async with browsing(spider, store, **settings) as crawler:
                summary = await crawler.run()
            assert summary.refused.get("browser_steps") == 1  # the shop has more than three pages
        return spider

    spider = asyncio.run(tell())
    seen = spider.seen
    letters = [text for _, text in LETTERS.values()]
    assert seen["/scripted/login"].css("p.letter::text").getall() == letters
    assert seen["/scripted/login"].url.endswith("/scripted/members")
    assert [answer.json() for answer in seen["/scripted/login"].xhr][-1] == letters
    assert len(seen["/scripted/more"].css("p.thing")) == 30
    assert seen["/scripted/consent"].css("p.readable")
    assert seen["/scripted/slow"].css("p.late")
    assert seen["/scripted/shadow"].css("p.note a::attr(href)").get() == "/about/"
    assert 40 < len(seen["/app/"].css("article.product")) <= 80
    inside = seen["/scripted/frames"]
    assert inside.css("[data-frame] a::attr(href)").get() == inside.urljoin("/feed.xml")
    assert f"by hand{seen['/scripted/slow'].title}truesaid" in seen["/scripted/slow"].text
    assert spider.errors == {"/scripted/": "step_failed"}
    [said] = read(store, "SELECT error FROM pages WHERE outcome = 'step_failed'")
    assert "step 1, Click" in said
    files = read(store, "SELECT name, content_type, path, size FROM rendered_files ORDER BY name")
    kinds = {"page.png": "image/png", "print.pdf": "application/pdf"}
    assert {name: kind for name, kind, _, _ in files} == kinds
    for _, _, path, size in files:
        assert (tmp_path / "crawl.db.files" / path).stat().st_size == size
    shown = json.dumps(read(store, "SELECT request FROM pages WHERE request IS NOT NULL"))
    assert PASSWORD not in shown
