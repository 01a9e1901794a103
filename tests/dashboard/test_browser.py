"""The live page in a real browser: clean, live, steered by clicking; nothing foreign runs."""

import asyncio
import json
import os
import sqlite3
import time
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest
from crawl_story import crawler_of
from page_story import EVIL, Stage, Things, shown, web_of

from crawler import control
from crawler.dashboard.views import BY_PATH, VIEWS
from crawler.practice import PracticeSite

pytestmark = pytest.mark.xdist_group("dashboard-browser")

EVERY = os.environ.get("VIEWS") == "all"
NAME = "x'\"><img src=x onerror=alert(9)>"
TARGET = '/"><script>alert(3)</script>?q=<img src=x onerror=alert(4)>&u=\u202egnp.exe'


@pytest.fixture(scope="module")
def stage():
    with Stage() as stage:
        yield stage


# ---------------------------------------------------------------- a store full of malice


def poison(store, start):
    """Write into a store what a crawl of a hostile web may leave there, and then some."""
    now = time.time()
    flight = json.dumps([[start + EVIL, EVIL, now]])
    host = start.rstrip("/")
    with sqlite3.connect(store) as db:
        db.execute(
            "INSERT INTO todo (host_id, rank, seq, url_hash, url, depth)"
            " VALUES (1, 0, (SELECT max(seq) + 1 FROM todo), 1, ?, 1)",
            (f"{host}/{EVIL}",),
        )
        db.execute("INSERT INTO hosts (name, pending, pages) VALUES (?, 9, 9)", (f"http://{EVIL}",))
        db.execute("INSERT INTO endless VALUES (?, ?)", (f"{host}/{EVIL}?0", start + EVIL))
        db.execute("INSERT INTO patterns VALUES (?, 77, 5000, 9, 0)", (EVIL,))
        db.execute(
            "INSERT INTO workers VALUES (?, 1, 1, ?, ?, ?, 1, 1, 1, 0, 1, 1, 1, 1, 0, 0, 1, ?)",
            (EVIL, EVIL, now, now + 3600, flight),
        )
        db.execute(
            "INSERT INTO control (who, via, action, target, value, reason, state, result, "
            " applied_at) VALUES (?, ?, 'block', ?, ?, ?, 'applied', ?, ?)",
            (EVIL, EVIL, f"a.example/{EVIL}", EVIL, EVIL, EVIL, EVIL),
        )
        db.execute("UPDATE runs SET spider = ?1, reason = ?1, state = 'stopped'", (EVIL,))
        db.execute("UPDATE pages SET content_type = ?1, encoding = ?1, error = ?1", (EVIL,))
        db.execute("UPDATE problems SET reason = reason || ?1, value = ?1", (EVIL,))


class Hostile(NamedTuple):
    """The store, the address of its page, and the URL that the crawl began with."""

    store: Path
    base: str
    start: str


@pytest.fixture(scope="module")
def hostile(stage, tmp_path_factory):
    store = tmp_path_factory.mktemp("hostile") / f"{NAME.replace('/', '')}.db"

    async def make():
        async with PracticeSite(robots=f"User-agent: *\nDisallow: /{EVIL}\n") as site:
            start = web_of(site, title=EVIL)
            evil = {"X-Evil": EVIL.replace("\x1b", "").replace("\x07", "").replace("\u202e", "")}
            site.add_page("/1/11", f"<title>{EVIL}</title><h1>{EVIL}</h1><p>{EVIL}", headers=evil)
            site.add_links("/0/1", [TARGET, "/2/2"], title=EVIL)
            site.add_redirect("/moved", "javascript:alert(6)")
            settings = {"fetch__retries": 0, "store__text": True, "engine__max_pages": 30}
            async with crawler_of(Things, store, start, **settings) as crawler:
                await crawler.run()
            return start

    start = stage.run(make())
    poison(store, start)
    base = stage.enter(shown(store))
    return Hostile(store, f"{base}/{quote(store.stem, safe='')}", start)


ADDRESSES = {
    "host": "host?name={host}",
    "url": "url?url={start}1/11",
    "search": "search?q={evil}",
    "diff": "diff?from=1&to=1",
    "ask": "ask?action=block&target={host}",
    "sql": "sql?sql=SELECT+*+FROM+pages+JOIN+texts+USING+(page_id)+LIMIT+3",
    "pages": "pages?outcome=queued&host={evil}",
    "items": "items?where={evil}",
}


def addresses(base, start):
    """Return every view, and those that show something else where more is asked for."""
    words = {"host": start.rstrip("/"), "start": start, "evil": quote(EVIL.encode())}
    asked = [ADDRESSES.get(path, path).format(**words) for path in BY_PATH]
    return [f"{base}/{one}" for one in (*asked, "pages", "items", "url?url=" + quote(start))]


async def findings(tab):
    """Return what axe finds that is serious or worse."""
    axe = pytest.importorskip("axe_playwright_python.async_playwright")
    found = await axe.Axe().run(tab.page)
    return [
        (one["id"], [node["html"][:120] for node in one["nodes"]][:3])
        for one in found.response["violations"]
        if one["impact"] in ("serious", "critical")
    ]


SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
FOREIGN = "document.querySelectorAll('img, iframe, object, embed, script:not([src]), [onerror]')"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_view_loads_clean_runs_nothing_foreign_and_shuts_nobody_out(stage, hostile, dark):
    """Each view once, half of them dark, on a phone and a laptop by turns; `VIEWS=all`: in both."""
    base, start = hostile.base, hostile.start

    async def story():
        wrong, pages = {}, list(enumerate(addresses(base, start)))
        async with stage.tab(dark=dark) as tab:
            for at, address in pages if EVERY else pages[dark::2]:
                await tab.page.set_viewport_size({"width": (390, 1280)[at // 2 % 2], "height": 900})
                await tab.page.goto(address)
                where = address.removeprefix(base)
                text = await tab.page.inner_text("body")
                told = {
                    "trouble": await tab.trouble(),
                    "foreign": await tab.page.evaluate(f"{FOREIGN}.length"),
                    "hidden": [mark for mark in "\x1b\x07\u202e" if mark in text],
                    "sideways": await tab.page.evaluate(SIDEWAYS) > 0,
                    "axe": await findings(tab),
                }
                if any(told.values()):
                    wrong[where] = {key: value for key, value in told.items() if value}
            assert wrong == {}
            assert tab.asked == {base.rpartition("/")[0]}

    stage.run(story())


# ---------------------------------------------------------------- live, and steered by clicking

SEEN = """
window.seen = {};
new MutationObserver(() => {
    for (const row of document.querySelectorAll("#latest tr[id] .url"))
        seen[row.title] ??= Date.now() / 1000;
}).observe(document, { childList: true, subtree: true });
"""


@asynccontextmanager
async def crawling(store, site):
    """Crawl a web for half a minute; gives the crawl and when each URL was committed."""
    at = {}
    start = web_of(site, 300)
    site.add_page("/added", "<title>added</title>")
    settings = {"politeness__delay": 0.1, "engine__grace": 1.0}
    async with crawler_of(Things, store, start, **settings) as crawler:
        crawler.on_commit(lambda visits, _: at.update({v.todo.url: time.time() for v in visits}))
        running = asyncio.create_task(crawler.run())
        try:
            yield running, at
        finally:
            crawler.stop()
            await running


def test_a_crawl_is_seen_live_and_steered_by_clicking(stage, tmp_path):
    store = tmp_path / "things.db"

    async def story():
        async with (
            PracticeSite(robots=False) as site,
            crawling(store, site) as (running, committed),
            shown(store) as base,
            stage.tab() as tab,
        ):
            page = tab.page
            await page.add_init_script(SEEN)
            await page.goto(f"{base}/things/")
            await page.wait_for_selector("[data-state=running]")
            for _ in range(300):  # the page's policy lets no wait_for_function in
                if len(seen := await page.evaluate("seen")) > 24:
                    break
                await asyncio.sleep(0.1)
            late = sorted(seen[url] - committed[url] for url in list(seen)[8:])
            assert late[len(late) // 2] < 1.0, late

            await page.click("text=Pause")
            await page.wait_for_selector("[data-state=paused]")
            await page.wait_for_selector("#head :text('nothing is in flight')")
            await page.click("text=Resume")
            await page.wait_for_selector("[data-state=running]")

            await page.click("text=Add URLs")
            await page.fill("textarea", site.at("/added"))
            await page.fill("[name=priority]", "10")
            await page.click("button:text-is('Add')")
            await page.wait_for_selector("#log tr:has-text('add'):has-text('1 ')")
            site_name = site.url.split("/")[2]
            await page.fill("#block [name=target]", f"{site_name}/29/*")
            await page.click("text=Count first…")
            assert f"Block {site_name}/29/* and drop 10 URLs?" in await tab.text("h1")
            await page.fill("[name=reason]", "no end")
            await page.click("text=Drop 10 URLs and block")
            await page.wait_for_selector("#log tr:has-text('no end'):has-text('10')")
            await page.wait_for_selector("#block :text('29/*')")

            await page.goto(f"{base}/things/url?url={site.at('/added')}")
            await page.wait_for_selector("h1:has-text('Fetched once')")

            await page.click("text=Stop…")
            await page.click("button:text-is('Stop the crawl')")
            await asyncio.wait_for(running, 10)
            await page.goto(f"{base}/things/")
            assert "stopped it. " in await tab.text("#head")
            assert await tab.trouble() == []
            assert site.count("/added") == 1
            assert not [hit for hit in site.hits if hit.path.startswith("/29/")]
        rows = control.log(store)
        assert {row.via for row in rows} == {"page"} and {row.state for row in rows} == {"applied"}
        since, until = (datetime.fromisoformat(row.applied_at) for row in rows[:-3:-1])
        assert max(site.spacing()) > 0.9 * (until - since).total_seconds() > 0.1
        assert [row.action for row in rows][::-1] == ["pause", "resume", "add", "block", "stop"]

    stage.run(story())


def test_sql_and_search_and_keys_lead_where_they_say(stage, hostile):
    base = hostile.base

    async def story():
        async with stage.tab() as tab:
            page = tab.page
            await page.goto(f"{base}/")
            await page.keyboard.press("Tab")
            first = await page.evaluate("document.activeElement.textContent")
            assert first == "Skip to the content"
            await page.keyboard.press("g")
            await page.keyboard.press("s")
            await page.wait_for_url("**/sql")
            await page.fill("textarea", "SELECT 6 * 7 AS answer")
            await page.click("button:text-is('Run')")
            await page.wait_for_selector("td:has-text('42')")
            await page.fill("textarea", "SELECT url FROM pages WHERE url LIKE '%/1/11'")
            await page.keyboard.press("Control+Enter")
            await page.click("td a:has-text('/1/11')")
            await page.wait_for_selector("h1:has-text('Fetched once')")

            await page.keyboard.press("/")
            await page.keyboard.type("1/11")
            await page.keyboard.press("Enter")
            await page.click("#found a:has-text('/1/11')")
            await page.wait_for_selector("h1:has-text('Fetched once')")

            for view in VIEWS:
                if view.key:
                    await page.keyboard.press("g")
                    async with page.expect_navigation(url=f"{base}/{view.path}"):
                        await page.keyboard.press(view.key)
            await page.goto(f"{base}/hosts")
            await page.keyboard.press("j")
            await page.keyboard.press("Enter")
            await page.wait_for_url("**/host?name=*")
            await page.keyboard.press("?")
            assert await page.evaluate("document.querySelector('#keys').open")
            await page.click("#theme")
            assert await page.evaluate("document.documentElement.dataset.theme") == "dark"
            await page.reload()
            assert await page.evaluate("document.documentElement.dataset.theme") == "dark"
            await page.goto(f"{base}/nothing")
            assert "no such view" in await tab.text()
            assert [said for said in await tab.trouble() if "404" not in said] == []

    stage.run(story())


# ---------------------------------------------------------------- attacks by other sites

ATTACKS = """<title>evil</title>
<form id="form" method="post" action="BASE/control" target="frame">
  <input name="action" value="stop"></form>
<iframe name="frame"></iframe><iframe id="framed" src="BASE/"></iframe>
<img src="BASE/control?action=stop">
<script src="BASE/sql?sql=SELECT+1+AS+stolen&format=json"></script>
<link rel="stylesheet" href="BASE/stored?what=body&url=START">
<script>
window.stolen = [];
const took = (name) => (text) => text && stolen.push(name);
const body = new URLSearchParams({ action: "stop" });
const ask = (url, options) => fetch(url, options).then((answer) => answer.text());
form.submit();
window.over = Promise.allSettled([
  ask("BASE/control", { method: "POST", body, mode: "no-cors" }).then(took("post")),
  ask("BASE/control", { method: "POST", body, mode: "no-cors", credentials: "include" })
    .then(took("post with cookies")),
  ask("BASE/control", { method: "POST", body: '{"action":"stop"}', mode: "no-cors" })
    .then(took("post of JSON")),
  ask("BASE/control", { method: "PUT", body }).then(took("put")),
  ask("BASE/").then(took("page")),
  ask("BASE/", { mode: "no-cors" }).then(took("page without CORS")),
  ask("BASE/sql?sql=SELECT+1&format=csv").then(took("rows")),
  ask(new URL("/metrics", "BASE"), { headers: { "X-Asked-By": "1" } }).then(took("metrics")),
  new Promise((resolve) => {
    const source = new EventSource("BASE/events?view=");
    source.onmessage = source.onopen = () => resolve(stolen.push("events"));
    source.onerror = resolve;
  }),
  new Promise((resolve) => {
    const socket = new WebSocket("BASE/events".replace("http", "ws"));
    socket.onopen = () => resolve(stolen.push("socket"));
    socket.onerror = resolve;
  }),
  new Promise((resolve) => setTimeout(resolve, 300)).then(() => {
    try { stolen.push(framed.contentDocument.body.innerText && "frame"); } catch (error) {}
  }),
]).then(() => {
  if (navigator.sendBeacon("BASE/control", body)) return new Promise((go) => setTimeout(go, 200));
});
</script>"""


@pytest.mark.parametrize("host", ["evil.example", "localhost", "127.0.0.1"])
def test_a_site_in_the_same_browser_can_neither_steer_nor_read(stage, hostile, host):
    """A site of another name, and of our own machine at another port."""
    base, start = hostile.base, hostile.start
    asked = len(control.log(hostile.store))

    async def story():
        async with PracticeSite(robots=False) as site, stage.tab() as tab:
            site.add_page("/evil", ATTACKS.replace("BASE", base).replace("START", start))
            await tab.page.goto(site.at("/evil").replace("127.0.0.1", host))
            await tab.page.evaluate("over")
            assert [one for one in await tab.page.evaluate("stolen") if one] == []
            for frame in tab.page.frames[1:]:
                assert "Overview" not in await frame.content()
            answer = await tab.page.goto(base.replace("127.0.0.1", "rebound.example"))
            assert answer.status == 421
            assert "alert" not in await answer.text()

    stage.run(story())
    assert len(control.log(hostile.store)) == asked
