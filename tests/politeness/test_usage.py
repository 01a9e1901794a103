"""What sites say about the uses of their pages is read, kept, told and heeded."""

from __future__ import annotations

import json

import pytest
from crawl_story import Follow, crawl, read, story
from multidict import CIMultiDict

from crawler.cli import run
from crawler.errors import UsageError
from crawler.inspect.query import Reader
from crawler.inspect.usage import Uses
from crawler.inspect.why import why
from crawler.parse.usage import PURPOSES, UsageLine, locations, reserved, said_by
from crawler.politeness.usage import statements
from crawler.robots import Robots

ROBOTS = """User-agent: *
Content-Usage: search=y
Content-Usage: /art/ train-ai=n
Content-Usage: /art/open train-ai=y
Content-Signal: ai-input=no
License: https://example.com/license.xml
"""


def said(*lines: str) -> list[UsageLine]:
    return [UsageLine("here", line) for line in lines]


RESERVED = [
    (["Content-Usage: train-ai=n"], "train-ai", True),
    (["Content-Usage: train-ai=y"], "train-ai", False),
    (["Content-Usage: train-ai=n"], "search", False),
    (["Content-Usage: train-ai=n"], "train-genai", True),  # the wider one holds
    (["Content-Usage: train-ai=n, train-genai=y"], "train-genai", False),
    (["Content-Usage: tdm=n"], "ai-input", True),
    (["Content-Usage: bots=n"], "train-ai", True),
    (["Content-Usage: train-ai=?0"], "train-ai", True),
    (["Content-Usage: train-ai;x=1=n"], "train-ai", False),
    (["Content-Usage: train-ai=maybe"], "train-ai", False),
    (["Content-Usage: /a TRAIN-AI=N"], "train-ai", True),
    (["Content-Signal: search=yes,ai-train=no,use=reference"], "train-ai", True),
    (["Content-Signal: ai-train=yes", "Content-Usage: train-ai=n"], "train-ai", True),
    (["TDM-Reservation: 1"], "train-genai", True),
    (["TDM-Reservation: 1"], "search", False),
    (["TDM-Reservation: 0", "Content-Usage: train-ai=n"], "train-ai", True),
    (["TDM-Reservation: 1", "Content-Usage: train-ai=y"], "train-ai", False),
    (["tdm-reservation: yes"], "tdm", False),
    (["TDM-Policy: https://example.com/p.json"], "tdm", False),
    (["robots: noindex, noai"], "train-genai", True),
    (["X-Robots-Tag: noai"], "search", False),
]


@pytest.mark.parametrize(("lines", "purpose", "is_reserved"), RESERVED)
def test_a_purpose_is_reserved_by_the_line_that_speaks_of_it(
    lines: list[str], purpose: str, is_reserved: bool
) -> None:
    found = reserved(said(*lines), [purpose])
    assert (found is not None) is is_reserved
    assert found is None or found.statement.text in lines


def test_headers_and_meta_tags_speak_for_a_page() -> None:
    metas = [("robots", "noindex"), ("tdm-reservation", " 1 ")]
    found = said_by({"content-usage": "train-ai=n", "X": "y"}, metas)
    assert list(map(str, found)) == [
        "header: Content-Usage: train-ai=n",
        "meta: tdm-reservation: 1",
    ]


def test_noai_speaks_where_it_is_said_to_everyone() -> None:
    metas = [("robots", "NoAI, noindex"), ("robots", "noimageai"), ("otherbot", "noai")]
    headers = CIMultiDict([("x-robots-tag", "noai"), ("x-robots-tag", "otherbot: noai")])
    assert list(map(str, said_by(headers, metas))) == [
        "header: X-Robots-Tag: noai",
        "meta: robots: NoAI, noindex",
    ]


def test_the_longest_path_of_each_kind_holds_and_ends_a_group_of_agents() -> None:
    text = f"{ROBOTS}User-agent: crawlkeep*\nContent-Usage: train-ai=n\nUser-agent: b\nDisallow: /"
    robots = Robots.parse(text.encode())
    at = {path: [r.line for r in robots.usages(f"http://e.org{path}", "x")] for path in PATHS}
    assert at == PATHS
    assert [r.line for r in robots.usages("http://e.org/", "crawlkeep/1.0")] == [8]
    assert robots.allows("http://e.org/", "crawlkeep") and not robots.allows("http://e.org/", "b")
    assert [rule.text for rule in robots.licenses] == ["License: https://example.com/license.xml"]


PATHS = {"/": [2, 5], "/art/1": [3, 5], "/art/open/1": [4, 5]}


@pytest.mark.parametrize(
    "body",
    [
        b"User-agent: crawlkeep*\nDisallow: /",
        b"User-agent *\nDisallow: /",
        b"\xef\xbb\xbf\xef\xbb\xbfUser-agent: *\nDisallow: /",
        b"Sitemap: /s.xml\n\xef\xbb\xbfUser-agent: *\nDisallow: /",
    ],
)
def test_robots_txt_is_read_with_its_slips(body: bytes) -> None:
    assert not Robots.parse(body).allows("http://e.org/x", "crawlkeep/1.0")


def test_tdmrep_rules_hold_by_the_longest_pattern() -> None:
    rules = [("/", 1), ("/free/*", 0)]
    said_of = [{"location": pattern, "tdm-reservation": one} for pattern, one in rules]
    body = json.dumps(said_of).encode()
    said = {p: statements(f"http://e.org{p}", Robots(), "x", body) for p in ("/a", "/free/b")}
    assert [said[p][0].uses for p in said] == [{"tdm": False}, {"tdm": True}]
    assert locations(b"<html>") == locations(b'{"location": "/"}') == locations(b"[" * 99999) == []


def build(site) -> None:  # type: ignore[no-untyped-def]
    site.add_links("/", ["/art/1", "/art/open", "/header", "/meta", "/tdm/1", "/plain"])
    for path in ("/art/1", "/art/open", "/tdm/1", "/plain"):
        site.add_page(path, f"<title>{path}</title>")
    site.add_page("/header", "<title>h</title>", headers={"Content-Usage": "train-ai=n"})
    site.add_page("/meta", "<title>m</title><meta name=TDM-Reservation content=1><a href=/plain>")
    rules = '[{"location": "/tdm/", "tdm-reservation": 1}]'
    site.add_page("/.well-known/tdmrep.json", rules, content_type="application/json")


@story(robots=ROBOTS)
async def test_what_is_reserved_for_a_purpose_that_the_user_names_is_not_kept(site, path):
    build(site)
    store = path / "s.db"
    await crawl(Follow, store, site.url, politeness__heed_usage=["train-ai"])
    base = site.url.rstrip("/")
    ends = dict(read(store, f"SELECT substr(url, {len(base) + 1}), outcome FROM pages"))
    assert ends == {
        "/": "ok", "/art/1": "reserved", "/art/open": "ok", "/header": "reserved",
        "/meta": "reserved", "/tdm/1": "reserved", "/plain": "ok",
    }  # fmt: skip
    asked = [hit.path for hit in site.hits]
    assert "/art/1" not in asked and "/tdm/1" not in asked
    assert asked.count("/.well-known/tdmrep.json") == 1
    errors = dict(read(store, f"SELECT substr(url, {len(base) + 1}), error FROM pages"))
    assert errors["/art/1"].endswith("by robots.txt line 3: Content-Usage: /art/ train-ai=n")
    assert errors["/tdm/1"].endswith("by /.well-known/tdmrep.json: tdm-reservation: 1")
    assert errors["/meta"].endswith("by meta: tdm-reservation: 1")


@story(robots=ROBOTS)
async def test_what_is_said_is_stored_and_told_and_left_out_of_an_export(site, path, capsys):
    build(site)
    store = path / "s.db"
    await crawl(Follow, store, site.url)
    assert read(store, "SELECT count(*) FROM pages WHERE outcome = 'ok'") == [7]
    assert "/.well-known/tdmrep.json" not in [hit.path for hit in site.hits]
    with Reader(store) as reader:
        told = [tuple(line) for line in why(reader, site.at("/header"), ())]
        assert ("usage", "header: Content-Usage: train-ai=n") in told
        assert any(text.startswith("/.well-known/tdmrep.json: not asked") for _, text in told)
        assert ("license", "robots.txt line 6: License: https://example.com/license.xml") in told
        assert dict(told)["reserved"].startswith("reserved for")
        with pytest.raises(UsageError, match="no such purpose"):
            Uses(reader).left_out(["sell"])
    file = path / "pages.csv"
    command = ["export", "pages", "--for", "train-ai", "-o", str(file), "--store", str(store)]
    assert run(command) == 0
    text, errors = file.read_text(), capsys.readouterr().err
    found = [name for name in ("/art/1", "/header", "/meta", "/plain", "/art/open") if name in text]
    assert found == ["/plain", "/art/open"]
    why_not = "reserved for train-ai by meta: tdm-reservation: 1"
    assert f"left out {site.at('/meta')}: {why_not}" in errors
    assert "as reserved: 3 pages" in errors


def test_every_purpose_leads_to_a_wider_one_or_to_none() -> None:
    assert all(wider is None or wider in PURPOSES for wider in PURPOSES.values())
