"""Every mistake in a spider that can be known before the first fetch is told before it."""

import importlib.util
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from crawl_story import crawl, story

from crawler import Crawler, Request, Rule, Spider
from crawler.errors import SpiderError
from crawler.spider import check

HEAD = """
import functools
from functools import partial
from crawler import Download, Request, Rule, ScrapedPage, Spider

def outside(page):
    return {"a": 1}

class Other:
    def two(self, page):
        return {"x": 1}

other = Other()

class S(Spider):
    name = "s"
    start_urls = ["http://127.0.0.1:9/"]

"""

TWO = "def two(self, page): return None\nheld = other\ndef needs(self, page, more): return None"

# What a spider says, and what its author is told, with the line where it stands.
CALLBACKS = {
    "a lambda": ("callback=lambda page: None", ["a lambda", "make it a method"]),
    "a partial": ("callback=partial(self.two, x=1)", ["a partial", "args={"]),
    "a partial by its module": ("callback=functools.partial(self.two)", ["a partial"]),
    "a function": ("callback=outside", ["outside is a function outside of the spider"]),
    "another object's method": ("callback=Other().two", ["Other().two", "another object"]),
    "a known object's method": ("callback=other.two", ["other.two", "another object"]),
    "a private method": ("callback=self.__two", ["__two is private", "call it _two"]),
    "a misspelt method": ("callback=self.tow", ["'tow'", "did you mean 'two'"]),
    "a misspelt name": ("callback='tow'", ["'tow'", "did you mean 'two'"]),
    "a method that is called": ("callback=self.two(page)", ["self.two is called here"]),
    "a class": ("callback=Other", ["Other is a class"]),
    "a number": ("callback=5", ["5 is no method"]),
    "a method of what the class holds": (
        "callback=self.held.two",
        ["self.held.two", "another obj"],
    ),
    "one of two": ("callback=self.two if page.links else self.tow", ["did you mean 'two'"]),
    "a method with arguments of its own": ("callback=self.needs", ["for needs()", "'more'"]),
    "an errback": ("errback=lambda *told: None", ["errback: a lambda"]),
    "a misspelt errback": ("errback=self.tow", ["has no errback 'tow'"]),
    "arguments": ("callback=self.two, args={'x': 1}", ["args of a request for two()", "'x'"]),
}


def load(source: str, folder: Path) -> Any:
    """Run the source of a spider as a file, and give its class."""
    file = folder / "mistaken.py"
    file.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("mistaken", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mistaken"] = module
    spec.loader.exec_module(module)
    return module.S


def body(*lines: str) -> str:
    return HEAD + textwrap.indent("\n".join(lines), "    ") + "\n"


def told(source: str, folder: Path) -> str:
    """What the author is told before a store is even opened."""
    with pytest.raises(SpiderError) as caught:
        Crawler(load(source, folder), store=folder / "s.db")
    assert not (folder / "s.db").exists()
    return str(caught.value)


@pytest.mark.parametrize("kind", CALLBACKS)
@pytest.mark.parametrize("maker", ["Request(page.url, {})", "page.follow('/x', {})"])
def test_a_callback_that_cannot_be_is_told_with_its_line(kind: str, maker: str, tmp_path: Path):
    given, words = CALLBACKS[kind]
    source = body("def parse(self, page):", f"    yield {maker.format(given)}", TWO)
    line = next(n for n, text in enumerate(source.splitlines(), 1) if "yield" in text)
    said = told(source, tmp_path)
    assert f"mistaken.py:{line}: s: " in said
    assert all(word in said for word in words), said


def test_a_lambda_by_a_name_is_told_with_its_line(tmp_path: Path) -> None:
    source = body(
        "def parse(self, page):", "    f = lambda page: None", "    yield page.follow('/x', f)"
    )
    assert "f is a lambda; a request is kept by the name" in told(source, tmp_path)


def test_a_decorator_may_give_an_argument_and_a_static_method_takes_the_page_alone(
    tmp_path: Path,
) -> None:
    head = ["def giving(method):", "    @functools.wraps(method)"]
    head += ["    def inner(self, *given): return method(self, *given, 1)", "    return inner"]
    own = ["@giving", "def with_more(self, page, more): return None", "@staticmethod"]
    own += ["def alone(page): return None", "def parse(self, page):"]
    own += [f"    yield page.follow('/x', self.{name})" for name in ("with_more", "alone")]
    check(load(body(*head, *own), tmp_path)())


LOST = {
    "a generator": ("self.gen(page)", "yield from self.gen(…)"),
    "a generator that is yielded": ("yield self.gen(page)", "yield from self.gen(…)"),
    "a generator above": ("super().gen(page)", "yield from super().gen(…)"),
    "a coroutine": ("self.wait(page)", "async def` and `await self.wait(…)"),
    "an asynchronous generator": ("self.agen(page)", "async for each in self.agen(…): yield each"),
    "a list beside a yield": ("return [{'a': 1}]", "what parse() returns beside its `yield`"),
    "a request beside a yield": ("return page.follow('/a')", "what parse() returns beside"),
    "a generator beside a yield": ("return self.gen(page)", "what parse() returns beside"),
}
GIVES = """class Base(Spider):
    def gen(self, page):
        yield {"a": 1}
    async def agen(self, page):
        yield {"a": 1}
    async def wait(self, page):
        return {"a": 1}
    def note(self, page):
        return None

class S(Base):"""


@pytest.mark.parametrize("what", LOST)
def test_a_result_that_nobody_takes_is_told_with_its_line(what: str, tmp_path: Path) -> None:
    text, words = LOST[what]
    source = body("def parse(self, page):", "    yield {'b': 1}", f"    {text}")
    source = source.replace("class S(Spider):", GIVES)
    line = source.rstrip().count("\n") + 1
    said = told(source, tmp_path)
    assert f"mistaken.py:{line}: s: " in said and words in said


def test_a_result_that_somebody_takes_is_let_through(tmp_path: Path) -> None:
    source = body(
        "async def parse(self, page):",
        "    self.note(page)",
        "    await self.wait(page)",
        "    async for each in self.agen(page): yield each",
        "    later = [self.gen(page)]",
        "    for each in later[0]: yield each",
        "def other(self, page):",
        "    found = yield from self.more(page)",
        "    yield {'found': found}",
        "    return self.note(page)",
        "def more(self, page):",
        "    yield {'a': 1}",
        "    return [1]",
        "def plain(self, page):",
        "    def inner(): yield 1",
        "    return list(inner()) and self.gen(page)",
    ).replace("class S(Spider):", GIVES)
    Crawler(load(source, tmp_path), store=tmp_path / "s.db")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def parse(self, page, kind): return None", "parse() of a start URL gets the page alone"),
        (
            "def on_error(self, a, b, c, d, e, kind): return None",
            "on_error() gets request, outcome",
        ),
        (
            "def go(self, page): yield Request(page.url, errback=self.other)\n"
            "def other(self, request, *, kind): return None",
            "other() gets request, outcome",
        ),
        (
            "rules = [Rule(callback='needs')]\ndef needs(self, page, kind): return None",
            "for needs()",
        ),
    ],
)
def test_a_callback_that_takes_what_nothing_gives_it_is_told(
    text: str, words: str, tmp_path: Path
) -> None:
    said = told(body(*text.splitlines()), tmp_path)
    assert words in said and "'kind'" in said and "mistaken.py:" in said


def test_arguments_may_come_from_a_dictionary(tmp_path: Path) -> None:
    given = ["yield Request(page.url, **given)", "yield page.follow('/x', self.needs, args=given)"]
    given.append("yield Request(page.url, callback=self.needs, **given)")
    check(
        load(
            body("def parse(self, page, given=()):", *(f"    {g}" for g in given), TWO), tmp_path
        )()
    )


@pytest.mark.parametrize(
    ("given", "word"), [("self.tow", "did you mean 'two'"), ("lambda p: None", "a lambda")]
)
def test_a_callback_without_its_name_is_looked_at_too(given: str, word: str, tmp_path: Path):
    for maker in (f"page.follow('/x', {given})", f"page.follow_all('a', {given})"):
        source = body("def parse(self, page):", f"    yield {maker}", TWO)
        assert word in told(source, tmp_path)


def test_what_can_be_a_callback_is_let_through(tmp_path: Path) -> None:
    source = body(
        "rules = (Rule(callback='two'), Rule(callback=S2.two))",
        "def opened(self):",
        "    self.chosen = self.two",
        "def parse(self, page, kind=None):",
        "    yield Request(page.url, callback=self.two)",
        "    yield Request(page.url, callback='two', errback=self.failed)",
        "    yield Request(page.url, callback=S.two, dont_filter=True)",
        "    yield Request(page.url, callback=super().parse)",
        "    yield Request(page.url, callback=self.chosen)",
        "    yield Request(page.url, callback=self.parse, args={'kind': 1})",
        "    yield Request(page.url, callback=None)",
        "    cb = self.two",
        "    yield page.follow('/a', cb)",
        TWO,
        "def failed(self, request, outcome): return None",
    ).replace("class S(", "class S2(Spider):\n    def two(self, page): return None\n\nclass S(")
    Crawler(load(source, tmp_path), store=tmp_path / "s.db")


LEFTOVERS = {
    "def start_requests(self): yield Request('http://a.example/')": "`start`",
    "custom_settings = {'DOWNLOAD_DELAY': 1}": "`settings`",
    "handle_httpstatus_list = [404]": "accept_status",
    "def process_item(self, item, spider): return item": "pipelines",
    "@classmethod\ndef from_crawler(cls, crawler): return cls()": "self.crawl.settings",
    "download_delay = 3": "politeness",
    "def go(self, page): yield Request(page.url, errback=self.failed)\n"
    "def failed(self, failure): return None": "(request, outcome, status, page)",
    "def parse_start_url(self, response): return None": "`parse`",
}


@pytest.mark.parametrize("text", LEFTOVERS)
def test_what_only_scrapy_heeds_is_named_with_what_it_is_here(text: str, tmp_path: Path) -> None:
    said = told(body(text, "def parse(self, page): return None"), tmp_path)
    assert LEFTOVERS[text] in said and "s: `" in said


def test_a_pipeline_of_scrapy_is_named(tmp_path: Path) -> None:
    source = body("pipelines = [P()]", "def parse(self, page): return None")
    source = source.replace("class S(", "class P:\n    def process_item(self, i): pass\n\nclass S(")
    assert "the pipeline P has `process_item`" in told(source, tmp_path)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("def prase(self, page): return None", "parse"),
        ("def parser(self, page): return None", "parse"),
        ("def on_eror(self, request, outcome): return None", "on_error"),
        ("def open(self): return None", "opened"),
        ("start_url = ['http://a.example/']\nstart_urls = ()", None),
    ],
)
def test_a_misspelt_hook_is_named(text: str, right: str | None, tmp_path: Path) -> None:
    source = body(*text.splitlines())
    if right is None:
        Crawler(load(source, tmp_path), store=tmp_path / "s.db")
    else:
        assert f"did you mean {right!r}" in told(source, tmp_path)


def test_spiders_are_looked_at_in_many_threads_at_once(tmp_path: Path) -> None:
    methods = [f"def m{n}(self, page): return [{'[' * 9}page{']' * 9}]" for n in range(100)]
    kind = load(body("def parse(self, page): return None", *methods), tmp_path)

    def make(number: int) -> str:
        return Crawler(kind, store=tmp_path / f"{number}.db").spider.name

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as threads:
            assert set(threads.map(make, range(12))) == {"s"}
    finally:
        sys.setswitchinterval(before)


def test_a_name_that_the_spider_itself_uses_is_its_own(tmp_path: Path) -> None:
    source = body(
        "download_delay = 3",
        "def parse(self, page): return self.parser(page, self.download_delay)",
        "def parser(self, page, delay): return None",
    )
    Crawler(load(source, tmp_path), store=tmp_path / "s.db")


# ---------------------------------------------------------------- when a request is made


def outside(page: Any) -> None:
    """A callback that is no method."""


class Other:
    """Has methods of its own."""

    def two(self, page: Any) -> None:
        """Do nothing."""

    def __call__(self, page: Any) -> None:
        """Do nothing."""


def hidden(method: Any) -> Any:
    def inner(self: Any, page: Any) -> Any:
        return method(self, page)

    return inner


class Plain(Spider):
    """Has a method behind a decorator that does not say so."""

    name = "plain"

    @hidden
    def two(self, page: Any) -> Any:
        return {"two": page.url}


@pytest.mark.parametrize("given", [lambda page: None, outside, Other().two, Other(), 5, "__two"])
def test_a_request_refuses_a_callback_that_has_no_name(given: Any) -> None:
    for field in ("callback", "errback"):
        with pytest.raises(SpiderError, match=f"^{field}: "):
            Request("http://a.example/", **{field: given})
    with pytest.raises(SpiderError):
        Rule(callback=given)


def test_a_method_behind_a_decorator_is_found_by_its_own_name() -> None:
    assert Request("http://a.example/", callback=Plain().two).callback == "two"
    with pytest.raises(SpiderError, match="the second is the method"):
        Request("http://a.example/", Plain().two)  # type: ignore[arg-type]


@story()
async def test_a_callback_chosen_at_run_time_is_told_where_it_is_given(site, path):
    class Chooses(Spider):
        name = "chooses"

        def parse(self, page: Any) -> Any:
            given = {"callback": "nowhere"}
            yield Request(site.at("/b"), **given)

    site.add_page("/a", "<title>a</title>")
    done = await crawl(Chooses, path / "s.db", site.at("/a"))
    assert "chooses has no callback 'nowhere'" in done.reasons["spider_error"]


# ---------------------------------------------------------------- rules


def test_a_rule_takes_flags_and_groups_of_one_name_in_several_patterns() -> None:
    rule = Rule(allow=[r"/(?P<id>\d+)$", r"/p/(?P<id>\d+)", r"(a|b)\1"], deny=r"(?i)\.pdf$")
    assert rule.takes("http://a.example/7") and rule.takes("http://a.example/p/7/x")
    assert rule.takes("http://x.example/bb") and not rule.takes("http://x.example/ab")
    assert not rule.takes("http://a.example/A.PDF") and not rule.takes("http://p/p/1.Pdf")
    several = Rule(deny=[r"(?i)x", "y"])
    assert [several.takes(f"/{c}") for c in "XxyYz"] == [False, False, False, True, True]


@pytest.mark.parametrize("held", ["[{}]", "({},)", "dict(one={})", "{}"])
def test_an_item_class_without_a_table_is_refused_wherever_the_file_holds_it(
    held: str, tmp_path: Path
) -> None:
    made = "item(make_dataclass('Thing', [('page_id', int)]))"
    source = f"""
        from dataclasses import make_dataclass
        from crawler import Spider, item
        KINDS = {held.format(made)}

        class S(Spider):
            name = "s"
            start_urls = ["http://127.0.0.1:9/"]
        """
    with pytest.raises(SpiderError, match="'page_id' is reserved"):
        check(load(textwrap.dedent(source), tmp_path)())
