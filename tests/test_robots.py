"""robots.txt: groups, rules, escapes, the line that decides, and files that are none."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.robots import LIMIT, Robots

SITE = "https://example.com"


def verdict(robots: bytes, path: str, agent: str = "Keeper") -> bool:
    return Robots.parse(robots).allows(SITE + path, agent)


# RFC 9309 section 5.1, with its merged groups and its two agents.
EXAMPLE = b"""\
User-Agent: *
Disallow: *.gif$
Disallow: /example/
Allow: /publications/

User-Agent: foobot
Disallow:/
Allow:/example/page.html
Allow:/example/allowed.gif

User-Agent: barbot
User-Agent: bazbot
Disallow: /example/page.html

User-Agent: quxbot
"""
BY_AGENT = [
    ("anybot", "/a.gif", False), ("anybot", "/a.gif?x", True), ("anybot", "/example/", False),
    ("anybot", "/publications/x", True), ("foobot", "/", False),
    ("foobot", "/example/page.html", True), ("FooBot/2.1 (+https://x)", "/a", False),
    ("foobot-news", "/publications/", True), ("foobot-news", "/example/", False),
    ("bazbot", "/example/page.html", False), ("barbot", "/a.gif", True),
    ("quxbot", "/example/", True), ("", "/example/", False), ("*", "/example/", False),
]  # fmt: skip


@pytest.mark.parametrize(("agent", "path", "want"), BY_AGENT)
def test_an_agent_obeys_its_own_group_or_else_the_one_of_all(agent, path, want):
    assert verdict(EXAMPLE, path, agent) is want


BY_PATTERN = [  # pattern, path, whether the pattern matches
    ("/fish", "/fish.html", True), ("/fish", "/Fish", False), ("/fish", "/catfish", False),
    ("/fish/", "/fish", False), ("fish", "/fish", False), ("", "/", False), ("*", "/x", True),
    ("/*.php", "/a/b.php?x", True), ("/*.php$", "/b.php?x", False), ("/*.php$", "/b.php", True),
    ("/a$", "/a", True), ("/a$", "/a/", False), ("/a$b", "/a$b", True), ("/a$b", "/a", False),
    ("/a*b*c$", "/abXc", True), ("/a*b*c$", "/abXcd", False), ("/ab*ba$", "/aba", False),
    ("/***a", "/xa", True), ("/*$", "/x", True), ("/a**$", "/ab", True), ("$", "/", False),
    ("/a#b", "/a", True), ("/a b", "/a%20b", True), ("/?q", "/?q=1", True),
    ("/;x", "/;x", True), ("/a%2A", "/a*", True), ("/a%24", "/a$", True), ("/a%2a", "/ab", False),
    # RFC 9309 section 2.2.2, the table of escapes
    ("/foo/bar?baz=quz", "/foo/bar?baz=quz", True),
    ("/foo/bar?baz=http%3A%2F%2Ffoo.bar", "/foo/bar?baz=http%3a%2f%2ffoo.bar", True),
    ("/foo/bar?baz=http%3A%2F%2Ffoo.bar", "/foo/bar?baz=http://foo.bar", False),
    ("/foo/bar/\u30c4", "/foo/bar/%E3%83%84", True), ("/foo/%e3%83%84", "/foo/\u30c4", True),
    ("/foo/bar/%62%61%7A", "/foo/bar/baz", True), ("/baz", "/b%61z", True),
    ("/a<b", "/a%3cb", True), ("/%a%", "/%a%a", True), ("/%", "/%25", True),
    ("/100%", "/100%", True),
    ("/\u00e0", "/%C3%A0", True),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "path", "matches"), BY_PATTERN)
def test_a_pattern_matches_from_the_start_of_the_path(pattern, path, matches):
    robots = f"User-agent: *\nDisallow: {pattern}\n".encode()
    assert verdict(robots, path) is not matches


BY_RANK = [
    ("Allow: /p\nDisallow: /", "/page", True), ("Disallow: /\nAllow: /p", "/page", True),
    ("Allow: /folder\nDisallow: /folder", "/folder/x", True),
    ("Disallow: /folder\nAllow: /folder", "/folder/x", True),
    ("Allow: /page\nDisallow: /*.htm", "/page.htm", False),
    ("Allow: /page\nDisallow: /*.ph", "/page.php5", True),
    ("Allow: /$\nDisallow: /", "/", True), ("Allow: /$\nDisallow: /", "/x", False),
    ("Disallow: /a\nAllow: /a/b\nDisallow: /a/b/c\nAllow: /a/b/c/d", "/a/b/c/d/e", True),
    ("Disallow: /a\nAllow: /a/b\nDisallow: /a/b/c\nAllow: /a/b/c/d", "/a/b/c/cd", False),
    ("Disallow: /a\nAllow: /a/b\nDisallow: /a/b/c\nAllow: /a/b/c/d", "/a/b/z", True),
    ("Disallow: /a\nAllow: /a/b\nDisallow: /a/b/c\nAllow: /a/b/c/d", "/a/z", False),
    ("Disallow: /", "/robots.txt", True), ("Disallow: /", "/robots.txt?x", False),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "path", "want"), BY_RANK)
def test_the_longest_match_decides_and_a_tie_allows(rules, path, want):
    assert verdict(b"User-agent: *\n" + rules.encode(), path) is want


BY_LINE = [  # a file in which Keeper may not fetch /x and may fetch /y
    b"\xef\xbb\xbfUser-agent: Keeper\nDisallow: /x",
    b"User-agent: Keeper\rDisallow: /x\r",
    b"User-agent: Keeper\r\n\r\nDisallow: /x\r\n",
    b"  USER-AGENT :\tkeeper  # us\n # note\n  disallow\t:  /x  # why",
    b"User-agent: Keeper/1.0\nDisallow: /x",
    b"User-agent: Keeper\nUnknown: 1\nSitemap: /s\nCrawl-delay: 1\nUser-agent: b\nDisallow: /x",
    b"User-agent: b\nDisallow: /y\nUser-agent: keeper\nDisallow: /x",
    b"User-agent: keeper\nAllow: /y\n\nUser-agent: *\nDisallow: /y\n\nUser-agent: KEEPER\n"
    b"Disallow: /x",
    b"no colon\n:::\nUser-agent: *\n\0\xff\n: x\nDisallow: /x",
    b"Disallow: /y\nUser-agent: *\nDisallow: /x\nDisallow all of /y\n",
    b"User-agent: *\nDisalow: /x\n",
    b"User-agent:\nDisallow: /y\nUser-agent: *\nDisallow: /x\n",
    b"User-agent: *\nDisallow: /x\0",
    "\ufeffUser-agent: *\nDisallow: /x\n".encode("utf-16-le"),
]


@pytest.mark.parametrize("body", BY_LINE)
def test_lines_are_read_as_they_are_written_in_the_wild(body):
    assert not verdict(body, "/x")
    assert verdict(body, "/y")


@pytest.mark.parametrize(
    "body", [b"", b"\0\0", b"<!DOCTYPE html>\n<p>Not: found", b"\xff\xfe", b"#"]
)
def test_what_is_no_robots_txt_allows(body):
    assert verdict(body, "/")
    assert Robots.parse(body).crawl_delay("Keeper") is None


def test_what_lies_beyond_the_limit_is_not_read_and_a_cut_line_neither():
    head = b"User-agent: *\nDisallow: /x\n#"
    cut = b"\nDisallow: /y/z"
    body = head + b"#" * (LIMIT - len(head) - len(cut) + 2) + cut + b"\nDisallow: /z\n"
    assert not verdict(body, "/x")
    assert verdict(body, "/y/")
    assert verdict(body, "/z")


def test_a_verdict_names_its_line():
    robots = Robots.parse(b"User-agent: *\n\nDisallow: /  # all\nAllow: /a\n")
    assert robots.explain(SITE + "/b", "Keeper") == (False, 3, "Disallow: /  # all")
    assert robots.explain(SITE + "/a", "Keeper") == (True, 4, "Allow: /a")
    assert Robots.parse(b"").explain(SITE + "/a", "Keeper") == (True, None, None)


DELAYS = [
    ("User-agent: *\nCrawl-delay: 2", 2.0), ("User-agent: *\nCrawl-delay: .5", 0.5),
    ("User-agent: *\nCrawl-delay: 1.2.1", None), ("User-agent: *\nCrawl-delay: -1", None),
    ("User-agent: *\nCrawl-delay: 10s", None), ("User-agent: *\nCrawl-delay: nan", None),
    ("Crawl-delay: 5\nUser-agent: *", None),
    ("User-agent: keeper\nDisallow:\nUser-agent: *\nCrawl-delay: 9", None),
    ("User-agent: b\nCrawl-delay: 1\nUser-agent: keeper\nCrawl-delay: 2\nUser-agent: *", 2.0),
    ("User-agent: keeper\nUser-agent: b\nCrawl-delay: 3\n", 3.0),
    ("User-agent: keeper\nCrawl-delay: 3\n\nUser-agent: keeper\nCrawl-delay: 4", 4.0),
]  # fmt: skip


@pytest.mark.parametrize(("text", "want"), DELAYS)
def test_crawl_delay_belongs_to_the_agents_right_above_it(text, want):
    assert Robots.parse(text.encode()).crawl_delay("Keeper/1.0") == want


def test_sitemap_lines_stand_outside_of_groups():
    body = b"sitemap: https://a/1\nUser-agent: b\nSITEMAP : /2 # two\nDisallow: /\nSitemap:\n"
    assert Robots.parse(body).sitemaps == ["https://a/1", "/2"]


URLS = [
    "example.com",
    "//",
    "https://a",
    "https://a?b/c",
    "https://a#/c",
    "\ud800",
    "",
    "http://a/\0",
]


@given(st.binary(max_size=300), st.text(max_size=10), st.sampled_from(URLS) | st.text(max_size=30))
def test_any_bytes_any_agent_and_any_url_give_a_verdict(body, agent, url):
    robots = Robots.parse(b"User-agent: *\nDisallow: " + body)
    assert robots.allows(url, agent) is robots.explain(url, agent)[0]
    robots.crawl_delay(agent)


@given(
    st.lists(st.tuples(st.booleans(), st.text("ab/*$", max_size=6)), max_size=12),
    st.text("ab/", max_size=8),
)
def test_the_search_agrees_with_trying_every_rule(rules, path):
    lines = [f"{'Allow' if allow else 'Disallow'}: {pattern}" for allow, pattern in rules]
    whole = Robots.parse("\n".join(["User-agent: *", *lines]).encode())
    best = (-1, True)
    for (allow, pattern), line in zip(rules, lines, strict=True):
        alone = Robots.parse(f"User-agent: *\n{line}".encode())
        if alone.explain(f"{SITE}/{path}", "a")[1]:
            # A "$" that does not end the pattern is written as the three octets "%24".
            best = max(best, (len(pattern) + 2 * pattern[:-1].count("$"), allow))
    assert whole.allows(f"{SITE}/{path}", "a") is best[1]


def test_hostile_files_take_linear_time():
    stars = b"User-agent: *\nDisallow: /" + b"*a" * 10_000 + b"b$\n"
    many = b"User-agent: a\n" * 15_000 + b"Disallow: /a\n" * 20_000
    started = time.perf_counter()
    assert verdict(stars, "/" + "a" * 20_000)
    assert not verdict(many, "/a", "a")
    assert time.perf_counter() - started < 10
