"""Pages made to hurt: parsed or refused in time and memory, while the event loop stays awake.

Each case runs in a process of its own, so that its memory is its own.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from calm import busy

# Seconds that the event loop may stand still, less what other programs took of them. 0.05 is what
# we promise and bench/stall.py measures; a test that other programs can disturb asks for less.
STALL = 0.05
DISTURBED = 4 * STALL
MEMORY = 300  # MB

PAGES = {
    "nested": ("'<div>' * 50_000 + '<a href=/end>end</a>'", 1),
    "large": ("('<p>' + 'word ' * 400 + '<a href=/x{n}>more</a></p>') * 4_900", 10),
    "links": ("''.join(f'<a href=\"/page/{n}\">Page {n}</a>' for n in range(200_000))", 6),
    "foreign links": (
        "''.join(f'<a href=\"http://h{n}.example/\">Page {n}</a>' for n in range(200_000))", 8
    ),
    "nul": ("'\\0' * 5_000_000 + '<a href=/end>end</a>' + '\\0' * 5_000_000", 10),
    "wrong encoding": ("('<p>' + 'öäü €' * 200 + '</p>') * 5_000", 10),
    "one comment": ("'<!--' + '<a href=/no>' * 800_000 + '--><a href=/end>'", 10),
    "one script": ("'<script>' + '</scrip' * 1_400_000 + '</script><a href=/end>'", 10),
    "one tag": ("'<a ' + 'b=\"c\" ' * 1_600_000 + ' href=/end>'", 10),
    "angles": ("'<' * 10_000_000", 10),
    "quotes": ("'<a b=' + '\"\\'' * 5_000_000", 10),
    "no end": ("'<title>' + '<' * 10_000_000", 10),
}  # fmt: skip


def calmest(folder: Path, page: str, **settings: object) -> dict[str, float]:
    """The figures with the shortest stall of up to three runs: other programs stall it, too."""
    found = measured(folder / "0.db", page, **settings)
    for number in (1, 2):
        if found["stall"] >= DISTURBED:
            again = measured(folder / f"{number}.db", page, **settings)
            found = min(found, again, key=lambda figures: figures["stall"])
    return found


def measured(store: Path, page: str, **settings: object) -> dict[str, float]:
    """Crawl a site with this page, and a second host beside it, in another process."""
    command = [sys.executable, __file__, str(store), page, json.dumps(settings)]
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "support")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, env=here)
    assert done.returncode == 0, done.stderr
    found: dict[str, float] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", PAGES)
def test_a_hostile_page_neither_stalls_the_loop_nor_fills_the_memory(
    tmp_path: Path, name: str
) -> None:
    page, megabytes = PAGES[name]
    found = calmest(tmp_path, page)
    assert found["cpu"] < megabytes + 4.0, found
    assert found["memory"] < MEMORY, found
    assert found["stall"] < DISTURBED or busy(), found
    assert found["others"] == 21, found
    assert found["todo"] == 0 or name == "links", found


# The full pass works twice as long, and is disturbed as much more. Fewer links do for a test of it.
@pytest.mark.parametrize(("name", "stall"), [("one tag", DISTURBED), ("links", 2 * DISTURBED)])
def test_the_full_pass_over_a_hostile_page_does_not_stall_the_loop(
    tmp_path: Path, name: str, stall: float
) -> None:
    page, megabytes = PAGES[name]
    found = calmest(tmp_path, page.replace("200_000", "60_000"), links={"nofollow": True})
    assert found["cpu"] < 2 * megabytes + 8.0, found
    assert found["stall"] < stall or busy(), found


# ---------------------------------------------------------------- the other process


def main() -> None:
    import asyncio
    import gc
    import resource
    import time

    from aiohttp import web

    from crawler import Crawler, SiteSpider

    gc.freeze()  # garbage is collected as in a crawl from the command line
    gc.set_threshold(50_000, 20, 100)
    store, text, settings = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    body = eval(text).encode("utf-8")
    kind = "text/html; charset=shift_jis" if "öäü" in text else "text/html; charset=utf-8"
    steps: list[tuple[float, float]] = []
    asked = {"others": 0}
    times: dict[str, float] = {}
    stopped = asyncio.Event()

    async def hostile(request: web.Request) -> web.StreamResponse:
        if request.path.startswith("/page/"):
            # What 200,000 links lead to is not what is measured: that they are queued is enough.
            await stopped.wait()
        if request.path != "/":
            raise web.HTTPNotFound
        return web.Response(body=body, headers={"Content-Type": kind})

    async def friendly(request: web.Request) -> web.Response:
        asked["others"] += 1
        number = int(request.path.strip("/") or 0)
        link = f'<a href="/{number + 1}">' if number < 20 else ""
        return web.Response(text=link, content_type="text/html")

    async def served(handler: object, address: str) -> tuple[web.AppRunner, str]:
        app = web.Application()
        app.router.add_get("/{tail:.*}", handler)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, address, 0)
        await site.start()
        return runner, f"http://{address}:{runner.addresses[0][1]}/"

    async def watch() -> None:
        """Note by how much each tick is late, and how much of that this process worked."""
        last, worked = time.perf_counter(), time.process_time()
        while True:
            await asyncio.sleep(0.001)
            now, used = time.perf_counter(), time.process_time()
            late = now - last - 0.001
            steps.append((min(late, used - worked), late))
            last, worked = now, used

    async def story() -> None:
        one, hostile_url = await served(hostile, "127.0.0.1")
        two, friendly_url = await served(friendly, "127.0.0.2")
        all_settings = {
            "politeness": {"delay": 0, "robots": False, "per_host": 4, "adaptive": False},
            "fetch": {"retries": 0},
            "engine": {"max_depth": None},
        } | settings
        spider = SiteSpider(hostile_url, friendly_url)
        async with Crawler(spider, store=store, settings=all_settings) as crawler:
            watcher = asyncio.create_task(watch())

            def enough(visits: object, committed: object) -> None:
                if asked["others"] == 21 and crawler.stats.new > 50_000:
                    crawler.stop()
                    stopped.set()

            crawler.on_commit(enough)
            began = resource.getrusage(resource.RUSAGE_SELF)
            await crawler.run()
            ended = resource.getrusage(resource.RUSAGE_SELF)
            watcher.cancel()
            times["todo"] = crawler.frontier.pending
        times["cpu"] = ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime
        await one.cleanup()
        await two.cleanup()

    asyncio.run(story())
    # Not ru_maxrss: a child begins with that of the process it was started from.
    status = Path("/proc/self/status").read_text()
    memory = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    stalls = sorted(stall for stall, _ in steps)
    figures = {**times, **asked, "memory": memory, "stall": stalls[-1]}
    figures["late"] = max(late for _, late in steps)
    figures["stalls"] = [round(step, 3) for step in stalls[-5:]]
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
