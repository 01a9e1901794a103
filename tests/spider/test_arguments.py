"""A crawl goes on with the arguments it was made with, and with no others."""

import asyncio
import json
from dataclasses import make_dataclass
from pathlib import Path
from typing import Any

import pytest
from cli_story import Desk
from data_story import SmallWeb, crawl, on_web, page, rows

from crawler import Crawler, Spider, item
from crawler.config.secrets import Secret
from crawler.errors import SpiderError
from crawler.spider.arguments import filled, kept, refuse_other


class Shop(Spider):
    """Knows `category` and `lang` by its class, `tag` and `token` by its code alone."""

    name = "shop"
    category = "none"
    lang: str

    def start(self) -> Any:
        return [getattr(self, "tag", None), self.token]  # type: ignore[attr-defined]


class Own(Spider):
    """Takes its arguments itself."""

    name = "own"

    def __init__(self, city: str, *, limit: int = 5) -> None:
        super().__init__()
        self.city, self.limit = city, limit


@pytest.mark.parametrize("name", ["category", "lang", "tag", "token", "start_urls"])
def test_an_argument_that_the_spider_declares_or_reads_is_known(name: str) -> None:
    assert getattr(Shop(**{name: "x"}), name) == "x"


@pytest.mark.parametrize(("wrong", "near"), [("categroy", "category"), ("langs", "lang")])
def test_an_unknown_argument_is_refused_with_the_nearest_name(wrong: str, near: str) -> None:
    with pytest.raises(SpiderError, match=f"shop has no '{wrong}'; did you mean '{near}'"):
        Shop(**{wrong: "x"})


SAME = [
    (Shop(category="tea"), Shop(category="tea")),
    (Shop(), Shop(category="none")),  # its default
    (Own("Bern"), Own(city="Bern", limit=5)),
    (Shop(token="s3cret"), Shop(token="s3cret")),
    (Shop(token=Secret("TOKEN")), Shop(token=Secret("TOKEN"))),  # type: ignore[arg-type]
]
OTHER = [
    (Shop(category="tea"), Shop(category="coffee"), "category=tea, not with category=coffee"),
    (Shop(category="tea"), Shop(), "category=tea, not with category=none"),
    (Shop(), Shop(tag="x"), "no tag, not with tag=x"),
    (Own("Bern"), Own("Thun"), "city=Bern, not with city=Thun"),
    (Own("Bern"), Own("Bern", limit=6), "limit=5, not with limit=6"),
    (Shop(token="s3cret"), Shop(token="0ther"), r"token=\*\*\*, not with another token"),
    (Shop(token="s3cret"), Shop(), r"token=\*\*\*, not with no token"),
    (Shop(token=Secret("A")), Shop(token=Secret("B")), "not with"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("was", "now"), SAME)
def test_the_same_arguments_are_taken_however_they_are_given(was: Spider, now: Spider) -> None:
    refuse_other(now, kept(was), "a.db")


@pytest.mark.parametrize(("was", "now", "words"), OTHER)
def test_other_arguments_are_refused_with_both_and_the_way_out(
    was: Spider, now: Spider, words: str
) -> None:
    with pytest.raises(SpiderError, match=f"{words}.*--store.*--fresh") as caught:
        refuse_other(now, kept(was), "a.db")
    assert "s3cret" not in str(caught.value) and "0ther" not in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        {"token": "s3cret"},
        {"tag": "https://me:s3cret@h.example/"},
        {"tag": {"headers": {"Authorization": "s3cret"}}},
        {"tag": ["http://me:s3cret@proxy.example"]},
    ],
)
def test_a_secret_is_not_kept_in_clear_nor_alike_twice(given: dict[str, Any]) -> None:
    first, second = kept(Shop(**given)), kept(Shop(**given))
    assert "s3cret" not in first
    assert first != second
    refuse_other(Shop(**given), first, "a.db")


def test_what_is_not_given_is_filled_in_from_the_crawl() -> None:
    stored = kept(Shop(category="tea", lang="de", tag=Secret("T")))  # type: ignore[arg-type]
    assert filled(Shop, {"category": "tea"}, stored) == {
        **{"category": "tea", "lang": "de", "tag": Secret("T")}
    }
    with pytest.raises(SpiderError, match="give it again: -a token="):
        filled(Shop, {}, kept(Shop(token="s3cret")))


# ---------------------------------------------------------------- in a crawl

SHOP = """
from crawler import Spider
class Shop(Spider):
    name = "shop"
    category = "none"
    @property
    def start_urls(self):
        return [f"{web}/{{self.category}}"]
    def parse(self, page):
        yield {{"category": self.category, "url": page.url}}
        yield from page.follow_all("a")
"""
RUN = ["run", "shop", "--set", "politeness.delay=0", "--quiet"]
REPARSE, RECRAWL = ["reparse", "shop"], ["recrawl", "shop", "--all", "--quiet"]
OTHERS = ["category=coffee", "category=none", "categroy=tea"]


def test_the_command_line_goes_on_with_the_arguments_of_the_crawl(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    store = tmp_path / "data" / "shop.db"

    async def tell(web: SmallWeb) -> None:
        for name in ("tea", "coffee", "none"):
            web.add(f"/{name}", page(name, f"/{name}/1"))
            web.add(f"/{name}/1", page(f"{name} 1"))
        (tmp_path / "spiders" / "shop.py").write_text(SHOP.format(web=web.url))
        refused = [[*do, "-a", other] for other in OTHERS for do in (RUN, REPARSE, RECRAWL)]
        first = [*RUN, "-a", "category=tea", "--max-pages", "1"]
        done = await asyncio.to_thread(desk.run_all, [first, *refused, RUN, REPARSE, RECRAWL])
        assert [command.code for command in done] == [0, *[2] * len(refused), 0, 0, 0]
        said = "".join(command.err for command in done)
        assert said.count("category=tea, not with category=coffee; give this one another") == 3
        assert said.count("did you mean 'category'?") == 3
        assert "2 items as before, 0 added" in done[-2].out
        assert {path for path, _ in web.asked if path != "/robots.txt"} == {"/tea", "/tea/1"}
        assert rows(store, "SELECT DISTINCT category FROM item") == [("tea",)]
        fresh = [*RUN, "-a", "category=coffee", "--fresh"]
        assert (await asyncio.to_thread(desk.run, *fresh)).code == 0
        assert rows(store, "SELECT DISTINCT category FROM item") == [("coffee",)]

    on_web(tell)


def test_a_program_is_refused_other_arguments_too(tmp_path: Path) -> None:
    class Small(Shop):
        def start(self) -> Any:
            from crawler import Request

            return [Request(f"{self.lang}/{self.category}")]

    async def tell(web: SmallWeb) -> None:
        web.add("/tea", page("tea"))
        await crawl(tmp_path / "a.db", Small(category="tea", lang=web.url))
        with pytest.raises(SpiderError, match="category=tea, not with category=coffee"):
            await crawl(tmp_path / "a.db", Small(category="coffee", lang=web.url))
        with pytest.raises(SpiderError, match="not with category=none"):
            async with Crawler(Small(lang=web.url), store=tmp_path / "a.db"):
                pass
        [(stored,)] = rows(tmp_path / "a.db", "SELECT value FROM crawl WHERE key = 'arguments'")
        assert json.loads(stored)["category"] == {"value": "tea"}

    on_web(tell)


def test_a_run_that_never_began_binds_to_no_arguments(tmp_path: Path) -> None:
    class Late(Shop):
        def start(self) -> Any:
            from crawler import Request

            if self.category == "none":
                raise ValueError("give a category")
            return [Request(f"{self.lang}/{self.category}")]

    async def tell(web: SmallWeb) -> None:
        web.add("/tea", page("tea"))
        with pytest.raises(Exception, match="give a category"):
            await crawl(tmp_path / "a.db", Late(lang=web.url))
        summary = await crawl(tmp_path / "a.db", Late(lang=web.url, category="tea"))
        assert summary.pages == 1

    on_web(tell)


def test_an_item_class_that_cannot_be_a_table_is_refused_before_the_first_fetch(
    tmp_path: Path,
) -> None:
    import sys
    import types

    module = types.ModuleType("shop_with_a_wrong_item")
    module.Wrong = item(key="nope")(make_dataclass("Wrong", [("a", str)]))  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    try:
        kind = type("S", (Shop,), {"__module__": module.__name__})
        with pytest.raises(SpiderError, match="the key 'nope' is none of its fields"):
            Crawler(kind, store=tmp_path / "a.db")
    finally:
        del sys.modules[module.__name__]
    assert not (tmp_path / "a.db").exists()
