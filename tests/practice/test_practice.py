"""The practice site: a web to crawl that ends, and a witness of how it was crawled."""

import asyncio
import gzip
import ssl
from collections import Counter
from urllib.parse import urldefrag, urljoin

import aiohttp
import pytest
import trustme
from bs4 import BeautifulSoup
from lxml import etree
from practice_story import ask, body_of, on_site

from crawler.practice import Hit, PracticeSite
from crawler.practice.catalog import products
from crawler.practice.content import quotes
from crawler.practice.hits import max_in_flight, spacing


async def soup(client, path):
    async with client.get(path) as answer:
        return BeautifulSoup(await answer.read(), "lxml")


async def walk(client, start):
    """Every address that links and redirects reach from `start`, with its status."""
    found, todo = {start: 0}, [start]
    while todo:
        here = todo.pop(0)
        async with client.get(here, allow_redirects=False) as answer:
            found[here] = answer.status
            body, kind = await answer.read(), answer.content_type
            links = [answer.headers["Location"]] if answer.status in (301, 302, 303) else []
        if kind == "text/html":
            links += addresses(BeautifulSoup(body, "lxml"))
        for link in links:
            address = urldefrag(urljoin(here, link)).url
            if address.startswith(start) and address not in found:
                found[address] = 0
                todo.append(address)
    return found


def addresses(tree):
    base = tree.select_one("base[href]")
    for tag in tree.select("a[href], area[href], iframe[src]"):
        link = (tag.get("href") or tag.get("src") or "").replace("\n", "").strip()
        if not link.startswith("http://["):
            yield urljoin(base["href"], link) if base else link


@on_site()
async def test_a_crawl_from_the_front_page_ends_after_about_300_pages(site, client):
    found = await walk(client, site.url)
    statuses = Counter(found.values())
    assert 290 <= statuses[200] <= 330
    assert statuses.keys() == {200, 302, 401, 404, 410, 500, 503}
    assert site.at(f"/shop/product/{products()[-1].slug}/") in found
    assert not any("/trap/" in address for address in found)
    assert len(site.hits) == len(found)


@on_site()
async def test_following_next_from_the_front_page_gives_every_quote_once(site, client):
    texts, path = [], "/"
    while path:
        tree = await soup(client, path)
        for box in tree.select("div.quote"):
            assert box.select_one("small.author").text.startswith("A")
            assert box.select("div.tags a.tag")
            texts.append(box.select_one("span.text").text)
        following = tree.select_one("li.next a")
        path = following["href"] if following else None
    assert len(texts) == len(set(texts)) == 100
    assert set(texts) == {f"“{quote.text}”" for quote in quotes()}


@on_site()
async def test_every_page_of_an_author_and_of_a_tag_shows_the_quotes_of_it(site, client):
    keeper = await soup(client, "/author/A-Lighthouse-Keeper/")
    assert keeper.select_one("h3.author-title").text == "A Lighthouse Keeper"
    assert len(keeper.select("div.quote")) == 5
    second = await soup(client, "/tag/patience/page/2/")
    assert all("patience" in [t.text for t in q.select(".tag")] for q in second.select(".quote"))


@on_site()
async def test_the_shop_shows_every_product_once_with_price_stock_and_category(site, client):
    names, path = set(), "/shop/"
    while path:
        tree = await soup(client, path)
        for box in tree.select("article.product"):
            assert box.select_one(".price").text.startswith("€")
            assert box.select_one(".stock").text
            names.add(box.select_one("h3 a")["href"])
        following = tree.select_one("li.next a")
        path = following["href"] if following else None
    assert len(names) == len(products()) == len({p.name for p in products()}) == 160
    one = await soup(client, names.pop())
    crumbs = [crumb.text for crumb in one.select(".breadcrumb li")]
    assert crumbs == ["Home", "Shop", one.select_one("a.category").text, one.h1.text]


MISSING = [
    "/page/11/",
    "/page/0/",
    "/tag/none/",
    "/tag/sea/page/2/",
    "/author/a-lighthouse-keeper/",
]
MISSING += ["/shop/page/9/", "/shop/category/Lamps/", "/shop/product/1/", "/encoding/none/"]


@pytest.mark.parametrize("path", MISSING)
@on_site()
async def test_what_is_not_there_is_a_404_page_in_html(site, client, path):
    async with client.get(path) as answer:
        assert (answer.status, answer.content_type) == (404, "text/html")
        assert "404 Not Found" in await answer.text()


@on_site()
async def test_robots_txt_has_rules_for_several_agents_and_names_the_sitemap(site, client):
    text = await (await ask(client, "GET", "/robots.txt")).text()
    for line in ("User-agent: crawlkeep", "User-agent: *", "Disallow: /private/", "Crawl-delay: 2"):
        assert line in text.splitlines()
    assert f"Sitemap: {site.url}sitemap.xml" in text.splitlines()
    assert "/trap" not in text
    assert (await soup(client, "/")).select_one('a[href="/private/"]')


@pytest.mark.parametrize(("robots", "status"), [(False, 404), ("User-agent: *\n", 200)])
def test_robots_txt_can_be_left_out_or_given(robots, status):
    @on_site(robots=robots)
    async def story(site, client):
        async with client.get("/robots.txt") as answer:
            assert answer.status == status
            assert robots is False or await answer.text() == robots

    story()


@on_site()
async def test_the_sitemaps_list_only_pages_that_are_there(site, client):
    index = etree.fromstring(await body_of(client, "/sitemap.xml"))
    maps = index.xpath("//*[local-name()='loc']/text()")
    listed = []
    for address in maps:
        body = await body_of(client, address)
        if address.endswith(".txt"):
            listed += body.decode().split()
            continue
        tree = etree.fromstring(gzip.decompress(body) if address.endswith(".gz") else body)
        listed += tree.xpath("//*[local-name()='loc']/text()")
    assert len(maps) == 3
    assert len(listed) == len(set(listed)) > 200
    for address in listed[::20]:
        assert (await ask(client, "GET", address)).status == 200


@on_site()
async def test_the_feed_has_ten_items_that_link_to_pages(site, client):
    tree = etree.fromstring(await body_of(client, "/feed.xml"))
    links = tree.xpath("//item/link/text()")
    assert len(links) == 10
    assert (await ask(client, "GET", links[0])).status == 200


@on_site()
async def test_a_page_is_304_to_a_client_that_holds_it(site, client):
    first = await ask(client, "GET", "/page/2/")
    tag, changed = first.headers["ETag"], first.headers["Last-Modified"]
    for headers, status in [
        ({"If-None-Match": tag}, 304),
        ({"If-None-Match": f'"other", {tag}'}, 304),
        ({"If-None-Match": '"other"', "If-Modified-Since": changed}, 200),
        ({"If-Modified-Since": changed}, 304),
        ({"If-Modified-Since": "Thu, 01 Jan 2015 00:00:00 GMT"}, 200),
    ]:
        async with client.get("/page/2/", headers=headers) as answer:
            assert answer.status == status
            assert answer.headers["ETag"] == tag
            assert bool(await answer.read()) is (status == 200)


@on_site()
async def test_hits_tell_method_path_target_host_headers_status_and_times(site, client):
    await ask(client, "GET", "/page/2/?a=b%20c", headers={"X-Mark": "yes"})
    await ask(client, "HEAD", "/page/2/")
    await ask(client, "GET", "/missing/")
    hit = site.hits[0]
    assert (hit.method, hit.path, hit.target) == ("GET", "/page/2/", "/page/2/?a=b%20c")
    assert (hit.host, hit.headers["x-mark"]) == (site.url.split("/")[2], "yes")
    assert hit.started <= hit.ended
    assert [hit.status for hit in site.hits] == [200, 200, 404]
    assert site.count("/page/2/") == 2
    assert site.count("/page/2/", "HEAD") == site.count("/page/2/?a=b%20c") == 1
    assert len(site.spacing()) == 2
    site.reset()
    assert (site.hits, site.max_in_flight(), site.spacing()) == ([], 0, [])


@on_site()
async def test_requests_that_are_open_together_are_counted_together(site, client):
    gate = site.hold("/page/3/")
    waiting = [asyncio.create_task(ask(client, "GET", "/page/3/")) for _ in range(3)]
    while site.count("/page/3/") < 3:
        await ask(client, "GET", "/page/2/")
    assert [hit.ended for hit in site.hits if hit.path == "/page/3/"] == [None] * 3
    gate.set()
    assert [(await task).status for task in waiting] == [200] * 3
    assert site.max_in_flight() in (3, 4)


@on_site(latency=0.02)
async def test_latency_holds_every_answer_and_shows_how_many_were_open(site, client):
    await asyncio.gather(*(ask(client, "GET", f"/page/{number}/") for number in (2, 3, 4, 5)))
    assert all(hit.ended - hit.started >= 0.02 for hit in site.hits)
    assert site.max_in_flight() > 1


@on_site()
async def test_a_hit_ends_when_its_client_goes_away(site, client):
    site.hold("/")
    with pytest.raises(TimeoutError):
        await ask(client, "GET", "/", timeout=aiohttp.ClientTimeout(total=0.05))
    while site.hits[0].ended is None:
        await ask(client, "GET", "/about/")
    assert site.hits[0].status is None


def hit(started, ended, path="/"):
    return Hit("GET", path, started, ended, "a.test", {}, path)


def test_an_end_and_a_start_in_one_instant_do_not_overlap():
    assert max_in_flight([hit(0, 1), hit(1, 2), hit(2, None)]) == 1
    assert max_in_flight([hit(0, 2), hit(1, 3), hit(1.5, None)]) == 3


def test_spacing_is_in_order_of_start_and_leaves_out_what_it_is_told():
    seen = [hit(3, 4), hit(0, 9), hit(1, 2, "/robots.txt")]
    assert spacing(seen) == [1, 2]
    assert spacing(seen, without={"/robots.txt"}) == [3]


@on_site()
async def test_a_test_can_build_a_web_of_its_own(site, client):
    site.add_links("/a", ["/b", "https://elsewhere.test/c?d=1&e=2"])
    site.add_redirect("/b", "/c?x=1", status=308)
    site.add_page("/c?x=1", "ä".encode("latin-1"), content_type="text/plain; charset=latin-1")
    site.add_page("/page/2/", "instead", status=206, headers={"X-Own": "1"}, delay=0.001)
    links = [a["href"] for a in (await soup(client, "/a")).select("a")]
    assert links == ["/b", "https://elsewhere.test/c?d=1&e=2"]
    async with client.get("/b") as answer:
        assert (answer.url.path_qs, await answer.text()) == ("/c?x=1", "ä")
        assert [past.status for past in answer.history] == [308]
    assert (await ask(client, "GET", "/c")).status == 404
    async with client.get("/page/2/") as answer:
        assert (answer.status, answer.headers["X-Own"], await answer.text()) == (
            206,
            "1",
            "instead",
        )


def test_a_site_speaks_https_and_two_sites_share_nothing():
    async def story():
        authority = trustme.CA()
        server, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
        authority.issue_cert("127.0.0.1").configure_cert(server)
        authority.configure_trust(trusting)
        async with PracticeSite(tls=server) as one, PracticeSite(offsite=one.url) as two:
            async with aiohttp.ClientSession() as client:
                async with client.get(two.at("/redirect/offsite"), ssl=trusting) as answer:
                    assert (answer.status, str(answer.url)) == (200, one.url)
                assert one.url in await (await ask(client, "GET", two.at("/about/"))).text()
            assert ([h.path for h in one.hits], len(two.hits)) == (["/"], 2)

    asyncio.run(story())


def test_a_taken_port_is_an_error_and_leaves_nothing_behind():
    async def story():
        async with PracticeSite() as site:
            with pytest.raises(OSError):
                async with PracticeSite(port=int(site.url.rsplit(":", 1)[1].strip("/"))):
                    pass

    asyncio.run(story())
