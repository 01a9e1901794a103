"""A user or password in a URL that a person gives: sent to its origin, or refused with the way out.

It is never dropped without a word, nor stored, nor shown.
"""

from pathlib import Path

import pytest
from damaged_stores import outcome_of

from crawler import SiteSpider, control
from crawler.engine.crawler import Crawler
from crawler.errors import UsageError

URL = "http://me:s3cret@127.0.0.1:9/x"


@pytest.mark.parametrize(
    "command",
    [
        ["crawl", URL],
        ["fetch", URL],
        ["shell", URL],
        ["new", "shop", URL],
        ["import", "list.txt"],
        ["crawl", URL.removeprefix("http://me:").replace("s3cret", "me")],
    ],
    ids=lambda command: command[0],
)
def test_it_is_refused_with_the_way_out(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("list.txt").write_text(f"http://127.0.0.1:9/a\n{URL}\n", encoding="utf-8")
    more = [] if command[0] in ("fetch", "new", "shell") else ["--store", "a.db"]
    code, said = outcome_of([*command, *more])
    assert code == 2
    assert '[auth."http' in said and "127.0.0.1:9/" in said
    assert "s3cret" not in said and said.count("\n") == 1


def test_without_a_scheme_it_is_not_shown() -> None:
    code, said = outcome_of(["fetch", URL.removeprefix("http://")])
    assert code == 2 and "s3cret" not in said and "https://example.com/" in said


def test_a_spider_and_what_is_added_to_a_crawl_are_refused_too(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="user or password"):
        Crawler(SiteSpider(URL), store=tmp_path / "a.db")
    with pytest.raises(UsageError, match="user or password"):
        control.ask(tmp_path / "a.db", "add", f"http://127.0.0.1:9/\n{URL}")


def test_an_error_of_a_download_does_not_show_it(tmp_path: Path) -> None:
    code, said = outcome_of(["download", URL, "-o", f"{tmp_path}/", "--set", "fetch.retries=0"])
    assert code == 1
    assert "127.0.0.1:9/x" in said and "s3cret" not in said
