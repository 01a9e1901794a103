"""Rules that ask for the browser: the same links, as requests for it, whoever finds them."""

from pathlib import Path

import pytest
from browser_story import needs_browser, render_all
from crawl_story import read

from crawler import Request, Rule, ScrapedPage, Spider
from crawler.config.browser import BrowserSettings
from crawler.config.engine import EngineSettings
from crawler.engine.worker_processes import launched
from crawler.errors import UsageError
from crawler.links.linker import Linker
from crawler.practice import PracticeSite
from crawler.processes.discovery import WorkerDiscovery, WorkerVisit
from crawler.spider.discover import Discovery
from crawler.urls.scope import Scope
from crawler.web.outcome import Outcome
from crawler.web.page import ScrapedPage as Page
from crawler.web.request import Candidate, Todo, from_todo
from crawler.web.response import Response
from crawler.web.steps import Click, Wait
from crawler.web.visit import Visit

TODO = Todo(1, 0, 0, 0, "http://h.example/", 0, 0, 0.0, None, None, None)
LINKS = b'<a href="/app/1">One</a><a href="/plain">Two</a><a href="/app/1">Again</a>'
RULES = (
    Rule(allow="/app/", steps=[Wait(".price")], callback="product", priority=3),
    Rule(callback="text"),
)


async def found(discovery: Discovery, visit: Visit) -> dict[str, Candidate]:
    """Return the candidates of the links of one page by their path."""
    response = Response(TODO.url, 200, {"Content-Type": "text/html"}, LINKS, 0.0, 0.0)
    await discovery.follow(visit, Page(response, Request(TODO.url)))
    return {
        candidate.url.removeprefix("http://h.example"): candidate for candidate in visit.candidates
    }


@pytest.mark.parametrize("kind", [(Discovery, Visit), (WorkerDiscovery, WorkerVisit)])
def test_the_links_of_a_rule_become_requests_for_the_browser(
    kind: tuple[type[Discovery], type[Visit]],
) -> None:
    import asyncio

    discovery = kind[0](Linker(Scope("any"), RULES))
    links = asyncio.run(found(discovery, kind[1](TODO, Outcome.OK, 0.0)))
    assert list(links) == ["/app/1", "/plain"]
    assert links["/plain"].extra is None and links["/plain"].callback == "text"
    candidate = links["/app/1"]
    row = TODO._replace(url=candidate.url, extra=candidate.extra, callback=candidate.callback)
    request = from_todo(row, 0)
    assert request.browser and request.steps == (Wait(".price"),)
    assert candidate.callback == "product" and candidate.rank == -3
    assert candidate.url_hash == request.identity


def test_a_rule_with_what_is_no_step_is_refused_when_it_is_made() -> None:
    with pytest.raises(UsageError, match="is no step of the browser"):
        Rule(steps=["click"])  # type: ignore[list-item]


class Shop(Spider):
    """Follows the goods of the single-page shop."""

    name = "shop"
    rules = (Rule(allow="/app/product/", browser=True, callback="product"),)

    def start(self):  # type: ignore[no-untyped-def]
        yield Request(self.start_urls[0], steps=[Click("#agree", optional=True)])

    def product(self, page: ScrapedPage):  # type: ignore[no-untyped-def]
        yield {"name": page.css("h1::text").get("")}


@needs_browser
def test_a_rule_renders_what_its_pattern_takes(tmp_path: Path) -> None:
    import asyncio

    store = tmp_path / "crawl.db"

    async def tell() -> None:
        async with PracticeSite() as site, asyncio.timeout(60):
            await render_all(Shop, store, site.at("/app/category/clocks"), engine__max_pages=4)

    asyncio.run(tell())
    why = read(store, "SELECT why FROM rendered_pages")
    assert why == ["asked"] * 4
    assert all(read(store, "SELECT name FROM item"))


@pytest.mark.parametrize("mode", ["auto", "always"])
def test_where_every_page_may_be_the_browsers_no_other_process_is_launched(mode, caplog):
    with caplog.at_level("WARNING"):  # whatever a command before has set
        assert launched(EngineSettings(processes=2), BrowserSettings(mode=mode)) == []
    assert "2 processes would bring nothing" in caplog.text
