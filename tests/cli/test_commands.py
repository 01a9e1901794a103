"""The commands around a crawl: list, new, fetch, shell, demo, config; help, version, live line."""

import json
import os
import pty
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_story import CRAWLER, ROOT, Desk, ServedSite

from crawler import cli
from crawler.cli import reference, settings
from crawler.config import layers as configuration
from crawler.version import __version__

DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def site() -> Iterator[ServedSite]:
    with ServedSite() as served:
        yield served


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


# ---------------------------------------------------------------- start


def loaded_by(*arguments: str) -> set[str]:
    """The modules that a command line loads."""
    code = (
        "import sys\nfrom crawler.__main__ import main\n"
        f"sys.argv = {['crawler', *arguments]!r}\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stderr.split())


def test_the_version_is_told_before_anything_slow_is_imported() -> None:
    assert not {"typer", "msgspec", "aiohttp", "asyncio"} & loaded_by("--version")


def test_looking_at_a_store_imports_nothing_of_the_network(tmp_path: Path) -> None:
    heavy = {"typer", "msgspec", "aiohttp", "asyncio", "rich", "lxml", "crawler.config.layers"}
    assert not heavy & loaded_by("status", str(tmp_path / "none.db"))
    assert not heavy & loaded_by("query", "SELECT 1", "--store", str(tmp_path / "none.db"))


def test_to_tell_why_takes_no_network() -> None:
    code = "import sys, crawler.cli.why, crawler.inspect.why; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"aiohttp", "lxml"} & set(done.stdout.split())


def test_a_crawl_asks_for_its_first_url_before_it_imports_what_reads_pages(tmp_path: Path) -> None:
    code = (
        "import os, sys\nfrom crawler.__main__ import main\n"
        "from crawler.http.fetcher import Fetcher\n"
        "async def fetch(*_, **__):\n"
        "    print(*sys.modules, flush=True)\n"
        "    os._exit(0)\n"
        "Fetcher.fetch = fetch\n"
        "sys.argv = ['crawler', 'crawl', 'http://127.0.0.1:9/', '--quiet']\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    loaded = set(done.stdout.split())
    assert "crawler.engine.engine" in loaded
    late = {
        "typer",
        "click",
        "html.entities",
        "lxml",
        "pcre2",
        "crawler.parse.charset",
        "crawler.parse.fast_pass",
    }
    assert not late & loaded


def test_the_version_can_be_asked_for_in_every_way(desk: Desk) -> None:
    for option in ("--version", "-V"):
        assert desk.run(option).out == f"crawlkeep {__version__}\n"


def test_help_names_every_command_with_its_first_sentence(desk: Desk) -> None:
    told = desk.run("--help").out
    for name in cli.COMMANDS:
        assert re.search(rf"^  {name} +\w", told, re.MULTILINE)
    assert "..." not in told.partition("Commands:")[2]


def test_every_command_has_help_with_an_example(desk: Desk) -> None:
    told = desk.run_all([[command, "--help"] for command in cli.COMMANDS])
    for command, done in zip(cli.COMMANDS, told, strict=True):
        assert done.code == 0
        assert f"Example: crawler {command}" in " ".join(done.out.split())


def test_help_tells_what_arguments_and_options_are_for(desk: Desk) -> None:
    told = desk.run("crawl", "--help").out
    assert re.search(r"URL\.\.\. +Where to start\.", told)
    assert re.search(r"--max-pages +N", told)


# ---------------------------------------------------------------- documentation


def test_config_toml_shows_every_key_at_its_default() -> None:
    text = (ROOT / "config.toml").read_text(encoding="utf-8")
    assert text == settings.as_toml(), "run `make docs`"
    assert configuration.load(ROOT / "config.toml", environ={}) == configuration.Config()
    values = re.sub(r"^# (\w+ = .*)$", r"\1", text, flags=re.MULTILINE)
    filled = re.sub(r"^\w+ = # unset$", "", values, flags=re.MULTILINE)
    tables = tomllib.loads(filled)
    every = configuration.keys()
    for key in every:
        assert f"\n# {key.name} = " in text
        if key.default is not None:
            assert tables[key.section][key.name] == json.loads(json.dumps(key.default))


def test_the_page_on_configuration_is_that_of_the_code() -> None:
    text = (DOCS / "configuration.md").read_text(encoding="utf-8")
    assert text == settings.as_markdown(), "run `make docs`"


def test_the_page_on_commands_is_that_of_the_code() -> None:
    assert (DOCS / "cli.md").read_text(encoding="utf-8") == reference.reference(), "run `make docs`"


def test_the_readme_names_no_command_that_is_not_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"[`$] ?crawler (\w+)", text)
    assert len(named) >= 7
    assert set(named) <= set(cli.COMMANDS)


def test_the_pages_that_the_readme_links_to_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (ROOT / target).exists(), target


# ---------------------------------------------------------------- around a crawl


def test_list_loads_the_files_and_says_which_do_not_load(desk: Desk) -> None:
    folder = desk.folder / "spiders"
    texts = {
        "half": "class Half(Spider)\n    name = 'half'\n",
        "ends": "raise SystemExit('ran')\n",
        "needy": "import not_installed\n",
        "nameless": "from crawler import Spider\nclass Pages(Spider):\n    pass\n",
        "parts": "SELECTOR = 'h1'\n",  # which others import: no spider, and nothing wrong
    }
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text)
    done = desk.run("list")
    for name in texts:
        (folder / f"{name}.py").unlink()
    assert done.code == 1
    lines = {line.split()[0]: line for line in done.out.splitlines()}
    assert list(lines) == ["books", "ends", "half", "nameless", "needy", "quotes"]
    assert "spiders/half.py:1: SyntaxError" in lines["half"]
    assert "SystemExit: ran" in lines["ends"]
    assert "spiders/needy.py:1: ModuleNotFoundError" in lines["needy"]
    assert "spiders/nameless.py:2: class Pages has no `name`" in lines["nameless"]


def test_a_spider_in_a_file_that_is_called_as_a_module_of_python_runs(
    site: ServedSite, tmp_path: Path
) -> None:
    desk = Desk(tmp_path)
    beside = "import neighbour\n" + (desk.folder / "spiders" / "quotes.py").read_text()
    (desk.folder / "spiders" / "csv.py").write_text(beside.replace('"quotes"', '"csv"'))
    (desk.folder / "spiders" / "neighbour.py").write_text("")
    fast = ("--max-pages", "1", "--set", "politeness.delay=0")
    done = desk.process("run", "csv", "-a", f"base={site.url}", "-o", "out.csv", *fast)
    assert done.code == 0, done.err
    assert (desk.folder / "out.csv").read_text().startswith("text,author,tags")


def test_a_new_spider_runs_as_it_is(site: ServedSite, desk: Desk) -> None:
    made = desk.run("new", "sayings", f"{site.url}tag/patience/")
    run = desk.run("run", "sayings", "--set", "politeness.delay=0", "--max-pages", "4", "--json")
    assert made.code == 0
    assert "crawler run sayings" in made.out
    assert (run.code, run.summary["pages"], run.summary["items"]) == (0, 4, 4)
    assert len(desk.rows("SELECT heading FROM sayings_page", "sayings")) == 4


def test_fetch_tells_what_a_crawl_makes_of_a_url(site: ServedSite, desk: Desk) -> None:
    chain = desk.run("fetch", f"{site.url}redirect/1")
    private = desk.run("fetch", f"{site.url}private/", "--links")
    gone = desk.run("fetch", f"{site.url}gone/")
    body = desk.run("fetch", f"{site.url}robots.txt", "--body")
    assert chain.code == 0
    assert "redirect 302" in chain.out
    assert "title    The end of the chain" in chain.out
    assert "denied" in private.out
    assert "Disallow: /private/" in private.out
    assert f"link     {site.url}\n" in private.out
    assert gone.code == 1
    assert " 410 " in gone.out
    assert body.out.startswith("# The rules")


def test_fetch_of_a_dead_address_names_the_outcome(desk: Desk) -> None:
    done = desk.run("fetch", "http://127.0.0.1:1/")
    assert done.code == 1
    assert "outcome  connect_error" in done.out
    assert "Traceback" not in done.err


def test_the_shell_has_the_page_in_it(site: ServedSite, desk: Desk) -> None:
    typed = "print(page.css('li.next a').attrib['href'])\nprint(fetch(page.links[0]).status)\n"
    done = desk.process("shell", site.url, stdin=typed)
    assert done.code == 0
    assert "/page/2/" in done.out
    assert "200" in done.out


def test_the_demo_crawls_its_own_site_and_shows_a_query(desk: Desk) -> None:
    done = desk.run("demo", "quotes", "--port", "0")
    assert done.code == 0, done.err
    assert "$ crawler query --store data/quotes.db" in done.out
    assert "A Beekeeper" in done.out


def test_the_demo_runs_beside_a_spider_of_its_name_that_takes_no_base(desk: Desk) -> None:
    own = desk.folder / "spiders" / "quotes.py"
    own.write_text("from crawler import Spider\nclass A(Spider):\n    name = 'quotes'\n")
    done = desk.run("demo", "quotes", "--port", "0")
    assert (done.code, "data/demo_quotes.db" in done.out) == (0, True), done.out + done.err


def test_the_demo_can_serve_alone(desk: Desk) -> None:
    with desk.start("demo", "--serve-only", "--port", "0") as running:
        assert running.process.stdout is not None
        url = running.process.stdout.readline().strip()
        seen = desk.run("fetch", url)
        running.signal()
        assert running.end().code == 0
    assert "title    Sayings" in seen.out


def test_a_port_that_is_taken_is_refused(site: ServedSite, desk: Desk) -> None:
    port = site.url.rstrip("/").rpartition(":")[2]
    done = desk.run("demo", "--serve-only", "--port", port)
    assert done.code == 2
    assert "--port" in done.err
    assert "Traceback" not in done.err


def test_a_configuration_can_be_checked(desk: Desk) -> None:
    (desk.folder / "mine.toml").write_text("[engine]\nworkers = 0\n")
    assert desk.run("config", "--check", "mine.toml").code == 2
    (desk.folder / "mine.toml").write_text("[engine]\nworkers = 4\n")
    assert desk.run("config", "--check", "mine.toml").code == 0


# ---------------------------------------------------------------- what a run shows


def test_a_terminal_shows_one_live_line(site: ServedSite, desk: Desk) -> None:
    """Run under a real pseudo-terminal, and read what it would draw."""
    main, side = pty.openpty()
    command = ["run", "quotes", "-a", f"base={site.url}", "--set", "politeness.delay=0.1"]
    process = subprocess.Popen(
        [*CRAWLER, *command],
        cwd=desk.folder,
        env={**desk.env(), "TERM": "xterm", "COLUMNS": "100"},
        stdout=subprocess.DEVNULL,
        stderr=side,
    )
    os.close(side)
    drawn = b""
    try:
        while piece := os.read(main, 65536):
            drawn += piece
    except OSError:  # how Linux says that the other side is closed
        pass
    finally:
        os.close(main)
    assert process.wait() == 0
    lines = [line for line in drawn.decode().split("\r\x1b[2K") if line]
    assert len(lines) >= 2
    assert all(re.fullmatch(r"\d+ pages?, [\d.]+/s, \d+ queued, .*", line) for line in lines)
    assert drawn.endswith(b"\r\x1b[2K")


def test_json_is_all_that_stands_on_standard_output(site: ServedSite, desk: Desk) -> None:
    done = desk.run("run", "quotes", "-a", f"base={site.url}", "--max-pages", "1", "--json")
    told = json.loads(done.out)
    assert (told["spider"], told["state"], told["reason"]) == ("quotes", "finished", "max_pages")
    assert told["queued"] == 1
