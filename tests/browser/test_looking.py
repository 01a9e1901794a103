"""A rendered page looked at from the command line, and what is missing for it."""

import asyncio
from pathlib import Path

import pytest
from browser_story import SANDBOX, needs_browser, render_all

from crawler import Spider
from crawler.browser import finding
from crawler.cli import run
from crawler.inspect.query import Reader
from crawler.inspect.why import why
from crawler.practice import PracticeSite

OWN = ["--set", f"browser.sandbox={SANDBOX}", "--set", "browser.settle=0.2"]


@needs_browser
def test_fetch_renders_a_page_and_takes_a_picture_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "new" / "shelf.png"

    async def story() -> None:
        async with PracticeSite() as site:
            url = site.at("/app/category/clocks")
            plain = await asyncio.to_thread(run, ["fetch", url, "--links", *OWN])
            assert plain == 0 and "/app/product/" not in capsys.readouterr().out
            code = await asyncio.to_thread(
                run, ["fetch", url, "--links", "--screenshot", str(picture), *OWN]
            )
            told = capsys.readouterr().out
            assert code == 0 and "/app/product/" in told and "browser  Chromium" in told

    asyncio.run(story())
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_without_the_extra_it_is_a_mistake_in_the_call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(finding, "driver", lambda: None)
    for command in (
        ["fetch", "--browser", "http://127.0.0.1:1/"],
        ["shell", "--browser", "http://127.0.0.1:1/"],
        [
            "crawl",
            "http://127.0.0.1:1/",
            "--set",
            "browser.mode=auto",
            "--store",
            f"{tmp_path}/x.db",
        ],
    ):
        assert run(command) == 2
        error = capsys.readouterr().err
        assert "pip install 'crawlkeep[browser]'" in error and "\n" not in error.strip()
    assert not (tmp_path / "x.db").exists()


class Shop(Spider):
    """Starts with pages that are nothing without their scripts."""

    name = "shop"


@needs_browser
def test_why_tells_of_the_rendering_and_of_what_was_learnt(tmp_path: Path) -> None:
    store = tmp_path / "crawl.db"

    async def tell() -> list[str]:
        async with PracticeSite() as site, asyncio.timeout(60):
            urls = [site.at(f"/app/category/{name}") for name in ("clocks", "lamps", "kitchen")]
            await render_all(Shop, store, *urls, browser__mode="auto")
            return urls

    urls = asyncio.run(tell())
    with Reader(store) as reader:
        told = [*why(reader, urls[0], ())]
    [rendered] = [text for about, text in told if about == "rendered"]
    assert rendered.startswith("by Chromium") and "why:" in rendered
    [learnt] = [text for about, text in told if about == "browser"]
    assert "need a browser" in learnt and "(3 in a row)" in learnt
