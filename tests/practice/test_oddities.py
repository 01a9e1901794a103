"""The practice site's odd corners: redirects, statuses, encodings, hints, markup, traps."""

import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from urllib.parse import urljoin

import aiohttp
import pytest
from bs4 import BeautifulSoup
from practice_story import ask, on_site

from crawler.practice.encodings import SAMPLES


async def soup(client, path):
    async with client.get(path) as answer:
        assert answer.status == 200
        return BeautifulSoup(await answer.read(), "lxml")


@on_site()
async def test_a_chain_of_redirects_ends_on_a_page(site, client):
    async with client.get("/redirect/3") as answer:
        assert answer.url.path == "/redirect/done"
        assert [past.url.path for past in answer.history] == [f"/redirect/{n}" for n in (3, 2, 1)]


@pytest.mark.parametrize("path", ["/redirect/loop", "/redirect/self"])
@on_site()
async def test_a_loop_of_redirects_never_ends(site, client, path):
    with pytest.raises(aiohttp.TooManyRedirects):
        await ask(client, "GET", path, max_redirects=7)


@pytest.mark.parametrize(
    ("status", "method"),
    [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")],
)
@on_site()
async def test_every_redirect_status_leads_a_post_to_the_echo(site, client, status, method):
    async with client.post(f"/redirect/status/{status}", data=b"cargo") as answer:
        echoed = await answer.json()
        assert [past.status for past in answer.history] == [status]
    assert (echoed["method"], echoed["size"]) == (method, 5 if method == "POST" else 0)


@pytest.mark.parametrize("to", ["//evil.test/", "http://evil.test/"])
@on_site()
async def test_a_redirect_parameter_cannot_lead_off_the_site(site, client, to):
    assert (await ask(client, "GET", "/redirect/status/302", params={"to": to})).status == 400


@on_site()
async def test_there_is_no_way_off_the_site_unless_it_was_given_one(site, client):
    assert (await ask(client, "GET", "/redirect/offsite")).status == 404
    assert "/redirect/offsite" not in str(await soup(client, "/odd/"))


@pytest.mark.parametrize("code", [200, 204, 304, 400, 404, 418, 429, 500, 503, 599])
@on_site()
async def test_any_status_can_be_asked_for(site, client, code):
    assert (await ask(client, "GET", f"/status/{code}")).status == code


@on_site()
async def test_what_was_taken_down_is_410(site, client):
    assert (await ask(client, "GET", "/gone/")).status == 410


@on_site()
async def test_a_flaky_page_fails_first_and_can_be_made_to_fail_anew(site, client):
    async def visits(path, count):
        return [(await ask(client, "GET", path)).status for _ in range(count)]

    async with client.get("/flaky/a") as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert await visits("/flaky/a", 2) == [200, 200]
    assert await visits("/flaky/b?fail=2&after=0", 3) == [503, 503, 200]
    assert (await ask(client, "DELETE", "/flaky/a")).status == 204
    assert await visits("/flaky/a", 2) == [503, 200]
    site.reset()
    assert await visits("/flaky/b", 2) == [503, 200]


@on_site()
async def test_a_slow_page_takes_its_time(site, client):
    await ask(client, "GET", "/slow/?seconds=0.05")
    assert site.hits[0].ended - site.hits[0].started >= 0.05
    assert (await ask(client, "GET", "/slow/?seconds=soon")).status == 400


@pytest.mark.parametrize("name", [name for name, kept in SAMPLES.items() if kept.expected])
@on_site()
async def test_an_encoding_is_served_as_it_says(site, client, name):
    kept = SAMPLES[name]
    async with client.get(f"/encoding/{name}/") as answer:
        body = await answer.read()
        assert answer.headers["Content-Type"] == kept.header
    assert kept.expected in body.decode(kept.codec)
    assert kept.meta.encode() in body
    with pytest.raises(UnicodeDecodeError):
        body.decode("ascii")


@on_site()
async def test_a_mislabelled_page_is_not_what_its_header_says(site, client):
    async with client.get("/encoding/mislabelled/") as answer:
        assert answer.charset == "utf-8"
        with pytest.raises(UnicodeDecodeError):
            (await answer.read()).decode("utf-8")


@on_site()
async def test_links_under_a_base_lead_to_pages_below_it(site, client):
    tree = await soup(client, "/odd/base/")
    for link in tree.select("main a"):
        address = urljoin(tree.select_one("base")["href"], link["href"])
        assert (await ask(client, "GET", address)).status == 200
        assert (await ask(client, "GET", urljoin("/odd/base/", link["href"]))).status == 404


HINTS = [
    ("/odd/noindex/", 'meta[name=robots][content="noindex, nofollow"]'),
    ("/odd/nofollow-link/", 'main a[rel=nofollow][href="/odd/behind/rel/"]'),
    ("/odd/refresh/", 'meta[http-equiv=refresh][content="0; url=/odd/refreshed/"]'),
    ("/odd/canonical/?ref=mail", 'link[rel=canonical][href="/odd/canonical/"]'),
    ("/odd/hreflang/de/", 'link[rel=alternate][hreflang=fr][href="/odd/hreflang/fr/"]'),
    ("/odd/hreflang/de/", 'html[lang="de"]'),
    ("/odd/images/", 'source[srcset="/img/wide.svg 1200w, /img/wider.svg 2400w"]'),
    ("/odd/frames/", 'iframe[src="/odd/behind/frame/"]'),
    ("/odd/links/", 'a[href="javascript:void(0)"]'),
]


@pytest.mark.parametrize(("path", "selector"), HINTS)
@on_site()
async def test_an_odd_page_carries_its_hint(site, client, path, selector):
    assert len((await soup(client, path)).select(selector)) == 1


@on_site()
async def test_a_hint_to_robots_can_stand_in_the_headers(site, client):
    assert (await ask(client, "GET", "/odd/x-robots-tag/")).headers["X-Robots-Tag"] == "noindex"


@on_site()
async def test_every_link_of_the_broken_page_is_found_and_leads_somewhere(site, client):
    links = [a["href"] for a in (await soup(client, "/odd/broken/")).select("a[href]")]
    paths = {link.strip().replace("\n", "") for link in links}
    assert len(paths) == 10
    assert "/odd/broken/never/" not in paths
    for path in paths:
        assert (await ask(client, "GET", path)).status == 200
    assert (await ask(client, "GET", "/odd/broken/never/")).status == 404


@on_site()
async def test_a_deep_page_nests_as_deeply_as_asked(site, client):
    text = await (await ask(client, "GET", "/odd/deep/?depth=5000")).text()
    assert text.count("<div>") == text.count("</div>") == 5000
    assert (await ask(client, "GET", "/odd/deep/?depth=100001")).status == 400


@on_site()
async def test_pictures_are_svg(site, client):
    async with client.get("/img/double.svg") as answer:
        assert (answer.status, answer.content_type) == (200, "image/svg+xml")


@pytest.mark.parametrize("trap", range(5))
@on_site()
async def test_a_trap_always_has_another_page(site, client, trap):
    here, seen = "/trap/", set()
    for step in range(12):
        links = (await soup(client, here)).select("main a")
        here = urljoin(here, links[trap if step == 0 else 0]["href"])
        assert here not in seen
        seen.add(here)


def test_the_site_serves_until_it_is_interrupted():
    code = "from crawler.practice import serve; serve(port=0, ready=lambda u: print(u, flush=True))"
    command = [sys.executable, "-c", code]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        url = process.stdout.readline().strip()
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
    assert "KeyboardInterrupt" in errors
    assert "Unclosed" not in errors


DOCS = (Path(__file__).parents[2] / "docs" / "practice.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", re.findall(r"^\| `(/[^`?]*)`", DOCS, re.MULTILINE))
@on_site()
async def test_every_address_in_the_documentation_is_there(site, client, path):
    status = (await ask(client, "GET", path)).status
    assert status == {
        "/auth/basic/": 401,
        "/status/418": 418,
        "/flaky/key": 503,
        "/upload": 405,
        "/api/search": 405,
    }.get(path, 200)


def test_the_example_in_the_documentation_runs(capsys):
    exec(DOCS.split("```python\n")[1].split("```")[0], {"__name__": "example"})
    assert capsys.readouterr().out.splitlines() == ["200 /left", "1 1 1"]
