"""Every port in examples/ runs over the practice site, as it stands, and gives what it should."""

import ast
import asyncio
import importlib.util
import inspect
import io
import os
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from site_thread import site_on_a_thread

from crawler import Crawler, Spider
from crawler.inspect.query import Reader
from crawler.practice import PracticeSite

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
RECORDS = int(os.environ.get("CRAWLER_EXAMPLE_RECORDS", "10000"))  # `make examples`: 100,000
AT_HOME = "http://127.0.0.1:8000/"


@pytest.fixture(scope="module")
def site() -> Iterator[PracticeSite]:
    with site_on_a_thread() as served:
        yield served


def loaded(name: str, site: PracticeSite) -> type[Spider]:
    """The spider of an example, with the address of the practice site as it is here."""
    file = ROOT / "examples" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"examples.{name}", file)
    assert spec is not None
    module = ModuleType(f"examples.{name}")
    module.__file__ = str(file)
    sys.modules[module.__name__] = module
    text = file.read_text("utf-8").replace(AT_HOME, site.url)
    exec(compile(text, str(file), "exec"), vars(module))
    kinds = [kind for kind in vars(module).values() if inspect.isclass(kind)]
    return next(k for k in kinds if issubclass(k, Spider) and k.__module__ == module.__name__)


def run(name: str, site: PracticeSite, store: Path, **arguments: Any) -> Any:
    """The summary of a crawl of an example."""
    spider = loaded(name, site)(**arguments)

    async def crawl() -> Any:
        settings = {"politeness": {"delay": 0}, "fetch": {"retry_delay": 0}}
        async with Crawler(spider, store=store, settings=settings) as crawler:
            return await crawler.run()

    return asyncio.run(crawl())


def rows(store: Path, sql: str) -> list[tuple[Any, ...]]:
    with Reader(store) as reader:
        return list(reader.query(sql).rows)


def test_store_locator(site: PracticeSite, tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    run("store_locator", site, store)
    found = rows(store, "SELECT ref, city, lat, phone IS NULL, hours ->> 1 FROM branch ORDER BY 1")
    assert len(found) == 6
    assert found[0] == ("B01", "Quayside", 54.97, 0, "Sa 10:00-16:00")
    assert found[1][3] == 1


def test_paged_api(site: PracticeSite, tmp_path: Path) -> None:
    run("paged_api", site, tmp_path / "s.db")
    assert rows(tmp_path / "s.db", "SELECT count(*), count(DISTINCT id) FROM found") == [(160, 160)]
    run("paged_api", site, tmp_path / "q.db", query="lamp")
    assert 0 < rows(tmp_path / "q.db", "SELECT count(*) FROM found")[0][0] < 160


def test_members(site: PracticeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRACTICE_PASSWORD", "lighthouse")
    run("members", site, tmp_path / "s.db")
    found = rows(tmp_path / "s.db", "SELECT subject, text FROM letter")
    assert len(found) >= 3 and all(subject and text for subject, text in found)
    monkeypatch.setenv("PRACTICE_PASSWORD", "wrong")
    assert run("members", site, tmp_path / "w.db").reason == "the login failed"


def test_big_feed(site: PracticeSite, tmp_path: Path) -> None:
    feed = f"{site.url}readings.jsonl?count={RECORDS}"
    summary = run("big_feed", site, tmp_path / "s.db", start_urls=[feed])
    assert summary.items == RECORDS
    sql = "SELECT count(*), max(id), count(DISTINCT station) FROM reading"
    assert rows(tmp_path / "s.db", sql) == [(RECORDS, RECORDS - 1, 7)]


def test_named_files(site: PracticeSite, tmp_path: Path) -> None:
    run("named_files", site, tmp_path / "s.db", folder=str(tmp_path / "files"))
    found = rows(tmp_path / "s.db", "SELECT path, size, sha256 FROM document")
    assert {Path(path).name for path, *_ in found} >= {"tides ≈.csv", "large.bin"}
    for path, size, _ in found:
        assert Path(path).stat().st_size == size


def test_checker(site: PracticeSite, tmp_path: Path) -> None:
    paths = ("", "gone/", "status/500", "redirect/3", "redirect/loop", "private/ledger/", "none")
    urls = [f"{site.url}{path}" for path in paths] + ["http://127.0.0.1:9/"]
    (tmp_path / "urls.txt").write_text("\n".join(urls), "utf-8")
    run("checker", site, tmp_path / "s.db", file=str(tmp_path / "urls.txt"))
    found = dict(rows(tmp_path / "s.db", "SELECT url, outcome FROM checked"))
    assert [found.get(url) for url in urls] == [
        *("ok", "not_found", "server_error", "ok"),
        *("too_many_redirects", "robots_denied", "not_found", "robots_unreachable"),
    ]


def test_labels(site: PracticeSite, tmp_path: Path) -> None:
    run("labels", site, tmp_path / "s.db")
    sql = "SELECT count(*), count(DISTINCT shelf) FROM product"
    assert rows(tmp_path / "s.db", sql) == [(160, 8)]


def test_docs_indexer(site: PracticeSite, tmp_path: Path) -> None:
    run("docs_indexer", site, tmp_path / "s.db")
    found = rows(tmp_path / "s.db", "SELECT url, titles, text FROM section")
    by_url = {url.removeprefix(site.url): (titles, text) for url, titles, text in found}
    assert by_url["manual/care/#glass"] == (
        '["Care","Cleaning","The glass"]',
        "With water alone. No soap.",
    )
    assert len(found) == 3 + 5


def test_quotes(site: PracticeSite, tmp_path: Path) -> None:
    run("quotes", site, tmp_path / "s.db")
    assert rows(tmp_path / "s.db", "SELECT count(*) FROM quote") == [(100,)]
    assert rows(tmp_path / "s.db", "SELECT count(*), min(length(name)) > 3 FROM author") == [
        (20, 1)
    ]


def test_books(site: PracticeSite, tmp_path: Path) -> None:
    run("books", site, tmp_path / "s.db")
    sql = "SELECT count(*), min(price) > 0, max(rating) <= 5, count(DISTINCT category) FROM book"
    assert rows(tmp_path / "s.db", sql) == [(160, 1, 1, 8)]


def test_every_example_has_a_test_and_is_read_in_a_minute() -> None:
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert {file.stem for file in EXAMPLES} <= tested
    assert [f.name for f in EXAMPLES if len(f.read_text("utf-8").splitlines()) > 60] == []


BLANK = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}


def lines_of_code(text: str) -> int:
    """How many lines there are without blank ones, comments and docstrings."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    spans = [(t.start[0], t.end[0]) for t in tokens if t.string and t.type not in BLANK]
    docs = [
        (node.lineno, node.end_lineno or node.lineno)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    ]
    code, left_out = ({n for a, b in part for n in range(a, b + 1)} for part in (spans, docs))
    return len(code - left_out)


@pytest.mark.parametrize("page", ["from-scrapy.md", "from-crawlee.md"])
def test_the_pages_tell_how_long_the_examples_are(page: str) -> None:
    text = (ROOT / "docs" / page).read_text("utf-8")
    told = re.findall(r"^\| `(\w+)\.py` \| (\d+) \| .* \| (\d+) \| (\d\.\d\d) \|", text, re.M)
    assert len(told) >= 6
    for name, ours, theirs, ratio in told:
        code = (ROOT / "examples" / f"{name}.py").read_text("utf-8")
        assert (name, int(ours)) == (name, lines_of_code(code))
        assert (name, ratio) == (name, f"{int(ours) / int(theirs):.2f}")
    if page == "from-scrapy.md":
        assert {name for name, *_ in told} == {file.stem for file in EXAMPLES}
