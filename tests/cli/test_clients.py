"""`crawler fetch` of many URLs and `crawler download`, as commands."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_story import Desk, ServedSite

from crawler.practice.files import large_bytes


@pytest.fixture(scope="module")
def site() -> Iterator[ServedSite]:
    with ServedSite() as served:
        yield served


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_many_urls_are_told_of_in_a_table(site: ServedSite, desk: Desk) -> None:
    paths = ("shop/", "status/404", "robots.txt")
    done = desk.run("fetch", *(f"{site.url}{path}" for path in paths), "http://127.0.0.1:9/")
    assert done.code == 1
    head, _, shop, missing, robots, refused = done.out.splitlines()
    assert head.split() == ["url", "status", "time", "bytes", "type"]
    assert shop.split()[1] == "200" and shop.split()[-1] == "text/html"
    assert missing.split()[1] == "404" and robots.split()[-1] == "text/plain"
    assert refused.split()[1] == "connect_error"
    fine = desk.run("fetch", site.url, f"{site.url}shop/")
    assert fine.code == 0, fine.err


def test_rows_of_urls_are_written_for_programs(site: ServedSite, desk: Desk) -> None:
    urls = (f"{site.url}status/404", "mailto:nobody")
    done = desk.run("fetch", *urls, "--format", "json")
    missing, refused = json.loads(done.out)
    assert done.code == 1
    assert (missing["url"], missing["status"], missing["outcome"]) == (urls[0], 404, "not_found")
    assert missing["bytes"] > 0 and missing["elapsed"] > 0 and missing["error"] is None
    assert (refused["status"], refused["outcome"]) == (None, "bad_url") and refused["error"]
    alone = desk.run("fetch", site.url, "--format", "csv")
    assert alone.code == 0 and alone.out.startswith("url,status,outcome,")


def test_a_download_says_what_it_stored(site: ServedSite, desk: Desk) -> None:
    done = desk.run("download", f"{site.url}files/tides.csv")
    assert done.code == 0, done.err
    assert done.out.startswith("tides ≈.csv  ") and "sha256:" in done.out
    digest = done.out.strip().rpartition(" ")[2]
    named = desk.run("download", f"{site.url}files/tides.csv", "-o", "t.csv", "--digest", digest)
    assert named.code == 0 and (desk.folder / "t.csv").exists()
    other = f"sha256:{'0' * 64}"
    wrong = desk.run("download", f"{site.url}files/tides.csv", "-o", "w.csv", "--digest", other)
    assert wrong.code == 1 and "digest" in wrong.err and not (desk.folder / "w.csv").exists()


def test_a_broken_download_is_taken_up_by_the_next(site: ServedSite, desk: Desk) -> None:
    url = f"{site.url}files/large.bin?size=900000&cut=500000"
    done = desk.run("download", url, "-o", "f.bin")
    assert done.code == 0, done.err
    assert "resumed at" in done.out
    assert (desk.folder / "f.bin").read_bytes() == large_bytes(0, 900_000)


def test_wrong_usage_is_named(site: ServedSite, desk: Desk) -> None:
    assert desk.run("download", "mailto:x").code == 2
    several = desk.run("download", site.url, site.url, "-o", "nowhere")
    assert several.code == 2 and "directory" in several.err


@pytest.mark.filterwarnings("ignore:'click.utils:DeprecationWarning")
@pytest.mark.parametrize(
    ("done", "total", "speed", "line"),
    [
        (0, 100_000_000, 0.0, "░" * 24 + "   0%  0.0 of 100.0 MB  0.0 MB/s"),
        (10**8, 10**8, 1e7, "█" * 24 + " 100%  100.0 of 100.0 MB  10.0 MB/s"),
        (2_500_000, None, 1e6, "2.5 MB  1.0 MB/s"),
        (
            *(50_000_000, 100_000_000, 1e7),
            "█" * 12 + "░" * 12 + "  50%  50.0 of 100.0 MB  10.0 MB/s  5 s left",
        ),
    ],
)
def test_the_bar_shows_how_far_it_is(done: int, total: int | None, speed: float, line: str) -> None:
    from crawler.cli.download import bar  # typer's own imports warn

    assert bar(done, total, speed) == line


def test_starting_over_moves_the_files_aside_with_their_store(desk: Desk, site: ServedSite) -> None:
    (desk.folder / "spiders" / "files.py").write_text(
        "from crawler import Download, Spider\n"
        "class Files(Spider):\n"
        "    name = 'files'\n"
        f"    start_urls = ['{site.url}files/']\n"
        "    def parse(self, page):\n"
        "        yield Download(page.urljoin('tides.csv'))\n"
    )
    for _ in range(2):
        done = desk.run("run", "files", "--fresh", "--set", "politeness.delay=0")
        assert done.code == 0, done.err
    stores = sorted(path.name for path in (desk.folder / "data").glob("files*.db"))
    kept = sorted(path.name for path in (desk.folder / "data").glob("files*.db.files"))
    assert len(stores) == 2 and kept == [f"{name}.files" for name in stores]


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_a_download_that_is_stopped_says_how_to_go_on(site: ServedSite, desk: Desk) -> None:
    part = desk.folder / "big.part"
    with desk.start("download", f"{site.url}files/large.bin?size=2000000000", "-o", "big") as going:
        while not (part.exists() and part.stat().st_size):
            assert going.process.poll() is None
        going.signal()
        stopped = going.end()
    assert stopped.code == 130
    assert "stopped at" in stopped.err and "the same command goes on" in stopped.err
    assert part.exists() and not (desk.folder / "big").exists()
