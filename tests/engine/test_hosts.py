"""[hosts]: what holds for single hosts, by their names, and how mistakes in it are told."""

from pathlib import Path
from typing import Any

import pytest
from crawl_story import Follow, crawl, crawler_of, read, story
from postgres_server import server

from crawler import ScrapedPage, Spider
from crawler.config.hosts import HostSettings, HostsSettings
from crawler.config.layers import load
from crawler.errors import ConfigError
from crawler.practice import PracticeSite

AT = {
    "shop.example": HostSettings(delay=2.0, headers={"X-A": "name", "X-B": "name"}),
    "*.example": HostSettings(delay=3.0, per_host=7),
    "*.shop.example": HostSettings(delay=4.0, robots=False),
    "https://shop.example:8443": HostSettings(delay=5.0, headers={"X-A": "origin"}),
    "[::1]": HostSettings(delay=6.0),
    "Bücher.example": HostSettings(delay=7.0),
    "shop.example:81": HostSettings(delay=8.0),
}


@pytest.mark.parametrize(
    ("host", "delay", "per_host", "headers"),
    [
        ("https://shop.example", 2.0, 7, {"X-A": "name", "X-B": "name"}),
        ("http://shop.example:8080", 2.0, 7, {"X-A": "name", "X-B": "name"}),
        ("https://shop.example:8443", 5.0, 7, {"X-A": "origin", "X-B": "name"}),
        ("http://shop.example:8443", 2.0, 7, {"X-A": "name", "X-B": "name"}),
        ("http://shop.example:81", 8.0, 7, {"X-A": "name", "X-B": "name"}),
        ("https://www.shop.example", 4.0, 7, {}),
        ("https://a.b.shop.example", 4.0, 7, {}),
        ("https://myshop.example", 3.0, 7, {}),
        ("https://example", None, None, {}),
        ("https://shop.example.org", None, None, {}),
        ("https://[::1]", 6.0, None, {}),
        ("https://xn--bcher-kva.example", 7.0, 7, {}),
    ],
)
def test_the_entry_counts_that_says_most_of_a_host(
    host: str, delay: float | None, per_host: int | None, headers: dict[str, str]
) -> None:
    found = HostsSettings(at=AT).of(host)
    assert (found.delay, found.per_host, found.headers) == (delay, per_host, headers)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[hosts."a.example"]\ndely = 1', 'unknown key `hosts."a.example".dely`; did you mean'),
        ('[hosts."a.example"]\ndelay = -1', '`hosts."a.example".delay` = -1'),
        ('[hosts."a.example"]\nper_host = 0', '`hosts."a.example".per_host` = 0'),
        ('[hosts."a.example"]\nheaders = 1', '`hosts."a.example".headers` = 1'),
        ('[hosts."a.example/path"]\ndelay = 1', "'a.example/path' is no host"),
        ('[hosts."*.https://a.example"]\ndelay = 1', "is no host"),
        ("[hosts]\ndelay = 1", "`hosts.delay` is a host"),
    ],
)
def test_mistakes_are_told_with_their_key(text: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as raised:
        load(file, environ={})
    assert told in str(raised.value) and "config.toml" in str(raised.value)


def test_layers_are_joined_key_by_key(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[hosts."a.example"]\ndelay = 1\nheaders = { X = "1" }', "utf-8")
    spider = {"hosts": {"a.example": {"per_host": 3}}}
    config = load(
        file,
        spider=spider,
        environ={},
        overrides=['hosts."a.example".headers.Y="2"', 'hosts."b".delay=9'],
    )
    assert config.hosts.of("https://a.example") == HostSettings(
        delay=1.0, per_host=3, headers={"X": "1", "Y": "2"}
    )
    assert config.hosts.of("http://b").delay == 9.0
    for wrong in ('hosts."a.example.delay=1', "hosts.a.example.delay=1"):
        with pytest.raises(ConfigError, match=r"--set: .*host|did you mean"):
            load(file, environ={}, overrides=[wrong])


class Every(Spider):
    """Visits what it is given."""

    name = "every"

    def parse(self, page: ScrapedPage) -> None:
        return None


def settings(site: PracticeSite, **values: Any) -> dict[str, Any]:
    return {"hosts__at": {site.url.removeprefix("http://").rstrip("/"): values}}


@story()
async def test_a_host_has_its_own_delay_headers_and_robots(site, path):
    async with PracticeSite(robots=False) as other:
        for one in (site, other):
            for number in range(4):
                one.add_page(f"/{number}", f"<title>{number}</title>")
        urls = [one.at(f"/{number}") for one in (site, other) for number in range(4)]
        hosts = {
            site.url.rstrip("/"): {"delay": 0.1, "per_host": 1, "headers": {"X-Key": "s3cret"}},
            other.url.rstrip("/"): {"robots": False},
        }
        await crawl(Every, path / "s.db", *urls, hosts__at=hosts)
        assert min(site.spacing(without=["/robots.txt"])) >= 0.07
        assert site.max_in_flight() == 1
        sent = {hit.headers.get("X-Key") for hit in site.hits if hit.path != "/robots.txt"}
        assert sent == {"s3cret"}
        assert {hit.headers.get("X-Key") for hit in other.hits} == {None}
        assert (site.count("/robots.txt"), other.count("/robots.txt")) == (1, 0)
        [stored] = read(path / "s.db", "SELECT settings FROM runs")
        assert "s3cret" not in stored and "X-Key" in stored


@story()
async def test_robots_of_one_host_where_the_others_are_not_asked(site, path):
    async with PracticeSite() as other:
        hosts = {other.url.rstrip("/"): {"robots": True}}
        options = {"politeness__robots": False, "hosts__at": hosts}
        urls = [other.at("/private/ledger/"), site.add_page("/x", "<title>x</title>")]
        summary = await crawl(Every, path / "s.db", *urls, **options)
    assert summary.outcomes == {"robots_denied": 1, "ok": 1}
    assert site.count("/robots.txt") == 0


@story()
async def test_a_stored_host_keeps_its_own_delay_when_the_crawl_goes_on(site, path):
    urls = [site.add_page(f"/{number}", "<title>x</title>") for number in range(4)]
    hosts = {"127.0.0.1": {"delay": 0.1}}
    await crawl(Every, path / "s.db", *urls, hosts__at=hosts, engine__max_pages=1)
    site.reset()
    async with crawler_of(Every, path / "s.db", *urls, hosts__at=hosts) as crawler:
        await crawler.run()
    assert len(site.hits) == 3 and min(site.spacing()) >= 0.07


@pytest.mark.parametrize("kept", ["processes", "postgres"])
@story()
async def test_what_holds_for_a_host_holds_in_worker_processes_and_over_postgresql(
    site, path, kept
):
    urls = [site.add_page(f"/{number}", f"<title>{number}</title>") for number in range(4)]
    hosts = {"127.0.0.1": {"delay": 0.1, "per_host": 1, "headers": {"X-Key": "s3cret"}}}
    store = server().dsn("hosts") if kept == "postgres" else path / "s.db"
    processes = 2 if kept == "processes" else 1
    summary = await crawl(Follow, store, *urls, hosts__at=hosts, engine__processes=processes)
    assert summary.pages == 4
    assert sum(site.spacing(without=["/robots.txt"])) >= 0.2
    assert site.max_in_flight() == 1
    assert {h.headers.get("X-Key") for h in site.hits if h.path != "/robots.txt"} == {"s3cret"}
