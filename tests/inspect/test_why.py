"""What `crawler why`, `crawler fetch --explain` and `crawler report politeness` tell."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from following_story import counters, crawled, rows

from crawler import Crawler, Rule, SiteSpider, Spider, item
from crawler.cli import run
from crawler.inspect.politeness_report import HostPoliteness, manners, most_at_once
from crawler.inspect.query import Reader
from crawler.inspect.why import why
from crawler.practice import PracticeSite


@item(key="name")
class Found:
    name: str


class Curious(Spider):
    name = "curious"
    rules = (Rule(deny="shop|login", allow="private|odd|flaky|redirect|status"),)

    def parse(self, page: Any) -> Any:
        yield Found(page.url)


def told(store: Path, url: str, rules: tuple[Rule, ...] = Curious.rules) -> dict[str, list[str]]:
    """What is said of a URL, by subject."""
    with Reader(store) as reader:
        found: dict[str, list[str]] = {}
        for about, text in why(reader, url, rules):
            found.setdefault(about, []).append(text)
        return found


@pytest.fixture(scope="module")
def crawl(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    store = tmp_path_factory.mktemp("why") / "why.db"

    async def story() -> str:
        async with PracticeSite() as site:
            spider = Curious()
            spider.start_urls = [site.url]
            await crawled(
                spider, store, engine={"max_depth": 2}, fetch={"retry_delay": 0.01, "retries": 2}
            )
            return site.url

    return store, asyncio.run(story()).rstrip("/")


def test_a_fetched_page_is_told_with_its_way_its_outcome_and_its_items(
    crawl: tuple[Path, str],
) -> None:
    store, site = crawl
    found = told(store, f"{site}/odd/base/")
    assert found["depth"] == ["2"]
    assert found["found on"] == [f"{site}/odd/ (depth 1)", f"{site}/ (depth 0)"]
    assert found["outcome"][0].startswith("ok 200 in ")
    assert found["items"] == ["1 found"]
    assert found["rule 1"][0].startswith("takes it: Rule(allow='private|odd|flaky")
    assert found["robots"] == ["allowed: no rule"]


def test_a_redirect_says_where_it_leads(crawl: tuple[Path, str]) -> None:
    store, site = crawl
    assert told(store, f"{site}/redirect/3")["leads to"] == [f"{site}/redirect/2"]


def test_each_try_is_told_with_its_time_and_error(crawl: tuple[Path, str]) -> None:
    store, site = crawl
    found = told(store, f"{site}/status/500")
    assert "server_error 500; again from" in found["try 1"][0]
    assert "server_error 500" in found["try 2"][0]
    assert "try 3" in found["outcome"][0]


def test_a_denied_url_names_the_line_of_robots_txt(crawl: tuple[Path, str]) -> None:
    store, site = crawl
    found = told(store, f"{site}/private/")
    assert found["outcome"][0].startswith("robots_denied at ")
    assert found["robots"][0].endswith(": Disallow: /private/")


@pytest.mark.parametrize(
    ("path", "about", "text"),
    [
        ("/shop/", "rule 1", "does not take it"),
        ("/private/never/linked/", "robots", "denied by line"),
        ("/odd/a/b/a/b/a/b/a/b/", "traps", "refused: repeated_segments"),
        ("/odd/fine/", "traps", "its shape is fine"),
    ],
)
def test_a_url_that_was_never_fetched_is_told_what_would_refuse_it(
    crawl: tuple[Path, str], path: str, about: str, text: str
) -> None:
    store, site = crawl
    found = told(store, site + path)
    assert found["state"] == ["never accepted: neither fetched nor queued"]
    assert found[about][0].startswith(text)


def test_the_pages_that_link_to_a_refused_url_are_named(crawl: tuple[Path, str]) -> None:
    store, site = crawl
    assert f"{site}/ (depth 0)" in told(store, f"{site}/shop/")["linked on"]


@pytest.mark.parametrize(
    ("page", "settings", "why"),
    [
        ("<meta name=robots content=nofollow><a href=/a>a</a>", {}, "page_nofollow, as the page"),
        ("<a rel=nofollow href=/a>a</a>", {"links": {"nofollow": True}}, "nofollow (links.nofol"),
        ("<a href=/a>a</a>", {"engine": {"max_depth": 0}}, "too_deep (engine.max_depth = 0)"),
        ("<a href=/a>a</a>", {"links": {"exclude": ["a$"]}}, ""),  # which `bounds` tells
    ],
)
def test_what_keeps_a_link_from_being_taken_is_told_with_its_page(
    tmp_path: Path, page: str, settings: dict[str, Any], why: str
) -> None:
    async def story() -> str:
        async with PracticeSite(robots=False) as site:
            site.add_page("/start", page)
            await crawled(SiteSpider(site.at("/start")), tmp_path / "n.db", **settings)
            return site.at("/")

    base = asyncio.run(story())
    rules = SiteSpider.rules
    [link] = told(tmp_path / "n.db", f"{base}a", rules)["linked on"]
    assert link.startswith(f"{base}start (depth 0)" + (f": {why}" if why else ""))
    asks = told(tmp_path / "n.db", f"{base}start", rules).get("page", [])
    assert asks == (
        ["asks that its links are not followed (links.robots_meta)"] if "meta" in page else []
    )


def test_of_many_pages_that_link_to_a_url_five_are_named_and_the_query_for_all(
    tmp_path: Path,
) -> None:
    async def story() -> str:
        async with PracticeSite(robots=False) as site:
            site.add_links("/start", [f"/p{number}" for number in range(7)])
            for number in range(7):
                site.add_links(f"/p{number}", ["/it's"])
            settings = {"links": {"exclude": ["it's"]}}
            await crawled(SiteSpider(site.at("/start")), tmp_path / "m.db", **settings)
            return site.at("/it's")

    url = asyncio.run(story())
    *named, more = told(tmp_path / "m.db", url, SiteSpider.rules)["linked on"]
    assert len(named) == 5
    assert len(rows(tmp_path / "m.db", more.removeprefix("more pages: "))) == 7


def test_a_url_that_only_callbacks_asked_for_is_told_to_be_counted(tmp_path: Path) -> None:
    class Asking(Spider):
        name = "asking"

        def parse(self, page: Any) -> Any:
            yield page.follow("http://127.0.0.9/data.json")

    async def story() -> None:
        async with PracticeSite(robots=False) as site:
            spider = Asking()
            spider.start_urls = [site.url]
            await crawled(spider, tmp_path / "a.db")

    asyncio.run(story())
    [link] = told(tmp_path / "a.db", "http://127.0.0.9/data.json", ())["linked on"]
    assert link.startswith("no stored page; ") and "(request_out_of_scope)" in link


def test_a_url_that_was_never_answered_is_not_said_to_be_fetched(tmp_path: Path) -> None:
    async def story() -> None:
        async with PracticeSite(robots=False) as site:
            site.add_links("/start", ["http://127.0.0.9:1/"])
            links = {"check_external": True}
            await crawled(SiteSpider(site.at("/start")), tmp_path / "x.db", links=links)

    asyncio.run(story())
    found = told(tmp_path / "x.db", "http://127.0.0.9:1/", SiteSpider.rules)
    assert "address_refused" in found["outcome"][0]
    assert found["scope"][0].startswith("out of scope (out_of_scope)")


def test_a_host_that_was_never_met_is_out_of_scope(crawl: tuple[Path, str]) -> None:
    store, _ = crawl
    found = told(store, "https://elsewhere.example/")
    assert found["scope"][0].startswith("out of scope (out_of_scope): host of http://127")
    assert found["host"] == ["https://elsewhere.example: never met"]


def test_a_rule_that_looks_at_more_than_the_url_may_take_it(crawl: tuple[Path, str]) -> None:
    store, site = crawl
    rules = (Rule(deny="odd"), Rule(restrict_css="nav"), Rule(follow=False))
    found = told(store, f"{site}/odd/", rules)
    assert found["rule 1"][0].startswith("does not take it")
    assert found["rule 2"][0].startswith("may take it, by where its link stands")
    assert found["rule 3"][0].startswith("refuses it (no_rule)")


def test_the_command_tells_it_and_what_it_cannot_know(
    crawl: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    store, site = crawl
    assert run(["why", f"{site}/odd/", "--store", str(store)]) == 0
    out = capsys.readouterr().out
    assert "outcome    ok 200" in out and "--spider" in out
    assert run(["why", "nonsense", "--store", str(store)]) == 2


# ---------------------------------------------------------------- politeness


def test_tries_overlap_only_while_both_run() -> None:
    assert most_at_once([]) == 0
    assert most_at_once([(0.0, 1.0), (1.0, 1.0), (2.0, 1.0)]) == 1
    assert most_at_once([(0.0, 5.0), (1.0, 1.0), (1.5, 1.0), (4.0, 2.0)]) == 3


def test_a_polite_crawl_proves_its_spacing_and_its_limit_from_the_store(tmp_path: Path) -> None:
    async def story() -> tuple[int, list[float]]:
        async with PracticeSite(latency=0.05, robots=False) as site:
            site.add_links("/start", [f"/{n}" for n in range(8)])
            for n in range(8):
                site.add_page(f"/{n}", "x")
            polite = {"delay": 0.04, "per_host": 2, "adaptive": False}
            await crawled(SiteSpider(site.at("/start")), tmp_path / "p.db", politeness=polite)
            return site.max_in_flight(), site.spacing()

    in_flight, gaps = asyncio.run(story())
    with Reader(tmp_path / "p.db") as reader:
        [found] = manners(reader)
    assert found.kept and found.requests == 10 and in_flight == found.in_flight == 2
    assert found.least is not None and found.least >= 0.038
    assert min(gaps) > 0.03
    assert run(["report", "politeness", "--store", str(tmp_path / "p.db")]) == 0


def test_each_request_is_held_against_the_settings_of_its_run_and_host(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"

    async def story() -> str:
        async with PracticeSite(robots=False) as site:
            site.add_links("/start", [f"/{n}" for n in range(4)])
            for n in range(4):
                site.add_page(f"/{n}", "x")
            spider = SiteSpider(site.at("/start"))
            hurried = {"delay": 0, "per_host": 16}
            await crawled(spider, store, politeness=hurried, engine={"max_pages": 3})
            hosts = {"at": {"127.0.0.1": {"delay": 0.01, "robots": False}}}
            await crawled(spider, store, politeness={"delay": 0.2}, hosts=hosts)
            return site.at("/start")

    url = asyncio.run(story())
    with Reader(store) as reader:
        [found] = manners(reader)
    assert (found.requests, found.early, found.delay, found.per_host) == (6, 0, 0.01, 16)
    said = told(store, url)
    assert said["settings"] == ["[hosts] delay = 0.01; robots = False"]
    assert said["robots"] == ["not asked ([hosts] robots = false)"]


def test_a_store_that_proves_a_broken_promise_says_so() -> None:
    assert not HostPoliteness("h", 2, 3, 1.0, 1.0, 0, 0.25, 2).kept
    assert not HostPoliteness("h", 2, 1, 0.1, 0.1, 1, 0.25, 2).kept
    assert HostPoliteness("h", 1, 1, None, None, 0, 0.25, 2).kept


def test_a_slow_host_is_asked_less_often_and_a_429_is_remembered_over_a_restart(
    tmp_path: Path,
) -> None:
    async def story() -> list[float]:
        async with PracticeSite(robots=False) as site:
            site.add_links("/start", ["/a", "/b", "/c"])
            for path in ("/a", "/b", "/c"):
                site.add_page(path, "x", status=429, headers={"Retry-After": "1000"})
            polite = {"delay": 0.01, "per_host": 1}
            spider = SiteSpider(site.at("/start"))
            settings = {"politeness": polite}
            async with Crawler(spider, store=tmp_path / "r.db", settings=settings) as crawler:
                retried = asyncio.Event()
                crawler.on_commit(lambda v, c: (crawler.stats.retries and retried.set()) or None)
                run = asyncio.create_task(crawler.run())
                await retried.wait()
                crawler.stop()
                await run
            async with Crawler(spider, store=tmp_path / "r.db", settings=settings) as crawler:
                again = asyncio.create_task(crawler.run())
                while not crawler.frontier.hosts:  # noqa: ASYNC110  # the frontier tells nobody
                    await asyncio.sleep(0)
                [host] = crawler.frontier.hosts.values()
                rest = host.ready_at - crawler.frontier.now()
                found = [host.pace.delay, host.pace.failures, rest]
                crawler.stop()
                await again
            assert site.count("/a") + site.count("/b") + site.count("/c") == 1
            return found

    delay, failures, rest = asyncio.run(story())
    assert delay >= 0.25 and failures == 1 and 900 < rest <= 1000
    [stored] = rows(tmp_path / "r.db", "SELECT delay FROM hosts")
    assert stored == delay


def test_one_url_is_explained_without_a_crawl(capsys: pytest.CaptureFixture[str]) -> None:
    async def story() -> str:
        async with PracticeSite() as site:
            for path in ("/odd/noindex/", "/odd/canonical/", "/odd/refresh/", "/odd/hreflang/"):
                code = await asyncio.to_thread(run, ["fetch", site.at(path), "--explain"])
                assert code == 0
            return capsys.readouterr().out

    out = asyncio.run(story())
    assert "robots   allowed" in out and "scope    in scope: host of" in out
    assert "page     asks that its links are not followed" in out
    assert "canonical http://" in out
    assert "refresh  leads to http://" in out and "(de)" in out
    assert "links to " in out and "followed" in out


def test_a_robots_txt_that_redirects_or_stands_in_for_one_is_heeded_without_a_crawl(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "own.txt"
    own.write_text("User-agent: *\nDisallow: /yes")

    async def story() -> str:
        async with PracticeSite(robots=False) as site:
            site.add_page("/robots.txt", "", status=301, headers={"Location": "/moved.txt"})
            site.add_page("/moved.txt", "User-agent: *\nDisallow: /no")
            site.add_page("/no", "x")
            site.add_page("/yes", "x")
            instead = f'politeness.robots_override={{"{site.url.rstrip("/")}"="{own}"}}'
            for path, more in (("/no", []), ("/no", [instead]), ("/yes", [instead])):
                command = ["fetch", site.at(path), "--explain"]
                command += [part for setting in more for part in ("--set", setting)]
                assert await asyncio.to_thread(run, command) == 0
            spider = SiteSpider(site.at("/yes"))
            polite = {"robots_override": {site.url: str(own)}}
            await crawled(spider, tmp_path / "o.db", politeness=polite)
            return site.at("/yes")

    url = asyncio.run(story())
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("robots ")]
    assert "denied" in said[0] and "line 2: Disallow: /no" in said[0]
    assert "allowed" in said[1] and "denied" in said[2] and "Disallow: /yes" in said[2]
    assert told(tmp_path / "o.db", url)["robots"] == [
        "denied by line 2: Disallow: /yes (politeness.robots_override)"
    ]


def test_a_long_way_is_told_by_its_ends(tmp_path: Path) -> None:
    async def story() -> str:
        async with PracticeSite(robots=False) as site:
            for number in range(30):
                site.add_links(f"/{number}", [f"/{number + 1}"])
            await crawled(SiteSpider(site.at("/0")), tmp_path / "l.db")
            return site.at("/29")

    url = asyncio.run(story())
    way = told(tmp_path / "l.db", url)["found on"]
    assert len(way) == 13 and way[0].endswith("/28 (depth 28)")
    assert way[10] == "… 17 pages between …" and way[-1].endswith("/0 (depth 0)")


def test_styles_that_would_take_too_long_are_counted(tmp_path: Path) -> None:
    store = tmp_path / "dear.db"
    dear = f"<style>div:has(p:has(b)) u{{display:none}}</style>{'<div><p>a</p>' * 1_500}<u>b</u>"

    async def story() -> None:
        async with PracticeSite(robots=False) as site:
            plain = "<style>u:has(b){display:none}</style><a href='/dear'>1</a>"
            for path, body in {"/": plain, "/dear": dear}.items():
                site.add_page(path, f"<!doctype html><title>T</title>{body}")
            await crawled(SiteSpider(site.url), store, store={"text": True})

    asyncio.run(story())
    assert counters(store) == {"styles_left_out": 1}


def test_what_a_page_in_xml_loses_is_counted_and_told(tmp_path: Path) -> None:
    store = tmp_path / "xml.db"
    head = "<html xmlns='http://www.w3.org/1999/xhtml'><head><title>T</title></head>"
    own = f"<!DOCTYPE html [<!ENTITY x '{'-' * 999}'>]>"

    async def story() -> str:
        async with PracticeSite(robots=False) as site:
            for path, body in {
                "/": f"{head}<body><a href='/large'>1</a><p>2 & 3</p></body></html>",
                "/large": f"{own}{head}<body>{'&x;' * 99}</body></html>",
            }.items():
                site.add_page(path, body, content_type="application/xhtml+xml")
            spider = SiteSpider(site.url)
            await crawled(spider, store)
            return site.url

    url = asyncio.run(story())
    assert counters(store) == {"xml_cut_off": 1, "xml_left_out": 1}
    assert rows(store, "SELECT count(*) FROM errors") == [0]
    said = "read up to its first error in XML: line 1, column"
    assert told(store, url)["error"][0].startswith(said)
    assert told(store, f"{url}large")["error"][0].startswith("read without its own entities")
