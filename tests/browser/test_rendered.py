"""Pages that are nothing without their scripts, crawled in a real browser."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

from browser_story import needs_browser, render_all
from crawl_story import outcomes, read

from crawler import Request, ScrapedPage, Spider, item
from crawler.practice import PracticeSite
from crawler.practice.catalog import category
from crawler.store.rows import unpack

pytestmark = needs_browser


@item(key="name")
class Good:
    name: str
    price: str


class Shelf(Spider):
    """Reads one shelf of the single-page shop."""

    name = "shelf"

    def start(self) -> Iterator[Request]:
        for url in self.start_urls:
            yield Request(url, browser=True)

    def parse(self, page: ScrapedPage) -> Iterator[Good | Request]:
        for card in page.css("article.product")[:4]:
            yield Request(page.urljoin(card.css("a::attr(href)").get("")) or "", browser=True)
        if page.css(".product-page"):
            yield Good(page.css("h1::text").get(""), page.css(".price::text").get(""))


def test_a_single_page_shop_is_read_as_a_visitor_sees_it(tmp_path: Path) -> None:
    store = tmp_path / "crawl.db"

    async def tell() -> None:
        async with PracticeSite() as site, asyncio.timeout(60):
            summary = await render_all(Shelf, store, site.at("/app/category/clocks"))
            assert summary.outcomes == {"ok": 5}
            assert summary.refused["browser_blocked"] > 0
            assert not [hit for hit in site.hits if hit.path.startswith("/img/")]

    asyncio.run(tell())
    goods = {(thing.name, thing.price) for thing in category("Clocks")[:4]}
    assert set(read(store, "SELECT name, price FROM good")) == goods


class Guest(Spider):
    """Looks at what it is given."""

    name = "guest"


HOSTILE = """<title>Guests</title><p id="said"></p><script>
const say = (text) => document.getElementById('said').append(text + ' ');
const refused = (ask) => ask.then(() => say('reached'), () => say('refused'));
refused(fetch('http://127.0.0.1:PORT/secret'));
refused(fetch('http://localhost:PORT/secret'));
refused(fetch('https://[::1]:PORT/secret'));
const socket = new WebSocket('ws://127.0.0.1:PORT/secret');
socket.onopen = () => say('reached'); socket.onerror = () => say('refused');
alert('stop'); window.open('/popup');
document.cookie = 'seen=yes; max-age=1000';
console.error('a word'); null.none;
</script><iframe src="http://127.0.0.1:PORT/secret"></iframe>"""


def test_a_page_reaches_no_address_that_is_not_public_and_no_window(tmp_path: Path) -> None:
    """The site is at 127.0.0.2, which a seed names; what listens at 127.0.0.1 is forbidden."""
    store = tmp_path / "crawl.db"
    reached = 0

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal reached
        reached += 1
        writer.close()

    async def tell() -> None:
        forbidden = await asyncio.start_server(accept, "127.0.0.1", 0)
        port = forbidden.sockets[0].getsockname()[1]
        async with PracticeSite("127.0.0.2") as site, asyncio.timeout(60):
            site.add_page("/hostile", HOSTILE.replace("PORT", str(port)))
            site.add_page("/leads", "<script>location = '/elsewhere'</script>Soon")
            site.add_page("/elsewhere", "<title>There</title>" + "<p>word</p>" * 60)
            site.add_redirect("/old", "/elsewhere")
            site.add_page("/data", '{"a": 1}', content_type="application/json")
            paths = ["/hostile", "/leads", "/old", "/data", "/nothing"]
            summary = await render_all(Guest, store, *map(site.at, paths), browser__mode="always")
            assert outcomes(store, site) == {
                **{"/hostile": "ok", "/leads": "ok", "/old": "redirect", "/data": "ok"},
                **{"/nothing": "not_found", "/elsewhere": "ok"},
            }
            assert reached == 0
            assert summary.refused["browser_address"] >= 5
            assert summary.refused["browser_dialog"] == 1
            assert summary.refused["browser_popup"] == 1
            assert not site.count("/popup")
            assert site.count("/elsewhere") == 1
        forbidden.close()

    asyncio.run(tell())
    [body] = read(
        store, "SELECT body FROM bodies JOIN pages USING (page_id) WHERE title = 'Guests'"
    )
    assert b'<p id="said">refused refused refused refused </p>' in unpack(body)


STORES = """<title>Stores</title><script>
document.cookie = 'seen=yes'; localStorage.setItem('length', 'kept');
</script>"""
TELLS = """<title>Tells</title><p></p><script>
document.querySelector('p').append(localStorage.getItem('length'), ' ', document.cookie);
</script>"""


def test_cookies_and_local_storage_outlive_the_browser(tmp_path: Path) -> None:
    store = tmp_path / "crawl.db"

    async def tell() -> None:
        async with PracticeSite() as site, asyncio.timeout(60):
            site.add_page("/stores", STORES)
            site.add_page("/tells", TELLS)
            settings = {"browser__recycle_after": 1, "engine__workers": 1}
            pages = [site.at("/stores"), site.at("/tells")]
            await render_all(Guest, store, *pages, browser__mode="always", **settings)

    asyncio.run(tell())
    [body] = read(store, "SELECT body FROM bodies JOIN pages USING (page_id) WHERE title = 'Tells'")
    assert b"<p>kept seen=yes</p>" in unpack(body)
