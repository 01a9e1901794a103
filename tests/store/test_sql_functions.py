"""SQL functions for URLs and patterns, in every reader and every condition."""

import json
from pathlib import Path

import pytest
from data_story import SmallWeb, crawl, on_web, page

from crawler import SiteSpider
from crawler.cli import run as command
from crawler.errors import QueryError
from crawler.inspect.query import Reader


class Site(SiteSpider):
    name = "site"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "a.db"

    async def tell(web: SmallWeb) -> None:
        web.add("/", page("one", "/a/b?c=1", "/gone"))
        web.add("/a/b?c=1", page("two"))
        spider = Site()
        spider.start_urls = [web.url + "/"]
        await crawl(path, spider)

    on_web(tell)
    return path


@pytest.mark.parametrize(
    ("call", "value"),
    [
        ("host('https://www.bbc.co.uk:8080/news?x#y')", "www.bbc.co.uk"),
        ("host('https://EXAMPLE.org')", "example.org"),
        ("host('http://[2001:db8::1]/')", "2001:db8::1"),
        ("domain('https://www.bbc.co.uk/news')", "bbc.co.uk"),
        ("domain('https://a.github.io/')", "a.github.io"),
        ("domain('http://127.0.0.1/')", "127.0.0.1"),
        ("path('https://a.example/b/c?d=/e#f')", "/b/c"),
        ("path('https://a.example')", "/"),
        ("host('no url')", None),
        ("host(NULL)", None),
        ("path(7)", None),
        ("'abc' REGEXP '^a.c$'", 1),
        ("'abc' REGEXP 'B'", 0),
        ("'abc' REGEXP '(?i)B'", 1),
        ("NULL REGEXP 'a'", None),
        ("12 REGEXP '^1'", 1),
    ],
)
def test_parts_of_urls_and_patterns_are_asked_in_sql(
    store: Path, call: str, value: str | int | None
) -> None:
    with Reader(store) as reader:
        assert list(reader.query(f"SELECT {call}").rows) == [(value,)]


def test_a_pattern_that_is_none_is_told_as_such(store: Path) -> None:
    with Reader(store) as reader:
        with pytest.raises(QueryError, match=r"'\(' is no regular expression"):
            list(reader.query("SELECT url FROM pages WHERE url REGEXP '('").rows)
        with pytest.raises(QueryError, match="no such column"):
            reader.query("SELECT nothing_at_all FROM pages")


def test_a_condition_of_retry_takes_them_too(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    condition = "path(url) REGEXP 'gone' AND status = 404"
    sql = f"SELECT count(*) AS n FROM pages WHERE {condition}"
    assert command(["query", sql, "-f", "jsonl", "--store", str(store)]) == 0
    assert json.loads(capsys.readouterr().out) == {"n": 1}
    assert command(["retry", "--where", condition, "--store", str(store)]) in (0, 3)
