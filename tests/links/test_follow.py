"""Which links of a page are followed: settings, the page's own wishes, rules with all they know."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from following_story import counters, crawled, rows

from crawler import Rule, SiteSpider, Spider
from crawler.parse.meta_robots import directives
from crawler.practice import PracticeSite

DIRECTIVES = [
    ([], [], (False, False)),
    ([("robots", "index, follow")], [], (False, False)),
    ([("robots", "noindex")], [], (False, True)),
    ([("robots", "NOFOLLOW")], [], (True, False)),
    ([("robots", "none")], [], (True, True)),
    ([("robots", "noindex nofollow")], [], (True, True)),
    ([("robots", "noindex"), ("robots", "nofollow")], [], (True, True)),
    ([("keeper", "nofollow")], [], (True, False)),
    ([("otherbot", "nofollow")], [], (False, False)),
    ([("robots", "max-snippet:-1, nofollow")], [], (True, False)),
    ([], ["noindex"], (False, True)),
    ([], ["noindex, nofollow"], (True, True)),
    ([], ["otherbot: noindex, nofollow"], (False, False)),
    ([], ["otherbot: noindex", "nofollow"], (True, False)),
    ([], ["Keeper: nofollow"], (True, False)),
    ([], ["otherbot: noindex, keeper: nofollow"], (True, False)),
    ([], ["unavailable_after: 25 Jun 2010 15:00:00 PST, nofollow"], (True, False)),
    ([], ["max-snippet: 5, noindex"], (False, True)),
    ([], [": noindex"], (False, True)),
]


@pytest.mark.parametrize(("metas", "headers", "wanted"), DIRECTIVES)
def test_what_a_page_asks_of_robots_is_heard_where_it_is_meant_for_us(
    metas: list[tuple[str, str]], headers: list[str], wanted: tuple[bool, bool]
) -> None:
    assert directives(metas, headers, "keeper") == wanted


def follow(
    pages: dict[str, Any],
    store: Path,
    rules: tuple[Rule, ...] = (Rule(),),
    **settings: dict[str, Any],
) -> set[str]:
    """Crawl a small web from /start and give the paths that were asked for."""

    class Reader(Spider):
        name = "reader"

        def parse(self, page: Any) -> Any:
            return None

        special = parse

    async def story() -> set[str]:
        async with PracticeSite(robots=False) as site:
            for path, page in pages.items():
                headers = page[1] if isinstance(page, tuple) else {}
                site.add_page(path, page[0] if isinstance(page, tuple) else page, headers=headers)
            spider = Reader()
            spider.start_urls = [site.at("/start")]
            spider.rules = rules
            await crawled(spider, store, **settings)
            return {hit.target for hit in site.hits} - {"/robots.txt", "/start"}

    return asyncio.run(story())


LINKS = (
    '<div id=menu><a href="/menu">Menu</a></div><main><a href="/one">One</a>'
    '<a href="/two" rel=nofollow>Two</a><a href="/three">Next page</a></main>'
    '<iframe src="/frame"></iframe><img src="/image"><b data-href="/data"></b>'
    '<map><area href="/area"></map><link rel=stylesheet href="/style">'
)
ALL = {"/menu", "/one", "/two", "/three", "/area"}

RULES = [
    ((Rule(),), {}, ALL),
    ((Rule(restrict_css="main"),), {}, {"/one", "/two", "/three"}),
    ((Rule(restrict_css=["#menu", "map"]),), {}, {"/menu", "/area"}),
    ((Rule(restrict_text="Next"),), {}, {"/three"}),
    ((Rule(restrict_text=["^One$", "^Two$"]),), {}, {"/one", "/two"}),
    ((Rule(tags="iframe"),), {}, {"/frame"}),
    ((Rule(tags=["img", "iframe"]),), {}, {"/frame", "/image"}),
    ((Rule(tags="b", attrs="data-href"),), {}, {"/data"}),
    ((Rule(tags="img"), Rule(allow="two|one", deny="two")), {}, {"/image", "/one"}),
    ((Rule(allow="three", follow=False), Rule(restrict_css="main")), {}, {"/one", "/two"}),
    ((Rule(allow="one", transform=lambda url: url.replace("three", "one-of-three")),), {},
     {"/one", "/one-of-three"}),
    ((Rule(transform=lambda url: None),), {}, set()),
    ((Rule(transform=lambda url: url.rpartition("/")[2] + "?x"),), {},
     {"/menu?x", "/one?x", "/two?x", "/three?x", "/area?x"}),
    ((Rule(),), {"nofollow": True}, ALL - {"/two"}),
    ((Rule(),), {"tags": ["area", "link"]}, {"/area", "/style"}),
    ((Rule(),), {"tags": ["b"], "attributes": ["data-href"]}, {"/data"}),
    ((Rule(),), {"canonicalize": ["tests.links.test_follow:shout"]},
     {name.upper() for name in ALL}),
]  # fmt: skip


def shout(url: str) -> str | None:
    host, slash, path = url.rpartition("/")
    return host + slash + path.upper()


@pytest.mark.parametrize(("rules", "links", "wanted"), RULES)
def test_a_rule_takes_the_links_it_names(
    tmp_path: Path, rules: tuple[Rule, ...], links: dict[str, Any], wanted: set[str]
) -> None:
    assert follow({"/start": LINKS}, tmp_path / "r.db", rules, links=links) == wanted


def test_controls_before_a_query_are_no_part_of_a_link(tmp_path: Path) -> None:
    """What a URL begins with is stripped before it is parsed (URL standard, 4.4)."""
    assert follow({"/start": '<a href="\x01?a=1"></a>'}, tmp_path / "c.db") == {"/start?a=1"}


def test_a_link_that_one_page_is_not_to_follow_may_be_followed_from_another(
    tmp_path: Path,
) -> None:
    pages = {"/start": '<a href="/x" rel=nofollow></a><a href="/other"></a>',
             "/other": '<a href="/x">'}  # fmt: skip
    assert follow(pages, tmp_path / "n.db", links={"nofollow": True}) == {"/x", "/other"}
    assert counters(tmp_path / "n.db") == {"nofollow": 1}


def test_the_callback_and_priority_of_a_rule_go_with_its_links(tmp_path: Path) -> None:
    rules = (Rule(restrict_text="Two", callback="special", priority=5), Rule())
    follow({"/start": LINKS, "/two": "x"}, tmp_path / "c.db", rules)
    sql = "SELECT url FROM pages WHERE callback = 'special'"
    [url] = rows(tmp_path / "c.db", sql)
    assert url.endswith("/two")


@pytest.mark.parametrize("heeded", [True, False])
@pytest.mark.parametrize(
    "page",
    [
        '<meta name=robots content="noindex,nofollow"><a href="/below"></a>',
        '<meta name=crawlkeep content="none"><a href="/below"></a>',
        ('<a href="/below"></a>', {"X-Robots-Tag": "crawlkeep: nofollow"}),
    ],
)
def test_the_links_of_a_page_that_asks_for_it_are_not_followed(
    tmp_path: Path, page: Any, heeded: bool
) -> None:
    found = follow({"/start": page}, tmp_path / "m.db", links={"robots_meta": heeded})
    assert found == (set() if heeded else {"/below"})
    assert counters(tmp_path / "m.db") == ({"page_nofollow": 1} if heeded else {})


def test_a_page_that_is_not_to_be_indexed_is_kept_unless_told_otherwise(tmp_path: Path) -> None:
    page = {"/start": '<meta name=robots content=noindex><a href="/below"></a>', "/below": "x"}
    assert follow(page, tmp_path / "keep.db") == {"/below"}
    assert follow(page, tmp_path / "skip.db", links={"noindex": "skip"}) == {"/below"}
    sql = "SELECT outcome, count(body) FROM pages LEFT JOIN bodies USING (page_id) GROUP BY outcome"
    assert rows(tmp_path / "keep.db", sql) == [("ok", 2)]
    assert rows(tmp_path / "skip.db", sql) == [("noindex", 0), ("ok", 1)]


REFRESHES = [
    ("<meta http-equiv=refresh content='0; url=/to'>", {}, {"/to"}),
    ("<META HTTP-EQUIV='Refresh' CONTENT='5;/to'>", {}, {"/to"}),
    (("", {"Refresh": "0; url=/to"}), {}, {"/to"}),
    ("<noscript><meta http-equiv=refresh content='0;/to'></noscript>", {}, set()),
    ("<meta http-equiv=refresh content='300'>", {}, set()),
    ("<meta http-equiv=refresh content='61;/to'>", {}, set()),
    ("<meta http-equiv=refresh content='61;/to'>", {"refresh_delay": 100}, {"/to"}),
    ("<meta http-equiv=refresh content='0;/to'>", {"refresh": False}, set()),
    ("<!-- <meta http-equiv=refresh content='0;/to'> -->", {}, set()),
]


@pytest.mark.parametrize(("page", "links", "wanted"), REFRESHES)
def test_a_refresh_is_followed_like_a_redirect(
    tmp_path: Path, page: Any, links: dict[str, Any], wanted: set[str]
) -> None:
    store = tmp_path / "f.db"
    assert follow({"/start": page, "/to": "x"}, store, rules=(), links=links) == wanted
    where = rows(store, "SELECT redirect_to FROM pages WHERE url LIKE '%/start'")
    assert [url.rpartition("/")[2] for url in where if url] == (["to"] if wanted else [])


def test_refreshes_without_an_end_end(tmp_path: Path) -> None:
    pages = {f"/{n}": f"<meta http-equiv=refresh content='0;/{n + 1}'>" for n in range(50)}
    pages["/start"] = "<meta http-equiv=refresh content='0;/0'>"
    assert len(follow(pages, tmp_path / "e.db")) == 10
    assert counters(tmp_path / "e.db") == {"too_many_refreshes": 1}


@pytest.mark.parametrize(
    ("choice", "asked", "noted"),
    [("ignore", set(), 0), ("mark", set(), 1), ("follow", {"/proper"}, 1)],
)
def test_a_canonical_url_is_ignored_noted_or_followed(
    tmp_path: Path, choice: str, asked: set[str], noted: int
) -> None:
    pages = {"/start": '<link rel=canonical href="/proper">',
             "/proper": '<link rel=canonical href="/proper">'}  # fmt: skip
    assert follow(pages, tmp_path / "k.db", links={"canonical": choice}) == asked
    found = rows(tmp_path / "k.db", "SELECT canonical FROM pages WHERE canonical IS NOT NULL")
    assert [url.rpartition("/")[2] for url in found] == ["proper"] * noted


def test_session_ids_and_orders_of_a_query_can_be_taken_out_of_links(tmp_path: Path) -> None:
    page = "".join(
        f'<a href="/x?{query}"></a>'
        for query in ("a=1&b=2", "b=2&a=1", "b=2&PHPSESSID=0123456789abcdef&a=1&utm_source=x")
    )
    steps = ["drop_session_ids", "drop_tracking", "sort_query"]
    found = follow({"/start": page}, tmp_path / "s.db", links={"canonicalize": steps})
    assert found == {"/x?a=1&b=2"}


def test_the_links_of_a_page_in_another_encoding_are_asked_for_in_it(tmp_path: Path) -> None:
    page = ('<a href="/x?q=ä">', {"Content-Type": "text/html; charset=iso-8859-1"})
    pages = {"/start": (page[0].encode("latin-1"), page[1])}
    assert follow(pages, tmp_path / "l.db") == {"/x?q=%E4"}


NO_REST = {"adaptive": False, "max_retry_after": 0.01}  # after the errors that the site plays


def test_the_practice_site_is_crawled_whole_with_every_kind_of_link(tmp_path: Path) -> None:
    async def story() -> set[str]:
        async with PracticeSite() as site:
            spider = SiteSpider(site.at("/odd/"))
            links = {"tags": ["a", "area", "iframe"], "nofollow": True}
            settings = {"politeness": NO_REST, "fetch": {"retry_delay": 0.01}}
            settings |= {"links": links, "engine": {"max_depth": 2}}
            await crawled(spider, tmp_path / "p.db", **settings)
            return {hit.path for hit in site.hits}

    asked = asyncio.run(story())
    assert {"/odd/behind/frame/", "/odd/behind/area/", "/odd/refreshed/"} <= asked
    assert not {"/odd/behind/rel/", "/odd/behind/nofollow/"} & asked


@pytest.mark.parametrize(
    ("patterns", "url", "takes"),
    [
        ([r"(?i)\.pdf$"], "http://h/A.PDF", True),
        ([r"(?i)\.pdf$", "x"], "http://h/A.PDF", True),
        (["x", r"(?i)\.pdf$"], "http://h/X", False),
        ([r"/(?P<id>\d+)$", r"/p/(?P<id>[a-z]+)$"], "http://h/p/a", True),
        ([r"/(a)\1", r"/(b)\1"], "http://h/bb", True),
        ([r"/(a)\1", r"/(b)\1"], "http://h/ba", False),
    ],
)
def test_patterns_of_a_rule_are_each_what_re_makes_of_them(
    patterns: list[str], url: str, takes: bool
) -> None:
    assert Rule(allow=patterns).takes(url) is takes
    assert Rule(deny=patterns).takes(url) is not takes
