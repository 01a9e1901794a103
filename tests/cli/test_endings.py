"""How a run ends is told: what was left out and why, and what goes on with it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_story import Command, Desk, ServedSite
from msgspec.structs import replace

from crawler import Spider
from crawler.cli.argument_values import typed
from crawler.cli.ending import story
from crawler.cli.runner import RunOptions, _tell
from crawler.engine.summary import Summary
from crawler.errors import SpiderError

FAST = ("--set", "politeness.delay=0", "--set", "fetch.retries=0")


@pytest.fixture(scope="module")
def site() -> Iterator[ServedSite]:
    with ServedSite() as served:
        served.site.add_page("/e/", '<a href="/e/a">a</a>')
        served.site.add_page("/e/a", '<a href="/e/b">b</a>')
        served.site.add_page("/e/b", "the last")
        shut = '<meta name=robots content="nofollow"><a href="/e/a">a</a>'
        served.site.add_page("/e/shut", shut)
        served.site.add_page("/e/away", '<a href="http://elsewhere.example/">x</a>')
        yield served


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def told(done: Command, *words: str) -> str:
    """Check that a command said all of these words, and no traceback."""
    text = done.out + done.err
    assert [word for word in words if word not in text] == [], text
    assert "Traceback" not in text
    return text


def test_a_raised_depth_goes_on_with_what_was_too_deep(desk: Desk, site: ServedSite) -> None:
    crawl = ("crawl", f"{site.url}e/", "--scope", "prefix", *FAST, "--depth")
    first = desk.run(*crawl, "0")
    told(first, "finished: 1 page", "1 too_deep", "a higher --depth goes on")
    again = desk.run(*crawl, "0")
    told(again, "nothing is left to do", "Not taken: 1 too_deep", "--depth", "--fresh")
    deeper = desk.run(*crawl, "5")
    told(deeper, "engine.max_depth takes more than before", "(3 with earlier runs)")
    assert (first.code, again.code, deeper.code) == (0, 0, 0)


def test_with_json_the_way_on_of_a_finished_crawl_is_told_beside_it(
    desk: Desk, site: ServedSite
) -> None:
    crawl = ("crawl", f"{site.url}e/b", "--json", *FAST)
    desk.run(*crawl)
    again = desk.run(*crawl)
    assert again.summary["reason"] == "nothing_to_do"
    assert "nothing is left to do" in again.err and "--fresh" in again.err
    assert not desk.run(*crawl, "-q").err


def test_a_finished_crawl_without_a_page_has_none_to_visit_or_look_at(desk: Desk) -> None:
    crawl = ("crawl", "http://127.0.0.1:1/", *FAST)
    desk.run(*crawl)
    text = told(desk.run(*crawl), "with 0 pages", "crawler retry", "To start over")
    assert "recrawl" not in text and "SELECT" not in text


def test_a_coroutine_that_nobody_awaits_is_told_in_a_line_of_the_log(
    desk: Desk, site: ServedSite
) -> None:
    source = f"""
from crawler import Spider
class Late(Spider):
    name = "late"
    start_urls = ["{site.url}e/b"]
    async def load(self):
        return 1
    def parse(self, page):
        loads = [self.load]
        loads[0]()
"""
    (desk.folder / "spiders" / "late.py").write_text(source)
    done = desk.process("run", "late", *FAST)
    [line] = [line for line in done.err.splitlines() if "never awaited" in line]
    assert "spiders/late.py:10: " in line and "'Late.load'" in line and "`await` missing" in line
    assert "tracemalloc" not in done.err


def test_what_is_typed_in_no_encoding_is_told_with_the_way_out(desk: Desk) -> None:
    done = desk.run("query", "SELECT 1 AS \udce5", "--store", "none")
    assert done.code == 2 and "Traceback" not in done.err
    desk.run("crawl", "http://127.0.0.1:1/", "--store", "none", *FAST)
    done = desk.run("query", "SELECT 1 AS \udce5", "--store", "none")
    assert done.code == 2 and "PYTHONUTF8=1" in done.err


def test_raised_max_pages_go_on_with_the_queue(desk: Desk, site: ServedSite) -> None:
    crawl = ("crawl", f"{site.url}e/", "--scope", "prefix", *FAST, "--max-pages")
    told(desk.run(*crawl, "1"), "max_pages: 1 page", "1 still queued; a higher --max-pages")
    told(desk.run(*crawl, "9"), "finished: 2 pages (3 with earlier runs)")


def test_a_site_whose_robots_txt_denies_all_is_told_so_each_time(desk: Desk) -> None:
    with ServedSite() as shut:
        shut.site.add_page("/robots.txt", "User-agent: *\nDisallow: /")
        crawl = ("crawl", f"{shut.url}", *FAST)
        first, again = desk.run(*crawl), desk.run(*crawl)
    for done in (first, again):
        text = told(done, "1 robots_denied: robots.txt denies", "crawler why URL", "--fresh")
        assert "crawler retry" not in text  # there is nothing that it would queue


def test_a_dry_run_tells_what_robots_txt_denies(desk: Desk) -> None:
    with ServedSite() as partly:
        partly.site.add_page("/robots.txt", "User-agent: *\nDisallow: /no")
        partly.site.add_page("/", '<a href="/no/1">1</a><a href="/yes">2</a>')
        told(desk.run("crawl", "--dry-run", partly.url), "links: 1 robots_denied, 1 follow")
        denied = desk.run("crawl", "--dry-run", f"{partly.url}no/1")
        told(denied, "no page: robots.txt denies", "line 2: Disallow: /no")
        assert denied.code == 3
        partly.site.add_page("/", '<a href="http://b.test/1">1</a><a href="http://b.test/2">2</a>')
        away = desk.run("crawl", "--dry-run", partly.url, "--scope", "any")
        told(away, "links: 2 follow", "robots.txt of 1 other host: read by the crawl alone")


def test_a_robots_txt_that_cannot_be_had_is_told_once() -> None:
    outcomes, why = {"robots_unreachable": 1}, {"robots_unreachable": "no answer"}
    ended = Summary("s", "s.db", "finished", "finished", 0, 0, 0, 1, 0, 0, 0.1, False, outcomes)
    said = story(replace(ended, reasons=why))
    assert said.count("no answer") == said.count("crawler retry") == 1
    assert "No page was stored" in said
    both = replace(ended, outcomes={**outcomes, "timeout": 1}, reasons={**why, "timeout": "late"})
    assert "timeout: late\n1 request failed; to try again: crawler retry" in story(both)


def test_what_failed_beside_pages_is_told_with_how_it_is_tried_again() -> None:
    outcomes = {"ok": 3, "not_found": 2, "host_given_up": 4, "timeout": 1, "spider_error": 1}
    ended = Summary("s", "s.db", "finished", "finished", 3, 3, 0, 8, 0, 0, 0.1, False, outcomes)
    assert "\n5 requests failed; to try again: crawler retry --store s.db, then: " in story(ended)
    fine = replace(ended, outcomes={"ok": 3, "not_found": 2})
    assert "crawler retry" not in story(fine)


def test_a_run_that_ended_by_max_items_tells_a_command_that_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = Summary("s", "s.db", "stopped", "max_items", 1, 1, 5, 0, 0, 3, 0.1, False, {})
    monkeypatch.setattr("sys.argv", ["crawler", "run", "s", "--set", "engine.max_items=5"])
    assert "goes on: crawler run s --set engine.max_items=10" in story(ended)
    monkeypatch.setattr("sys.argv", ["crawler", "run", "s"])  # the bound is the spider's own
    assert story(ended).endswith("3 still queued; a higher engine.max_items goes on.")


def test_a_page_that_leads_nowhere_says_what_kept_its_links_out(
    desk: Desk, site: ServedSite
) -> None:
    names = ("shut", "away")
    commands = [["crawl", f"{site.url}e/{name}", "--store", f"{name}.db"] for name in names]
    shut, away = desk.run_all([[*command, *FAST] for command in commands])
    told(shut, "1 page_nofollow", "links.robots_meta = false follows them")
    told(away, "1 out_of_scope", "all that were met, lead out of scope", "engine.scope=domain")


def test_start_urls_that_failed_are_tried_again_by_retry(desk: Desk, site: ServedSite) -> None:
    crawl = ("crawl", f"{site.url}e/gone", "--store", "gone.db", *FAST)
    first, again = desk.run_all([[*crawl], [*crawl]])
    told(first, "not_found", "crawler retry --store gone.db", "No page was stored")
    told(again, "1 request failed: 1 not_found", "crawler retry --store gone.db")
    assert (first.code, again.code) == (3, 3)
    site.site.add_page("/e/gone", "here it is")
    where = ["--where", "outcome = 'not_found'"]
    _, done = desk.run_all([["retry", "--store", "gone.db", *where], [*crawl]])
    told(done, "finished: 1 page")


SPIDER = """
from crawler import Spider
class Named(Spider):
    name = "named"
    start_urls = ["{url}e/"]
    def parse(self, page):
        yield {{"url": page.url{more}}}
"""


def test_code_that_changed_since_names_reparse(desk: Desk, site: ServedSite) -> None:
    file = desk.folder / "spiders" / "named.py"
    file.write_text(SPIDER.format(url=site.url, more=""))
    first, again = desk.run_all([["run", "named", *FAST]] * 2)
    told(first, "finished: 1 page, 1 item")
    assert "changed" not in told(again, "nothing is left to do")
    file.write_text(SPIDER.format(url=site.url, more=', "title": page.title'))
    told(desk.run("run", "named", *FAST), "changed since the last run", "crawler reparse named")


def test_a_file_outside_of_spiders_is_named_by_the_commands_that_are_told(
    desk: Desk, site: ServedSite
) -> None:
    (desk.folder / "alone.py").write_text(
        "from crawler import Spider\nclass A(Spider):\n    name = 'lonely'\n"
        f"    start_urls = ['{site.url}e/']\n    def parse(self, page):\n        {{}}[page.url]\n"
    )
    first, again = desk.run_all([["run", "./alone.py", *FAST]] * 2)
    told(first, "crawler reparse ./alone.py --store data/lonely.db --apply")
    told(again, "crawler recrawl ./alone.py --store data/lonely.db")
    parsed = desk.run("reparse", "./alone.py", "--store", "data/lonely.db")
    told(parsed, "1 page failed", "alone.py:6: KeyError")
    assert (first.code, parsed.code) == (1, 1)


SEEDS = """
from crawler import Request, Spider
class Seeds(Spider):
    name = "seeds"
    def start(self):
        for part in ("a", "b", "a"):
            yield Request("{url}e/" + part)
        {more}
    def parse(self, page):
        yield {{"url": page.url}}
"""


def test_start_requests_given_twice_are_told_and_those_of_a_resumed_run_are_not(
    desk: Desk, site: ServedSite
) -> None:
    file = desk.folder / "spiders" / "seeds.py"
    stops = SEEDS.format(url=site.url, more='raise StopCrawl("enough")')
    file.write_text(stops.replace("import", "import StopCrawl,"))
    told(desk.run("run", "seeds", *FAST), "enough: 0 pages", "once start() raises no StopCrawl")
    file.write_text(SEEDS.format(url=site.url, more="self.parse(None)"))
    assert desk.run("run", "seeds", "--fresh").code == 2  # and the store is still there
    file.write_text(SEEDS.format(url=site.url, more='raise ValueError("no more")'))
    broken = desk.run("run", "seeds", *FAST)
    assert broken.code == 1
    told(broken, "crawler: spiders/seeds.py:8: ValueError: no more")
    file.write_text(SEEDS.format(url=site.url, more="").replace(', "a")', ")"))
    text = told(desk.run("run", "seeds", *FAST), "finished: 2 pages")
    assert "duplicate" not in text
    file.write_text(SEEDS.format(url=site.url, more=""))
    twice = told(desk.run("run", "seeds", "--fresh", *FAST), "1 duplicate_request")
    assert "dont_filter=True" in twice


@pytest.mark.parametrize(
    ("options", "said"), [({"quiet": True}, False), ({"as_json": True}, True), ({}, True)]
)
def test_an_interrupted_run_says_how_it_goes_on_unless_quiet(
    capsys: pytest.CaptureFixture[str], options: dict[str, bool], said: bool
) -> None:
    figures = dict.fromkeys(
        ("pages", "total_pages", "items", "errors", "retries", "queued", "seconds"), 1
    )
    summary = Summary("s", "s.db", "interrupted", "interrupted", **figures, resumed=False)  # type: ignore[arg-type]
    _tell(Spider(), summary, RunOptions(Path("s.db"), **options))  # type: ignore[arg-type]
    printed = capsys.readouterr()
    assert ("Resume with: crawler" in printed.out + printed.err) == said
    assert said or not printed.out + printed.err


# ---------------------------------------------------------------- -a


class Kinds(Spider):
    pages: int = 1
    ratio = 0.5
    deep = False
    tags: list[str] = []  # noqa: RUF012
    numbers: tuple[int, ...] = ()
    limit: int | None = None
    plain = "x"

    def __init__(self, near: float = 1.0, **more: Any) -> None:
        super().__init__(**more)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("pages", "7", 7),
        ("ratio", " 2.5", 2.5),
        ("deep", "Yes", True),
        ("deep", "0", False),
        ("tags", "a, b", ["a", "b"]),
        ("tags", '["a,b", "c"]', ["a,b", "c"]),
        ("tags", "", []),
        ("numbers", "1,2", (1, 2)),
        ("limit", "3", 3),
        ("plain", "007", "007"),
        ("near", "3", 3.0),
        ("unknown", "5", "5"),
        ("start_urls", "http://a.example/x,y", ["http://a.example/x,y"]),
        ("start_urls", "http://a.example/, http://b/", ["http://a.example/", "http://b/"]),
    ],
)
def test_an_argument_has_the_type_that_the_spider_declares(
    name: str, text: str, value: object
) -> None:
    found = typed(Kinds, name, text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("pages", "many", ["pages is int", "pages=3"]),
        ("ratio", "half", ["ratio is float", "1.5"]),
        ("deep", "maybe", ["deep is bool", "true or false"]),
        ("numbers", "1,two", ["numbers=1,two", "a list of int", "'two'", "numbers=3,3"]),
        ("tags", "[1", ["no list in JSON"]),
    ],
)
def test_an_argument_of_another_type_is_refused_with_an_example(
    name: str, text: str, words: list[str]
) -> None:
    with pytest.raises(SpiderError) as refused:
        typed(Kinds, name, text)
    assert [word for word in words if word not in str(refused.value)] == []


def test_a_finished_crawl_tells_start_urls_that_it_never_met(desk: Desk, site: ServedSite) -> None:
    file = desk.folder / "spiders" / "grows.py"
    spider = (
        "from crawler import Spider\nclass A(Spider):\n    name = 'grows'\n    start_urls = {}\n"
    )
    file.write_text(spider.format([f"{site.url}e/b"]))
    desk.run("run", "grows", *FAST)
    file.write_text(spider.format([f"{site.url}e/b", f"{site.url}e/a"]))
    added = f"crawler add {site.url}e/a --store"
    told(desk.run("run", "grows", *FAST), "1 start URL, which it never met", added)
