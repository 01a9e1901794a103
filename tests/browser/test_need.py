"""Which pages are rendered in `auto` mode: 60 of both kinds, and what is learnt of the paths."""

import re
from collections.abc import Iterator

import pytest

from crawler import Request, ScrapedPage
from crawler.browser.auto import Auto
from crawler.browser.need import needed
from crawler.links.traps import folder_of
from crawler.web.need_note import NeedNote
from crawler.web.outcome import Outcome
from crawler.web.request import Todo
from crawler.web.response import Response
from crawler.web.visit import Visit

WORDS = "The tide comes in at seven and leaves at one, as it has done since the harbour was dug. "
APP = '<script src="/assets/index.8f3c.js" type="module"></script>'
COUNT = (
    '<script async src="https://www.googletagmanager.com/gtag/js?id=G-1"></script>'
    "<script>window.dataLayer = window.dataLayer || []; gtag('js', new Date());</script>"
)
MENU = "<header><a href=/>Home</a></header><nav>" + "<a href=/x>A shelf</a> " * 12 + "</nav>"
FEED = "<x-feed src=/api/feed></x-feed>"
SEARCH = "<form><label>" + WORDS * 4 + "<input></label></form>"
DATA = '<script type="application/json">' + WORDS * 9 + "</script>"
FOOT = "<footer><p>" + WORDS * 3 + "</p></footer>"
CONSENT = '<div class="cookie-banner"><p>' + WORDS * 4 + "</p><button>Agree</button></div>"
LIST = "<ul>" + "".join(f"<li><a href=/thing/{n}>Thing {n}</a></li>" for n in range(14)) + "</ul>"

NEEDS = {
    "an empty mount": f"<body><div id=root></div>{APP}",
    "a mount that says to wait": f'<body><div id="app"><p>Loading…</p></div>{APP}',
    "a mount between menu and foot": f'<body>{MENU}<div id="__next"></div>{FOOT}{APP}',
    "a mount behind a banner": f'<body>{CONSENT}<div id="__nuxt"></div>{APP}',
    "a component": f"<body><app-root></app-root>{APP}",
    "a component with a word": f"<body><shop-front>Please wait</shop-front>{APP}",
    "a component in a shell": f"<body>{MENU}<main>{FEED}</main>{FOOT}{APP}",
    "a plea": f"<body><noscript>You need to enable JavaScript to run this app.</noscript>{APP}",
    "a plea in German": f"<body><noscript>Bitte JavaScript einschalten.</noscript>{MENU}{APP}",
    "a busy list": f'<body>{MENU}<h1>Goods</h1><ul aria-busy="true"></ul>{APP}',
    "skeletons": f'<body>{MENU}<h1>News</h1><div class="card skeleton"></div>{APP}',
    "a spinner": f'<body>{MENU}<div class="spinner"></div>{FOOT}{APP}',
    "an empty main": f"<body>{MENU}<main></main>{FOOT}{APP}",
    "an empty list": f"<body>{MENU}<h1>Results</h1><ul id=hits></ul>{APP}",
    "an empty table": f"<body>{MENU}<table><tbody></tbody></table>{APP}",
    "an article to come": f"<body>{MENU}<article class=post></article>{FOOT}{APP}",
    "marks of a template": f"<body>{MENU}<h1>{{{{ product.name }}}}</h1>{APP}",
    "a cloak": f"<body><div v-cloak><h2></h2></div>{APP}",
    "an old application": f"<body ng-app=shop><div ng-view></div>{APP}",
    "nothing at all": f"<body>{APP}",
    "nothing but a menu": f"<body>{MENU}{FOOT}{APP}",
    "a script in the page": "<body><div id=app></div><script>render(document.body)</script>",
    "a script of Babel": '<body><div id=root></div><script type="text/babel">go()</script>',
    "scripts of both kinds": f"<body>{COUNT}<div id=root></div>{APP}",
    "a picture to wait by": f'<body><div id="root"><img src=/logo.svg></div>{APP}',
    "a comment in the mount": f"<body><div id=root><!-- here --></div>{APP}",
    "words in a template": f"<body><template><p>{WORDS * 9}</p></template><main></main>{APP}",
    "words in data": f"<body><div id=root></div>{DATA}{APP}",
    "a search form": f"<body>{MENU}{SEARCH}<div id=results></div>{APP}",
    "a page of an outlet": f'<body>{MENU}<section class="outlet"></section>{FOOT}{APP}',
}
WHOLE = {
    "an article": f"<body>{MENU}<article><p>{WORDS * 9}</p></article>{FOOT}{APP}",
    "an article without scripts": f"<body><p>{WORDS}</p>",
    "a short page": "<body><h1>Closed</h1><p>We are back on Monday.</p>",
    "a short page that is counted": f"<body><h1>Closed</h1><p>Back on Monday.</p>{COUNT}",
    "a short page with a script": f"<body>{MENU}<h1>Contact</h1><p>Write to the harbour.</p>{APP}",
    "a list": f"<body>{MENU}{LIST}{APP}",
    "a list with an empty one": f"<body>{LIST}<ul></ul>{APP}",
    "an article with an empty main": f"<body><div>{WORDS * 4}</div><main></main>{APP}",
    "an article in a mount": f"<body><div id=root><p>{WORDS * 4}</p></div>{APP}",
    "an article with a widget": f"<body><p>{WORDS * 4}</p><like-button></like-button>{APP}",
    "an article with a plea": f"<body><p>{WORDS * 4}</p><noscript>JavaScript</noscript>{APP}",
    "an article with skeletons": f"<body><p>{WORDS * 4}</p><div class=skeleton></div>{APP}",
    "a page of AMP": f"<html amp><body><div id=root></div>{APP}",
    "a refresh": f'<head><meta http-equiv="refresh" content="0; url=/x"></head><body>{APP}',
    "a frameset": f"<frameset cols=*,*><frame src=/a><frame src=/b></frameset>{APP}",
    "an empty page": "<body>",
    "an empty page that is counted": f"<body>{COUNT}",
    "a mount without a script": "<body><div id=root></div>",
    "a plea without a script": "<body><noscript>JavaScript!</noscript><p>Words.</p>",
    "a mount that only counts": f"<body><div id=app></div>{COUNT}",
    "data and no script": '<body><div id=app></div><script type="application/ld+json">{}</script>',
    "a table": f"<body><table><tr><td>{WORDS * 4}</td></tr></table>{APP}",
    "a gallery": "<body>" + "<a href=/i/1><img src=/1.jpg></a>" * 12 + APP,
    "a poem": f"<body>{MENU}<pre>{WORDS * 4}</pre>{FOOT}{APP}",
    "a question": f"<body>{MENU}<h1>Are you sure?</h1><p>This cannot be undone.</p>{APP}",
    "a thank-you": f"<body>{MENU}<h1>Thank you</h1><p>Your order is on its way.</p>{FOOT}{APP}",
    "an address": f"<body><address>1 Quay Street, Harbour</address>{COUNT}{APP}",
    "a manual": f"<body>{MENU}<dl>" + "<dt>pull</dt><dd>the rope to you</dd>" * 12 + f"</dl>{APP}",
    "a directory": "<body><pre>" + "<a href=x>file.txt</a> 2026-01-05\n" * 11 + f"</pre>{APP}",
    "an imprint": f"<body>{CONSENT}<p>{WORDS * 4}</p>{FOOT}{APP}",
}


def document(body: str) -> str:
    return f"<!DOCTYPE html><html><head><title>A page</title></head>{body}</html>"


def test_of_sixty_pages_of_both_kinds_those_are_rendered_that_need_it() -> None:
    assert len(NEEDS) + len(WHOLE) >= 60
    rendered = {name for name, body in (NEEDS | WHOLE).items() if needed(document(body)).renders}
    wrong, missed = rendered - NEEDS.keys(), NEEDS.keys() - rendered
    assert not wrong, wrong
    assert len(missed) <= 1, missed


@pytest.mark.parametrize("part", ["<", "<script", "<div id=root>", "<a-b>", "<!--", "<nav", "{{"])
def test_a_page_made_to_be_slow_to_judge_takes_linear_time(part: str) -> None:
    small, large = ("<script>go()</script>" + part * number for number in (2_000, 20_000))
    assert len(list(measured(large))) <= 40 * max(1, len(list(measured(small))))


def measured(html: str) -> Iterator[int]:
    """Yield one for each millisecond that judging takes."""
    import time

    began = time.process_time()
    needed(html)
    yield from range(1 + int((time.process_time() - began) * 1000))


def of(url: str, body: str, **asked: object) -> tuple[Visit, ScrapedPage, Request]:
    request = Request(url, **asked)  # type: ignore[arg-type]
    headers = {"Content-Type": "text/html; charset=utf-8"}
    page = ScrapedPage(Response(url, 200, headers, document(body).encode(), 0.0, 0.0), request)
    return Visit(Todo(1, 0, 0, 0, url, 0, 0, 0.0, None, None, None), Outcome.OK, 0.0), page, request


def render(
    auto: Auto, number: int, body: str = NEEDS["an empty mount"], then: str = ""
) -> NeedNote:
    """Let one page be judged, and what the browser made of it be learnt."""
    visit, page, request = of(f"http://h.example/goods/{number}", NEEDS["an empty mount"])
    asked = auto.judge(visit, page, request)
    assert asked is not None and asked.browser and visit.outcome is Outcome.NEEDS_BROWSER
    later, page, _ = of(request.url, then or WHOLE["an article"])
    auto.learn(later, page, asked)
    assert later.need is not None
    return later.need


def test_after_three_pages_the_next_go_straight_to_the_browser_but_each_twentieth() -> None:
    auto = Auto()
    notes = [render(auto, number) for number in range(3)]
    assert [note.agreed for note in notes] == [1, 2, 3]
    asked = [auto.takes(Request(f"http://h.example/goods/{n}")) for n in range(3, 43)]
    assert [place for place, why in enumerate(asked, start=1) if why is None] == [20, 40]
    assert "http://h.example/goods/" in (asked[0] or "")
    assert auto.takes(Request("http://h.example/news/1")) is None


def test_what_was_learnt_is_kept_and_forgotten_when_it_stops_being_true() -> None:
    known = NeedNote("http://h.example/goods/", True, 3, "an empty mount")
    auto = Auto([known])
    assert auto.takes(Request("http://h.example/goods/1"))
    visit, page, request = of("http://h.example/goods/20", WHOLE["an article"])
    assert auto.judge(visit, page, request) is None
    assert visit.need is not None and not visit.need.renders and visit.need.agreed == 1
    assert auto.takes(Request("http://h.example/goods/2")) is None


def test_pages_to_which_rendering_adds_nothing_are_no_longer_rendered() -> None:
    auto = Auto()
    notes = [render(auto, n, then=NEEDS["an empty mount"]) for n in range(3)]
    assert not notes[-1].renders and notes[-1].reason == "rendering added nothing"
    visit, page, request = of("http://h.example/goods/9", NEEDS["an empty mount"])
    assert auto.judge(visit, page, request) is None and visit.outcome is Outcome.OK


def test_pages_that_lie_side_by_side_are_one_pattern() -> None:
    assert folder_of("http://h.example/a/one-2?page=3") == folder_of(
        "http://h.example/a/two?page=9"
    )
    assert folder_of("http://h.example/a/one") != folder_of("http://h.example/b/one")
    assert re.fullmatch(r"http://h\.example/", folder_of("http://h.example/"))
