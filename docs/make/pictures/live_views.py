"""Take pictures of every view of the live page, on a phone, a laptop and a wide screen.

`python docs/make/pictures/live_views.py` makes a store like that of a crawl of many hosts, opens
each view in Chromium, and writes build/pictures/*.webp, light and dark (some five minutes); those
that the documentation shows are written to docs/pictures, too (`PICTURES=docs`: these alone), with
the words that stand in them in live.json: a test compares those with the views of now. It ends with
exit code 1 where axe-core finds something serious, a view can be moved sideways, or the
console has something to say.
"""

import base64
import contextlib
import html
import json
import os
import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests" / "support")]

from live_page import large  # noqa: E402
from page_story import Stage, got, shown  # noqa: E402

from crawler import control  # noqa: E402
from crawler.dashboard.views import BY_PATH  # noqa: E402

ALL, SHOWN = ROOT / "build" / "pictures", ROOT / "docs" / "pictures"
WIDTHS = {"phone": (390, 844), "laptop": (1280, 860), "wide": (1680, 1000)}
TAKEN = [(size, dark) for size in WIDTHS for dark in (False, True) if size != "wide" or not dark]
JUDGED = {("laptop", False), ("phone", True)}  # by axe-core: a minute each
URL = "http://h3.example/shop/13/item-3333?page=1"
ADDRESSES = {
    "": "",
    "host": "host?name=http://h3.example",
    "url": f"url?url={URL}",
    "search": "search?q=item+777",
    "diff": "diff?from=1&to=1",
    "ask": "ask?action=block&target=h350.example/*",
    "sql": "sql?sql=SELECT+outcome,+status,+count(*)%0AFROM+errors+GROUP+BY+1,+2",
    "pages": "pages?outcome=errors",
}
IN_DOCS = {
    ("overview", "laptop", False): "live-overview",
    ("overview", "phone", True): "live-phone",
    ("hosts", "laptop", True): "live-hosts",
    ("ask", "laptop", False): "live-block",
    ("map", "laptop", False): "live-map",
}
WORDS = SHOWN / "live.json"
LABEL = re.compile(
    r"<(h1|h2|h3|th|button|summary|legend|label|caption|a(?= [^>]*data-key))\b[^>]*>(.*?)</\1>",
    re.DOTALL,
)
"""What a view calls things: its headings, columns, fields and buttons, and the menu."""
FEW = os.environ.get("PICTURES") == "docs"
QUALITY = 60
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def labels(page: str) -> list[str]:
    """Return the words of a view that do not depend on the crawl, without their figures."""
    plain = (html.unescape(re.sub("<[^>]+>", " ", found)) for _, found in LABEL.findall(page))
    return [" ".join(re.sub(r"\d[\d.,]*", "#", text).split()) for text in plain]


async def words(base: str) -> dict[str, list[str]]:
    """Return the labels of each view that the documentation shows."""
    views = dict.fromkeys(view for view, _, _ in IN_DOCS)
    paths = {view: ADDRESSES.get(view, "" if view == "overview" else view) for view in views}
    paths["ask"] = paths["ask"].replace("h350", "h5")  # of small stores, too, it has a queue
    return {view: labels((await got(f"{base}/shop/{path}"))[1]) for view, path in paths.items()}


async def take(tab, *, whole: bool) -> bytes:
    """Return what is seen as WebP: `whole`, of the whole page however long."""
    session = await tab.page.context.new_cdp_session(tab.page)
    size = await tab.page.evaluate(
        "[innerWidth, document.documentElement.scrollHeight, innerHeight]"
    )
    clip = {"x": 0, "y": 0, "width": size[0], "height": min(size[1 if whole else 2], 4000)}
    asked = {"format": "webp", "quality": QUALITY, "captureBeyondViewport": whole}
    answer = await session.send("Page.captureScreenshot", {**asked, "clip": {**clip, "scale": 1}})
    await session.detach()
    return base64.b64decode(answer["data"])


async def serious(tab) -> list[str]:
    """Return what axe-core finds that is serious or worse."""
    from axe_playwright_python.async_playwright import Axe

    found = (await Axe().run(tab.page)).response["violations"]
    return [one["id"] for one in found if one["impact"] in ("serious", "critical")]


async def picture(stage, base: str, size: str, *, dark: bool) -> list[str]:
    """Take every view in one size and theme; return what is wrong."""
    width, height = WIDTHS[size]
    wrong = []
    async with stage.tab(width=width, dark=dark) as tab:
        await tab.page.set_viewport_size({"width": width, "height": height})
        for path in BY_PATH:
            name = path or "overview"
            if FEW and (name, size, dark) not in IN_DOCS:
                continue
            await tab.page.goto(f"{base}/shop/{ADDRESSES.get(path, path)}")
            file = ALL / f"{name}-{size}-{'dark' if dark else 'light'}.webp"
            file.write_bytes(await take(tab, whole=True))
            if shown_as := IN_DOCS.get((name, size, dark)):
                (SHOWN / f"{shown_as}.webp").write_bytes(await take(tab, whole=False))
            told = await tab.trouble()
            if (size, dark) in JUDGED:
                told += await serious(tab)
            if await tab.page.evaluate(SIDEWAYS) > 0:
                told.append("can be moved sideways")
            wrong += [f"{name}, {size}, {'dark' if dark else 'light'}: {one}" for one in told]
    return wrong


def main() -> int:
    ALL.mkdir(parents=True, exist_ok=True)
    SHOWN.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, Stage() as stage:
        os.chdir(folder)  # so that the page shows where a store lies as it does to everyone
        store = Path("data") / "shop.db"
        store.parent.mkdir()
        with contextlib.redirect_stdout(None):
            large(store, 40_000)
        control.ask(store, "set", "http://h5.example", value="delay=2", reason="they asked for it")
        base = stage.enter(shown(store))
        wrong = []
        for size, dark in TAKEN:
            wrong += stage.run(picture(stage, base, size, dark=dark), limit=300)
        WORDS.write_text(json.dumps(stage.run(words(base)), indent=1) + "\n", encoding="utf-8")
    if wrong:
        print(json.dumps(wrong, indent=1), file=sys.stderr)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
