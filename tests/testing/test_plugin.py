"""The plug-in of pytest: fixtures for those who ask, and nothing for those who do not."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BARE = """
import pytest, sys, time
before = set(sys.modules)
began = time.process_time()
import crawler.testing.plugin
spent = time.process_time() - began
print(spent, *(set(sys.modules) - before))
"""


def run_pytest(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, str(folder)],
        cwd=folder,
        env={"PATH": "", "PYTHONPATH": f"{ROOT}"},
        capture_output=True,
        text=True,
    )


def test_a_suite_that_does_not_use_it_pays_nothing() -> None:
    spent = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", BARE], capture_output=True, text=True, check=True, cwd=ROOT
        )
        seconds, *loaded = done.stdout.split()
        spent.append(float(seconds))
        ours = {name for name in loaded if name.startswith("crawler")}
        assert ours == {
            *("crawler", "crawler.moved", "crawler.version"),
            *("crawler.testing", "crawler.testing.plugin"),
        }
        assert not {"asyncio", "aiohttp", "lxml", "msgspec"} & set(loaded)
    assert min(spent) < 0.005


def test_the_fixtures_serve_and_the_flag_writes_snapshots(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        """
from urllib.request import urlopen
from crawler import Spider
from crawler.testing import RecordedAnswer, Recording

class One(Spider):
    name = "one"
    start_urls = ["https://one.example/"]
    def parse(self, page):
        yield {"heading": page.css("h1::text").get()}

def test_crawl(crawl):
    assert crawl(One, {"/": "<h1>x</h1>"}).items == [{"heading": "x"}]

def test_site(site):
    with urlopen(site.url) as answer:
        assert answer.status == 200
    assert len(site.hits) == 1

def test_snapshot(assert_items, recording, request):
    text = (request.path.parent / "body.html").read_bytes()
    folder = request.path.parent / "recordings"
    Recording([RecordedAnswer("https://one.example/", text)]).save(folder / "one.jsonl.zst")
    assert len(recording("one")) == 1
    assert_items(One, "one")
""",
        encoding="utf-8",
    )
    (tmp_path / "body.html").write_text("<html><h1>old</h1>", encoding="utf-8")
    first = run_pytest(tmp_path)
    assert "2 passed" in first.stdout and "no snapshot yet" in first.stdout, first.stdout
    assert "3 passed" in run_pytest(tmp_path, "--update-items").stdout
    assert "3 passed" in run_pytest(tmp_path).stdout
    (tmp_path / "body.html").write_text("<html><h2>old</h2>", encoding="utf-8")
    changed = run_pytest(tmp_path).stdout
    assert "item.heading: filled in 1 page before, 0 now; `h1::text` finds nothing" in changed


def test_new_with_a_test_runs(tmp_path: Path) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "crawler", "new", "news", "https://news.example/", "--test"],
        cwd=tmp_path,
        env={"PATH": "", "PYTHONPATH": f"{ROOT}"},
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0 and "tests/test_news.py" in made.stdout, made.stderr
    done = run_pytest(tmp_path, "-o", "pythonpath=.")
    assert "1 passed" in done.stdout, done.stdout


@pytest.mark.parametrize("arguments", [("quotes", "books"), ("nothing",)])
def test_wrong_usage_names_the_way_out(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "crawler", "test", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and done.stderr.count("\n") == 1
