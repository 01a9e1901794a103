"""What stands in deploy/: the files parse, and their command lines are ours."""

import configparser
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_story import ROOT

from crawler import cli
from crawler.cli import with_typer
from crawler.config import layers
from crawler.store.address import DatabaseAddress, address_of

DEPLOY = ROOT / "deploy"
UNIT = DEPLOY / "systemd" / "crawlkeep@.service"
STORE = "postgresql://crawler@db.example/web?crawl=quotes"
yaml = pytest.importorskip("yaml")


def unit() -> configparser.SectionProxy:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT, encoding="utf-8")
    return parser["Service"]


def environment() -> dict[str, str]:
    text = (DEPLOY / "systemd" / "crawl.env").read_text("utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def compose() -> Any:
    return yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text("utf-8"))


def job() -> Any:
    return yaml.safe_load((DEPLOY / "kubernetes" / "crawl.yaml").read_text("utf-8"))


def worker() -> Any:
    [container] = job()["spec"]["template"]["spec"]["containers"]
    return container


def command_lines() -> Iterator[tuple[str, list[str]]]:
    """What the files start, and what their comments say to type."""
    started = unit()["ExecStart"].replace("%i", "quotes")
    for name, value in environment().items():
        started = started.replace(f"${{{name}}}", value)
    yield "systemd", shlex.split(started)[1:]
    yield "compose", compose()["services"]["worker"]["command"]
    yield "kubernetes", worker()["args"]
    for file in (*DEPLOY.rglob("*.yaml"), UNIT):
        text = file.read_text("utf-8")
        for typed in re.findall(r"(?:run --rm worker|`crawler) ([^`\n]+)", text):
            yield f"{file.name}: {typed}", shlex.split(typed.replace('"$STORE"', STORE))


LINES = dict(command_lines())


@pytest.mark.parametrize("where", LINES)
def test_every_command_line_is_one_of_ours(where: str) -> None:
    words = LINES[where]
    group = with_typer.build()
    with group.make_context("crawler", list(words)) as context:
        command = group.get_command(context, words[0])
        made = command.make_context(words[0], list(words[1:]))
    store = made.params["store"]
    address = address_of(store)
    assert isinstance(address, DatabaseAddress) and address.crawl == "quotes"
    assert ":" not in store.partition("://")[2].partition("@")[0], "a password on a command line"


def test_a_worker_gets_its_grace_before_it_is_killed() -> None:
    grace = layers.load(None).engine.grace
    assert unit()["KillSignal"] == compose()["services"]["worker"]["stop_signal"] == "SIGTERM"
    pod = job()["spec"]["template"]["spec"]
    seconds = (
        float(unit()["TimeoutStopSec"]),
        float(compose()["services"]["worker"]["stop_grace_period"].rstrip("s")),
        pod["terminationGracePeriodSeconds"],
    )
    assert min(seconds) >= grace + 20


def test_what_cannot_get_better_is_not_started_again() -> None:
    """2 is wrong usage or configuration, 4 a health gate; 130 is stopped, 3 without a page."""
    assert unit()["RestartPreventExitStatus"].split() == [str(cli.WRONG_USAGE), str(cli.GATE)]
    assert unit()["SuccessExitStatus"].split() == [str(cli.NO_PAGE), str(cli.INTERRUPTED)]
    rules = job()["spec"]["podFailurePolicy"]["rules"]
    [failing] = [rule for rule in rules if rule["action"] == "FailJob"]
    assert failing["onExitCodes"]["values"] == [cli.WRONG_USAGE, cli.GATE]
    assert failing["onExitCodes"]["containerName"] == worker()["name"]


def test_secrets_come_from_where_secrets_are() -> None:
    [variable] = worker()["env"]
    assert variable["name"] == "PGPASSWORD" and "secretKeyRef" in variable["valueFrom"]
    services = compose()["services"]
    assert services["worker"]["secrets"] == services["database"]["secrets"] == ["password"]
    assert environment()["PGPASSWORD"] == ""


def test_the_volumes_and_the_image_that_are_used_are_there() -> None:
    pod = job()["spec"]["template"]["spec"]
    mounted = {mount["name"] for mount in worker()["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}
    built = compose()["services"]["worker"]["build"]
    folder = DEPLOY / "compose" / built["context"]
    text = (folder / built["dockerfile"]).read_text("utf-8")
    assert set(built["args"]) <= set(re.findall(r"^ARG (\w+)", text, re.MULTILINE))
    assert worker()["image"] == compose()["services"]["worker"]["image"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    made = tmp_path / "crawlkeep@quotes.service"
    text = UNIT.read_text("utf-8").replace("/opt/crawlkeep/bin/crawler", "/bin/true")
    made.write_text(text.replace("User=crawler", "User=root"), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(made)], capture_output=True, text=True
    )
    ours = [line for line in done.stderr.splitlines() if "crawlkeep" in line]
    assert ours == []
