"""Every command that writes, killed at random moments and run again: nothing lost, nothing twice.

After each command the rows of all tables and the files on disk are those of an undisturbed run.
`KILLS=200` (make kill-test) kills two hundred times; the quick suite once a command.
"""

import hashlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import command_victim
import pytest
import store_truth
from site_thread import site_on_a_thread

from crawler.practice import PracticeSite

KILLS = int(os.environ.get("KILLS", "0"))  # 0: one for each command
PAGES = 40
SPIDER = """
from crawler import Download, Rule, Spider, item

@item(table="seen_item")
class Seen:
    url: str
    title: str | None

@item(table="draft", key="url", history=True)
class Draft:
    url: str
    version: int

@item(table="number")
class Number:
    value: int

class Victim(Spider):
    name = "victim"
    rules = (Rule(),)
    start_urls = ["{url}"]
    version = {version}
    settings = {{
        "engine": {{"workers": 4}},
        "politeness": {{"delay": 0.0, "per_host": 4, "robots": False, "max_delay": 0.01}},
        "fetch": {{"retries": 1, "retry_delay": 0.0}},
        "store": {{"flush_interval": 0.01, "flush_visits": 4}},
    }}

    def parse(self, page):
        yield Seen(page.url, page.title)
        yield Draft(page.url, self.version)
        yield {{"value": page.title}}
        if page.url.endswith("5"):
            yield Number("no number")
            yield Download(page.urljoin("/f/" + page.url[-2:]), callback=self.got)

    def got(self, file):
        yield {{"name": file.name, "size": file.size}}

    def on_error(self, request, outcome, status):
        yield {{"missed": request.url}}
"""
TOLD = {
    "pages": "SELECT url, status, outcome, title, content_hash, method, redirect_to FROM pages",
    "links": "SELECT source, target, position FROM links",
    "bodies": "SELECT url, length(body) FROM bodies JOIN pages USING (page_id)",
    "files": "SELECT url, path, sha256, size, name FROM files",
    "seen": "SELECT count(*) FROM seen",
    # Not how deep: of several pages that lead to one, that tells which was read first.
    "todo": "SELECT url, depth > 0, again FROM todo",
    "attempts": "SELECT url, status, outcome FROM attempts",
    "problems": "SELECT page_url, item, reason, value FROM problems",
    "item types": "SELECT * FROM item_types",
    "counters": "SELECT * FROM counters",
    "hosts": "SELECT name, pages, pending FROM hosts",
    "crawl": "SELECT * FROM crawl WHERE key IN ('seeded', 'scope', 'pages', 'revisits')",
    "texts": "SELECT url, title, text FROM texts",
    "search": "SELECT count(*) FROM search WHERE search MATCH 'link OR 1 OR 2'",
    "versions": "SELECT url, version, v.status, v.outcome, v.title, v.content_hash FROM"
    " page_versions AS v JOIN pages USING (page_id)",
    "changes": "SELECT url, kind, status_before, status, title_before, title, hash_before, hash"
    " FROM changes",
    "revisits to be queued": "SELECT count(*) FROM revisit_queue",
    "revisits": "SELECT url, visits, changes FROM revisits JOIN pages USING (page_id)",
}


def told(store: Path) -> dict[str, Any]:
    """Everything that commands have left, in an order that does not depend on their course."""
    with closing(sqlite3.connect(store)) as db:
        found = {name: sorted(map(repr, db.execute(sql))) for name, sql in TOLD.items()}
        for name, columns in db.execute("SELECT name, columns FROM item_types").fetchall():
            own = ", ".join(f'"{column}"' for column in json.loads(columns))
            found[f"items {name}"] = sorted(
                map(repr, db.execute(f'SELECT {own}, page_url FROM "{name}"'))
            )
        for (name,) in db.execute("SELECT name FROM item_types WHERE history").fetchall():
            found[f"history {name}"] = sorted(
                map(repr, db.execute(f'SELECT url, version FROM "{name}_history"'))
            )
    files = Path(f"{store}.files")
    found["files on disk"] = sorted(
        f"{path.relative_to(files)} {hashlib.sha256(path.read_bytes()).hexdigest()}"
        for path in files.rglob("*")
        if path.is_file()
    )
    return found


def build(site: PracticeSite, version: int) -> None:
    """Make or change a web with cross links, redirects, dead links, failures and files."""
    for number in range(PAGES):
        links = [f"/k/{(number * step + 1) % PAGES}" for step in (1, 2, 3, 5)]
        odd = [f"/k/old/{number}", f"/k/gone/{number % 7}"] if number % 3 == 0 else []
        new = [f"/k/new/{number}"] if version > 1 and number % 8 == 0 else []
        title = f"{number} of {version if number % 2 else 1}"
        site.add_links(f"/k/{number}", [*links, *odd, *new], title=title)
        site.add_redirect(f"/k/old/{number}", f"/k/{(number + 7) % PAGES}", status=301)
        site.add_links(f"/k/new/{number}", ["/k/0"], title=f"new {number}")
        data = f"file {number} {version if number > 20 else 1}".encode() * 3000
        site.add_page(f"/f/{number}", data, content_type="application/octet-stream")
        site.add_page("/f//5", data, content_type="application/octet-stream")
    for number in (4, 14, 24):  # fails at first, and once more when visited again
        if version != 2:
            site.add_page(f"/k/{number}", "down", status=500)
    if version > 1:
        site.add_page("/k/9", "gone", status=410)
        site.add_redirect("/k/10", "/k/11", status=301)


def archive(folder: Path) -> None:
    """Write a WARC file of pages that are stored nowhere, and a list of URLs."""
    with (folder / "other.warc").open("wb") as out:
        for number in range(400):
            text = b"<p>some words here</p>" * 50
            body = b"<title>%d</title><a href=/p/%d>next</a>%s" % (number, number + 1, text)
            http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + body
            out.write(
                f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a.example/p/{number}"
                "\r\nWARC-Date: 2026-01-01T00:00:00Z\r\n"
                f"WARC-Record-ID: <urn:uuid:00000000-0000-0000-0000-{number:012d}>\r\n"
                "Content-Type: application/http; msgtype=response\r\n"
                f"Content-Length: {len(http)}\r\n\r\n".encode()
                + http
                + b"\r\n\r\n"
            )
    lines = "".join(f"http://b.example/{number}\n" for number in range(500))
    (folder / "list.txt").write_text(lines, encoding="ascii")


@dataclass(frozen=True)
class Step:
    """A command, and the version of the site that it meets."""

    name: str
    arguments: tuple[str, ...]
    version: int = 0
    store: str = "s.db"


SPIDERS = ("victim.py", "--store", "s.db")
STEPS = (
    Step("run", ("run", *SPIDERS, "-q"), 1),
    Step("search", ("search", "--index", "--store", "s.db")),
    Step("retry", ("retry", "--store", "s.db"), 2),
    Step("run what is retried", ("run", *SPIDERS, "-q")),
    Step("recrawl", ("recrawl", *SPIDERS, "--all", "-q"), 3),
    Step("recrawl unchanged", ("recrawl", *SPIDERS, "--all", "-q")),
    Step("reparse", ("reparse", "later.py", *SPIDERS[1:], "--apply", "--processes", "1")),
    Step("search again", ("search", "--index", "--store", "s.db")),
)
IMPORTS = (
    Step("import of pages", ("import", "other.warc", "--store", "w.db"), store="w.db"),
    Step("import of URLs", ("import", "list.txt", "--store", "u.db"), store="u.db"),
)


@dataclass
class Killer:
    """Runs commands in a process that forks for each, and kills them."""

    process: "subprocess.Popen[str]"
    dice: random.Random = field(default_factory=lambda: random.Random(1))
    kills: int = 0

    def run(self, folder: Path, step: Step, seconds: float | None = None) -> int | None:
        """Give a command's exit code, None where it was killed after so many seconds."""
        asked = {"arguments": step.arguments, "folder": str(folder), "seconds": seconds}
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def run_killed(self, folder: Path, step: Step, times: int, length: float) -> None:
        """Kill a command up to so many times within its usual length, then let it end."""
        runs = finished_runs(folder / step.store)
        for _ in range(times):
            code = self.run(folder, step, self.dice.uniform(0.0, length))
            if code is not None:
                assert code == 0, (folder / "log.txt").read_text()
                return
            self.kills += 1
            if step.name.startswith("recrawl") and finished_runs(folder / step.store) > runs:
                return  # killed after its last commit: once more would be another recrawl
        assert self.run(folder, step) == 0, (folder / "log.txt").read_text()


def finished_runs(store: Path) -> int:
    if not store.exists():
        return 0
    with closing(sqlite3.connect(store)) as db:
        try:
            [(number,)] = db.execute("SELECT count(*) FROM runs WHERE state = 'finished'")
        except sqlite3.OperationalError:  # killed before its tables were made
            return 0
    return number


@contextmanager
def killer() -> Iterator[Killer]:
    command = [sys.executable, command_victim.__file__]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        process.stdout.readline()  # it has imported what there is to import
        yield Killer(process)
        process.stdin.close()


def folder_of(tmp_path: Path, name: str, url: str) -> Path:
    folder = tmp_path / name
    folder.mkdir()
    for version, file in enumerate(("victim.py", "later.py"), start=1):
        (folder / file).write_text(SPIDER.format(url=url, version=version), encoding="utf-8")
    archive(folder)
    return folder


def killed_chains(tmp_path: Path, steps: tuple[Step, ...], check: Callable[[Path], None]) -> int:
    """Run all steps undisturbed and then killed, compare after each, and give the kills."""
    with site_on_a_thread(robots=False, latency=0.002) as site, killer() as commands:
        url = site.at("/k/0")
        calm, expected, lengths = folder_of(tmp_path, "undisturbed", url), [], []
        for step in steps:
            if step.version:
                build(site, step.version)
            began = time.perf_counter()
            assert commands.run(calm, step) == 0, (calm / "log.txt").read_text()
            lengths.append(time.perf_counter() - began)
            expected.append(told(calm / step.store))
            check(calm / step.store)
        wanted = (KILLS or len(STEPS)) * len(steps) // (len(STEPS) + len(IMPORTS)) or len(steps)
        number = 0
        while commands.kills < wanted:
            number += 1
            folder = folder_of(tmp_path, str(number), url)
            for step, length, there in zip(steps, lengths, expected, strict=True):
                if step.version:
                    build(site, step.version)
                times = 1 if not KILLS else commands.dice.randint(1, 4)
                commands.run_killed(folder, step, times, length)
                here = told(folder / step.store)
                wrong = {name for name in here.keys() | there if here.get(name) != there.get(name)}
                assert not wrong, difference(step, here, there)
                check(folder / step.store)
            if not KILLS:
                break
        return commands.kills


def difference(step: Step, here: dict[str, Any], there: dict[str, Any]) -> str:
    """Tell which rows are too many or missing."""
    said = [f"after {step.name}:"]
    for name in sorted(here.keys() | there):
        mine, theirs = here.get(name, []), there.get(name, [])
        if mine != theirs:
            more = [row for row in mine if mine.count(row) > theirs.count(row)][:5]
            less = [row for row in theirs if theirs.count(row) > mine.count(row)][:5]
            said.append(f"{name}: too many {more}, missing {less}")
    return "\n".join(said)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_every_command_killed_at_random_moments_leaves_what_an_undisturbed_one_does(
    tmp_path: Path,
) -> None:
    kills = killed_chains(tmp_path, STEPS, store_truth.check)
    print(f"\n{kills} kills of {', '.join(step.name for step in STEPS)}: 0 lost, 0 twice")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_an_import_killed_at_random_moments_leaves_what_an_undisturbed_one_does(
    tmp_path: Path,
) -> None:
    pytest.importorskip("warcio")
    kills = killed_chains(tmp_path, IMPORTS, store_truth.check)
    print(f"\n{kills} kills of {', '.join(step.name for step in IMPORTS)}: 0 lost, 0 twice")
