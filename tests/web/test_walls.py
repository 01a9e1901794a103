"""Walls that answer 200 are no pages, and pages that look like walls are pages."""

import itertools
import timeit

import pytest
from multidict import CIMultiDict
from wall_pages import INNOCENT, SITE, WALLS, Answer

from crawler.web.outcome import Outcome
from crawler.web.page import ScrapedPage
from crawler.web.request import Request, Todo
from crawler.web.response import Response
from crawler.web.visit import Visit
from crawler.web.walls import Walls, suspect, wall_of


def page_of(answer: Answer, status: int = 200) -> ScrapedPage:
    url, origin, headers, body = answer
    response = Response(url, status, CIMultiDict(headers), body.encode(), 0.0, 0.1)
    return ScrapedPage(response, Request(url, first_url=origin))


def visit_of(page: ScrapedPage) -> Visit:
    return Visit(
        Todo(1, 0, 1, 1, page.url, 0, 0, 0.0, None, None, None),
        Outcome.OK,
        0.0,
        page.status,
        page.response,
    )


@pytest.mark.parametrize("name", WALLS)
def test_a_wall_is_known_by_its_makers_name(name: str) -> None:
    maker, answer = WALLS[name]
    page = page_of(answer)
    visit = visit_of(page)
    assert Walls().bars(visit, page)
    assert visit.outcome is Outcome.WALLED
    assert maker in (visit.error or "")


@pytest.mark.parametrize("name", INNOCENT)
def test_what_only_looks_like_a_wall_is_a_page(name: str) -> None:
    page = page_of(INNOCENT[name])
    assert wall_of(page) is None
    walls = Walls()
    for number in range(5):  # nor is it one under several URLs
        url, origin, headers, body = INNOCENT[name]
        again = page_of((f"{url}{'&' if '?' in url else '?'}n={number}", origin, headers, body))
        assert not walls.bars(visit_of(again), again)


def test_a_page_with_a_reference_of_thousands_of_digits_is_a_page() -> None:
    for reference in ("&#" + "9" * 5_000 + ";", "&#x" + "f" * 5_000 + ";"):
        page = page_of((SITE, SITE, {"Content-Type": "text/html"}, f"<p>tea {reference}"))
        assert wall_of(page) is None


@pytest.mark.parametrize("name", WALLS)
def test_a_page_about_a_wall_is_a_page(name: str) -> None:
    """The source of each wall as an example in a text, and its words in an article."""
    url, _, _, body = WALLS[name][1]
    escaped = body.replace("&", "&amp;").replace("<", "&lt;")
    text = "Tea is a drink that is made of leaves and hot water. " * 60
    for shown in (escaped, ""):
        source = f"<title>Security check</title><pre>{shown}</pre><p>{text}</p><script>a()</script>"
        page = page_of((url, None, {"Content-Type": "text/html"}, source))
        assert wall_of(page) is None


OWN = "<title>Tea</title><p>Please wait while we verify that you are a human ({}).</p><form></form>"


def test_the_same_few_words_of_a_check_under_several_urls_are_a_wall() -> None:
    walls, barred = Walls(), []
    for number in range(5):
        page = page_of((f"{SITE}{number}", None, {"Content-Type": "text/html"}, OWN.format(number)))
        barred.append(walls.bars(visit_of(page), page))
    assert barred == [False, False, True, True, True]


def test_one_url_visited_again_and_again_makes_no_wall_of_its_page() -> None:
    walls, page = Walls(), page_of((SITE, None, {"Content-Type": "text/html"}, OWN.format(1)))
    assert not any(walls.bars(visit_of(page), page) for _ in range(5))


def test_a_wall_can_be_kept() -> None:
    page = page_of(WALLS["anubis"][1])
    assert not Walls(keep=True).bars(visit_of(page), page)


def test_a_failure_by_its_status_says_which_wall_it_met() -> None:
    page = page_of(WALLS["cloudflare managed"][1], 403)
    visit = visit_of(page)
    visit.outcome = Outcome.HTTP_ERROR
    Walls().name(visit, page)
    assert visit.outcome is Outcome.HTTP_ERROR
    assert (visit.error or "").startswith("wall: Cloudflare")


def test_a_404_has_said_all_there_is_to_say() -> None:
    page = page_of(WALLS["cloudflare managed"][1], 404)
    visit = visit_of(page)
    visit.outcome = Outcome.NOT_FOUND
    Walls().name(visit, page)
    assert visit.error is None


@pytest.mark.parametrize(
    ("added", "says"),
    [
        ("", True),
        ("<p style='clear: both'>", True),
        ("<a " * 20_000, True),  # cut off by the end: in linear time
        ("<p style='display: none'>", False),  # the words may be of what is hidden
        ("<script src=/a.js></script>", False),
        ("<iframe src=https://geo.captcha-delivery.com/captcha/></iframe>", False),
    ],
)
def test_the_text_of_a_plain_page_is_its_own_without_the_markup(
    added: str, says: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "<p>How a name is asked for, &amp; when access is denied.</p>\n" * 20
    page = page_of(
        (SITE, None, {"Content-Type": "text/html"}, f"<title>Access</title>{added}{words}")
    )
    read: list[str] = []
    monkeypatch.setattr(ScrapedPage, "text", property(lambda page: read.append(page.url) or words))
    assert suspect(page.response)
    assert not Walls().bars(visit_of(page), page)
    assert bool(read) is not says


def test_a_plain_page_costs_next_to_nothing() -> None:
    """Beside what the fast pass of the same page takes: a part in twenty is already too much."""
    paragraph = "<p>Some words and <a href='/x'>links</a> to elsewhere.</p>\n"
    start = "<!doctype html><html><head><meta charset=utf-8>"
    for size, script, title in itertools.product(
        (20, 200, 2000),
        ("", "<script src=/a.js></script>"),
        ("An ordinary page", "53.3.\xa0pg_am"),  # one word to bytes, and no host's name
    ):
        head = f"{start}<title>{title}</title>"
        answer = {"Content-Type": "text/html", "Server": "x", "ETag": "y"}
        page = page_of((SITE, None, answer, head + script + paragraph * size))
        assert not suspect(page.response)

    def scan() -> None:
        ScrapedPage(page.response, page.request).found  # noqa: B018

    looking = min(timeit.repeat(lambda: suspect(page.response), number=200, repeat=5)) / 200
    scanning = min(timeit.repeat(scan, number=2, repeat=5)) / 2
    assert looking < scanning / 20
