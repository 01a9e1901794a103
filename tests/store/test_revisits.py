"""When a page is due again follows what its visits found, within the bounds of the settings."""

from pathlib import Path

from data_story import SmallWeb, crawl, on_web, page, rows

from crawler import SiteSpider
from crawler.store import requeue

LATER = "2999-01-01T00:00:00.000Z"
BOUNDS = {"first": 100.0, "least": 40.0, "most": 200.0}


def test_the_time_to_the_next_visit_stays_within_the_settings(tmp_path: Path) -> None:
    path = tmp_path / "a.db"

    async def tell(web: SmallWeb) -> None:
        web.add("/", page("home", "/same", "/lively"), ETag='"1"')
        web.add("/same", page("same"), ETag='"2"')
        seen = []
        for turn in range(4):
            web.add("/lively", page("lively", text=str(turn)))
            await crawl(path, SiteSpider(web.url + "/"), revisit=BOUNDS)
            sql = "SELECT every FROM revisits JOIN pages USING (page_id) WHERE title = ?"
            seen.append([rows(path, sql, title) for title in ("same", "lively")])
            requeue.recrawl(path, LATER)
        assert seen[1:] == [
            [[(150.0,)], [(50.0,)]],
            [[(200.0,)], [(40.0,)]],
            [[(200.0,)], [(40.0,)]],
        ]

    on_web(tell)


def test_a_page_is_due_for_the_first_time_as_the_setting_says(tmp_path: Path) -> None:
    path = tmp_path / "a.db"

    async def tell(web: SmallWeb) -> None:
        web.add("/", page("home"))
        await crawl(path, SiteSpider(web.url + "/"))
        [(at,)] = rows(
            path, "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', fetched_at, '+60 seconds') FROM pages"
        )
        assert requeue.recrawl(path, at, every=61) == 0
        assert requeue.recrawl(path, at, every=60) == 1

    on_web(tell)
