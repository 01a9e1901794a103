"""What stands beside a crawl: the live page as a command, status again and again, JSON logs."""

import json
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest
from cli_story import CRAWLER, Desk, ServedSite

from crawler.cli import status


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with a small crawl in it, whose log was asked for in JSON."""
    desk = Desk(tmp_path_factory.mktemp("beside"))
    with ServedSite() as served:
        served.site.add_page("/e/", '<a href="/e/a">a</a><a href="/e/none">b</a>')
        served.site.add_page("/e/a", "<title>a\x1b[31m</title>")
        fast = ("--set", "politeness.delay=0", "--scope", "prefix", "--store", "data/e.db")
        log = ("--log-format", "json", "--log-level", "debug")
        desk.done = desk.run("crawl", f"{served.url}e/", *fast, *log)
    return desk


def test_each_line_of_a_log_for_machines_is_json(desk):
    lines = [line for line in desk.done.err.splitlines() if line]
    said = [json.loads(line) for line in lines]
    assert said and all(isinstance(one, dict) for one in said)
    assert all({"level", "message"} <= one.keys() for one in said), said[0]
    assert "\x1b" not in desk.done.err


def test_status_says_it_again_until_it_is_interrupted(desk, monkeypatch, capsys):
    seen = []

    def sleep(seconds: float) -> None:
        seen.append(seconds)
        if len(seen) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", sleep)
    monkeypatch.chdir(desk.folder)
    status.status("data/e.db", watch=True)
    out = capsys.readouterr().out
    assert out.count("data/e.db") == 3
    assert seen == [2.0] * 3
    assert "\x1b" not in out  # in place on a terminal only


def test_the_live_page_tells_its_address_at_once_and_ends_with_a_signal(desk):
    command = [*CRAWLER, "dashboard", "data/e.db", "--listen", "127.0.0.1:0"]
    page = subprocess.Popen(
        command, cwd=Path(desk.folder), env=desk.env(), stdout=subprocess.PIPE, text=True
    )
    try:
        address = page.stdout.readline().split()[0]
        with urllib.request.urlopen(f"{address}e/", timeout=20) as answer:
            assert b"Finished" in answer.read()
        page.send_signal(signal.SIGINT)
        assert page.wait(20) == 0
    finally:
        page.kill()
        page.wait()
        page.stdout.close()
