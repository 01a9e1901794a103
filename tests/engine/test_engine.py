"""The straight line: short enough for a screen, one place for errors, nothing wired later."""

import ast
import inspect
from pathlib import Path

import pytest
from crawl_story import crawl, read, story

from crawler import SiteSpider
from crawler.cli.probe import look
from crawler.config.layers import load
from crawler.engine.engine import Engine
from crawler.http.cookies import CookieJars
from crawler.practice import PracticeSite
from crawler.robots import Policy, in_force
from crawler.web.refusal import Refusal

PACKAGE = Path(__file__).parents[2] / "crawler"


def test_the_life_of_a_url_fits_on_one_screen() -> None:
    lines = [len(inspect.getsourcelines(f)[0]) for f in (Engine.visit, Engine.crawl_one)]
    assert sum(lines) < 60


def test_one_broad_except_stands_in_the_engine() -> None:
    found = [
        file.name
        for file in (PACKAGE / "engine").glob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in ("Exception", "BaseException"))
        and not any(isinstance(part, ast.Raise) for part in ast.walk(node))
    ]
    assert found == ["engine.py"]


def test_no_part_of_a_run_is_filled_in_from_outside_after_it_was_made() -> None:
    """`crawler.engine` makes parts and hands them on; it sets attributes of its own objects only.

    The spider is the user's: its `cookies` and its `crawl` are there while a run goes on.
    """
    found = {
        f"{file.name}: {ast.unparse(target)}"
        for file in (PACKAGE / "engine").glob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign)
        for whole in (node.targets if isinstance(node, ast.Assign) else [node.target])
        for target in (whole.elts if isinstance(whole, ast.Tuple) else [whole])
        if isinstance(target, ast.Attribute)
        and ast.unparse(target.value) not in ("self", "self._batch", "visit", "batch")
    }
    counts = {
        "assembly.py: crawl.frontier.seeding",
        "assembly.py: crawl.spider.cookies",
        "committer.py: frontier.pending",
        "crawler.py: self.frontier.pending",
        "crawler.py: self.frontier.seeding",
        "crawler.py: self.spider.start_urls",
        "shared_committer.py: frontier.over",
        "shared_committer.py: frontier.pending",
        "shared_committer.py: self._leased.let_go",
        "shared_committer.py: self._leased.spent",
        "spider_calls.py: spider._running",
        "steering.py: committer._batch.seeds",
        "steering.py: committer._unloaded",
    }
    assert found == counts


@pytest.mark.parametrize(
    ("status", "policy"),
    [
        (200, Policy.RULES),
        (203, Policy.RULES),
        (302, Policy.ALLOW),
        (304, Policy.ALLOW),
        (401, Policy.ALLOW),
        (404, Policy.ALLOW),
        (410, Policy.ALLOW),
        (429, Policy.DENY),
        (500, Policy.DENY),
        (503, Policy.DENY),
        (999, Policy.DENY),
        (None, Policy.DENY),
    ],
)
def test_each_status_of_a_robots_txt_has_one_policy(status: int | None, policy: Policy) -> None:
    rules = in_force(status, b"User-agent: *\nDisallow: /")
    if policy is Policy.DENY:
        assert rules is None
    else:
        assert rules is not None
        assert rules.allows("http://a.example/x", "any") == (policy is Policy.ALLOW)


@pytest.mark.parametrize("status", [200, 401, 404, 429, 500, 503])
def test_a_crawl_and_fetch_make_the_same_of_a_robots_txt(status: int, tmp_path: Path) -> None:
    @story()
    async def told(site: PracticeSite, path: Path) -> None:
        site.add_page("/page", "<title>Page</title>")
        site.add_page("/robots.txt", "User-agent: *\nDisallow: /page", status=status)
        settings = {"fetch__retries": 0, "politeness__robots": True}
        await crawl(SiteSpider(site.at("/page")), path / "a.db", **settings)
        [outcome] = read(path / "a.db", "SELECT outcome FROM pages")
        looked = await look(site.at("/page"), load(None))
        assert looked.hops[0].allowed == (outcome == "ok")

    told(tmp_path=tmp_path)


def test_what_the_jars_refuse_is_told_to_the_committer_once() -> None:
    jars = CookieJars()
    jars.refuse(Refusal.COOKIE_EMPTY)
    jars.refuse(Refusal.COOKIE_EMPTY)
    assert jars.take_refusals() == {Refusal.COOKIE_EMPTY: 2}
    assert not jars.take_refusals()
    jars.refuse(Refusal.COOKIE_EMPTY)
    assert jars.take_refusals() == {Refusal.COOKIE_EMPTY: 1}
