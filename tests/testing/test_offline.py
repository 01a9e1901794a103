"""Crawls over recorded answers: the same links, callbacks and ends as a real one, and no socket."""

import asyncio
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crawler import Request, Rule, Spider, StopCrawl, item
from crawler.errors import OfflineOnly, UsageError
from crawler.testing import RecordedAnswer, Recording, crawl, page_from

ROOT = Path(__file__).parents[2]


@item
class Heading:
    text: str


class Site(Spider):
    name = "site_under_test"
    start_urls = ("https://site.example/",)
    rules = (Rule(deny="/private"),)

    def parse(self, page):
        yield Heading(page.css("h1::text").get(""))


def test_page_from_text_bytes_and_a_file(tmp_path: Path) -> None:
    page = page_from("<h1>Ä</h1><a href=b>b</a>", url="https://x.example/a", status=203)
    assert page.css("h1::text").get() == "Ä" and page.links == ["https://x.example/b"]
    assert (page.status, page.url) == (203, "https://x.example/a")
    assert page_from('{"a": 1}').json() == {"a": 1}
    latin = page_from(b"<h1>\xe4</h1>", headers={"Content-Type": "text/html; charset=latin1"})
    assert latin.css("h1::text").get() == "ä"
    file = tmp_path / "page.html"
    file.write_bytes("<meta charset=utf-8><h1>ü</h1>".encode())
    assert page_from(file, args={"n": 1}).css("h1::text").get() == "ü"
    assert page_from("x", meta={"n": 1}).meta == {"n": 1}
    with pytest.raises(UsageError, match="no http"):
        page_from("x", url="mailto:a@b.example")
    with pytest.raises(UsageError, match=r"none\.html"):
        page_from(tmp_path / "none.html")


def test_links_are_followed_by_the_rules_and_what_is_not_recorded_is_told() -> None:
    pages = {
        "/": "<h1>1</h1><a href=/two>2</a><a href=/private>p</a><a href=https://other.example/>o</a>",
        "/two": "<h1>2</h1><a href=/three>3</a><a href=/>1</a>",
    }
    found = crawl(Site, pages)
    assert found.items == [{"text": "1"}, {"text": "2"}]
    assert found.missing == ["https://site.example/three"]
    assert found.refused == {"no_rule": 1, "out_of_scope": 1}
    assert found.of(Heading) == found.of("heading") == found.items


def test_redirects_errors_and_kinds_of_answers() -> None:
    class Hearing(Site):
        name = "hearing"
        heard: list = []  # noqa: RUF012

        def on_error(self, request, outcome, status, page):
            self.heard.append((request.url, str(outcome), status))

    pages = {
        "/": RecordedAnswer("", status=301, headers={"Location": "/home"}),
        "/home": "<h1>home</h1><a href=/gone>x</a>",
        "/gone": RecordedAnswer("", b"<h1>gone</h1>", 404),
    }
    found = crawl(Hearing, pages)
    assert [page.outcome for page in found.pages] == ["redirect", "ok", "not_found"]
    assert Hearing.heard == [("https://site.example/gone", "not_found", 404)]
    assert found.items == [{"text": "home"}]


def test_callbacks_that_raise_stop_or_wait() -> None:
    class Raising(Site):
        name = "raising"

        def parse(self, page):
            yield Heading("before")
            raise ValueError("no price")

    found = crawl(Raising, {"/": "<p>"})
    assert "no price" in found.errors[0] and "test_offline.py" in found.errors[0]

    class Ending(Site):
        name = "ending"

        def parse(self, page):
            raise StopCrawl("enough")

    assert crawl(Ending, {"/": "<a href=/b>b</a>", "/b": ""}).stopped == "enough"

    class Waiting(Site):
        name = "waiting"
        pipelines = (lambda item: item,)

        async def parse(self, page):
            await asyncio.sleep(0)
            yield Heading("late")
            yield Request("https://site.example/more", callback=self.more, args={"n": 3})

        async def more(self, page, n):
            return Heading(str(n))

    assert crawl(Waiting, {"/": "", "/more": ""}).items == [{"text": "late"}, {"text": "3"}]


def test_a_form_is_found_by_what_it_sends(tmp_path: Path) -> None:
    class Form(Site):
        name = "form"

        def parse(self, page):
            return Request(page.url, "POST", data={"q": "one"}, callback=self.found)

        def found(self, page):
            yield Heading(page.css("h1::text").get(""))

    url = "https://site.example/"
    one, two = (Request(url, "POST", data={"q": q}) for q in ("one", "two"))
    recording = Recording(
        [
            RecordedAnswer(url, b"<form>", headers={"Content-Type": "text/html"}),
            RecordedAnswer(url, b"<h1>first</h1>", method="POST", identity=one.identity),
            RecordedAnswer(url, b"<h1>other</h1>", method="POST", identity=two.identity),
            RecordedAnswer(
                "https://site.example/b", b"\xff\x00", headers={"Content-Type": "image/x"}
            ),
        ],
        spider="form",
    )
    assert crawl(Form, recording).items == [{"text": "first"}]
    file = tmp_path / "deep" / "form.jsonl.zst"
    recording.save(file)
    again = Recording.load(file)
    assert again.answers == recording.answers and crawl(Form, again).items == [{"text": "first"}]
    written = file.read_bytes()
    again.save(file)
    assert file.read_bytes() == written
    file.write_bytes(b"something else")
    with pytest.raises(UsageError, match="is no recording"):
        Recording.load(file)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_socket_in_a_callback_is_refused(asynchronous: bool) -> None:
    class Calling(Site):
        name = "calling"

        def parse(self, page):
            socket.create_connection(("127.0.0.1", 9))

    class CallingAsync(Site):
        name = "calling_async"

        async def parse(self, page):
            await asyncio.open_connection("127.0.0.1", 9)

    found = crawl(CallingAsync if asynchronous else Calling, {"/": "<p>"})
    assert "OfflineOnly" in found.errors[0] and "record it" in found.errors[0]
    with socket.socket() as free:  # and outside of a crawl nothing is
        free.bind(("127.0.0.1", 0))
    assert issubclass(OfflineOnly, UsageError)


def test_no_socket_and_no_event_loop_is_made() -> None:
    code = """
import sys
heard = []
sys.addaudithook(lambda event, _: heard.append(event) if event.startswith("socket.") else None)
from crawler.testing import assert_items, crawl, Recording
from spiders.quotes import Quotes
found = assert_items(Quotes, "tests/recordings/quotes.jsonl.zst")
assert len(found.pages) == 10, found
print(heard)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_thousand_pages_take_no_time() -> None:
    filler = "<p>Some text that stands on every page.</p>" * 100
    pages = {
        f"/{n}" if n else "/": f"<h1>{n}</h1>{filler}<a href=/{n + 1}>next</a>" for n in range(1000)
    }
    began = time.process_time()
    assert len(crawl(Site, pages).items) == 1000
    assert time.process_time() - began < 5
