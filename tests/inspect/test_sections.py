"""Outcomes and links by the sections of paths: exact where there are few pages, else sampled."""

import asyncio

import pytest
from crawl_story import crawl
from postgres_server import server

from crawler.inspect import run_report, section_parts, sections
from crawler.inspect.first_steps import RunEnd, first_steps
from crawler.inspect.query import Reader
from crawler.practice import PracticeSite


async def crawled(store):
    async with PracticeSite(robots=False) as site:
        shop = [f"/shop/{kind}/{n}" for kind in ("new", "old") for n in range(8)]
        news = [f"/news/{n}" for n in range(4)]
        site.add_links("/", [*shop, *news])
        for path in (*shop, *news):
            site.add_links(path, ["/shop/new/1", "/news/1"])
        for n in range(6):
            site.add_page(f"/shop/old/{n}", "gone", status=410)
        await crawl(site.at("/"), store, site.at("/"), fetch__retries=0)
        return site.url.rstrip("/")


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def store(request, tmp_path_factory):
    """A crawl, and the host that it was of."""
    place = server().dsn() if request.param == "postgres" else None
    place = place or tmp_path_factory.mktemp("sections") / "x.db"
    return place, asyncio.run(crawled(place))


def told(found):
    return {name: (one.stored, one.passed, one.errors) for name, one in sections.named(found.root)}


def test_outcomes_are_counted_by_host_and_folder(store):
    place, host = store
    expected = {
        f"{host}/": (15, 0, 6),
        f"{host}/shop/": (10, 0, 6),
        f"{host}/shop/new/": (8, 0, 0),
        f"{host}/shop/old/": (2, 0, 6),
        f"{host}/news/": (4, 0, 0),
    }
    with Reader(place) as reader:
        for asked in ({}, {"run": 1}, {"host": host}):
            found = sections.by_path(reader, **asked)
            assert found.exact and told(found) == expected, asked
        assert sections.by_path(reader, run=9).root.number == 0


def test_links_are_counted_from_section_to_section(store):
    place, host = store
    with Reader(place) as reader:
        found = sections.links(reader)
    numbers = {
        (source.removeprefix(host), target.removeprefix(host)): number
        for (source, target), number in found.numbers.items()
    }
    assert found.exact
    assert numbers["/", "/shop/"] == 16 and numbers["/", "/news/"] == 4
    assert numbers["/news/", "/shop/"] == 4


def test_of_many_pages_a_sample_is_taken_and_rare_errors_are_all_counted(store, monkeypatch):
    place, host = store
    monkeypatch.setattr(sections, "MOST", 8)
    with Reader(place) as reader:
        found = sections.by_path(reader)
        of_run = sections.by_path(reader, run=1)
    assert not found.exact
    assert told(found)[f"{host}/shop/old/"][2] == 6
    assert 4 <= found.root.stored <= 30
    assert of_run.exact and of_run.root.stored == 15  # few of it would be in a sample of the store


def test_of_a_large_host_not_only_the_first_urls_are_taken(store, monkeypatch):
    place, host = store
    monkeypatch.setattr(sections, "MOST", 3)
    with Reader(place) as reader:
        found = sections.by_path(reader, host=host)
    assert not found.exact
    assert told(found)[f"{host}/shop/old/"][2] == 6  # they are behind the first fifteen


def test_links_of_a_host_or_a_run_are_read_as_those_of_all(store, monkeypatch):
    place, host = store
    with Reader(place) as reader:
        every = sections.links(reader)
        assert sections.links(reader, host=host) == sections.links(reader, run=1) == every
        assert not sections.links(reader, host="http://b.example").numbers
        monkeypatch.setattr(sections, "_LINKING", 14)
        assert not sections.links(reader, run=1).exact
        assert sections.links(reader, run=9).exact


def test_a_folder_that_is_all_of_its_host_is_one_with_it():
    root = sections._joined(
        sections._tree([("http://a.example/x/y/1", "ok"), ("http://a.example/x/y/2", "ok")], 1.0,
                       sections.PathSection(""))
    )  # fmt: skip
    assert [name for name, _ in sections.named(root)] == ["http://a.example/x/y/"]


def test_the_report_says_first_what_to_do(store):
    place, _ = store
    with Reader(place) as reader:
        page = run_report.page(reader)
    first = page.partition("What to do first")[2].partition("</section>")[0]
    assert "not_found" in first and "6 requests" in first
    assert page.index("What to do first") < page.index("Over time")
    assert "<code>errors</code> has all" not in page
    assert "<script" not in page and "style=" not in page and "@media print" in page


def test_the_report_tells_what_it_leaves_out(store, monkeypatch):
    place, _ = store
    monkeypatch.setattr(run_report, "_LISTED", 3)
    monkeypatch.setattr(section_parts, "_ROWS", 2)
    with Reader(place) as reader:
        page = run_report.page(reader)
    for where in ("errors", "broken_links", "pages"):
        assert f"The first 3; <code>{where}</code> has all" in page
    assert "The largest; 2 smaller sections more." in page
    assert "smaller pairs more." in page


def test_one_url_that_is_left_is_told_as_one(store):
    with Reader(store[0]) as reader:
        [step, *_] = first_steps(reader, RunEnd(1, "shop", "stopped", 1))
    assert "<b>1 URL is</b> still queued" in step.told
