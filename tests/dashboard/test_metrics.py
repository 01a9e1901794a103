"""What Prometheus reads, what wakes somebody, and what Grafana draws: all of the same names."""

import asyncio
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from page_story import crawled, got, shown

from crawler.dashboard.state import WORDS
from crawler.practice import PracticeSite
from crawler.web.outcome import Outcome
from crawler.web.refusal import Refusal

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
ALERTS = (DEPLOY / "prometheus" / "alerts.yml").read_text(encoding="utf-8")
BOARD = (DEPLOY / "grafana" / "crawlkeep.json").read_text(encoding="utf-8")
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="no promtool; apt install prometheus")


@pytest.fixture(scope="module")
def metrics(tmp_path_factory):
    """What /metrics says of a crawl with every kind of outcome."""

    async def make():
        path = tmp_path_factory.mktemp("metrics") / "things.db"
        async with PracticeSite(robots=False) as site:
            await crawled(site, path, fetch__retries=1)
        async with shown(path) as base:
            status, text = await got(base + "/metrics")
            assert status == 200
            return text

    return asyncio.run(make())


def promtool(*arguments, given=""):
    """Return what promtool says, and whether it is content."""
    done = subprocess.run(
        [PROMTOOL, *arguments], input=given, capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stdout + done.stderr


@needs_promtool
def test_promtool_finds_nothing_wrong_with_the_metrics(metrics):
    assert promtool("check", "metrics", given=metrics) == (0, "")


@needs_promtool
def test_promtool_takes_the_rules_and_the_configuration():
    for kind, name in (("rules", "alerts.yml"), ("config", "prometheus.yml")):
        code, said = promtool("check", kind, str(DEPLOY / "prometheus" / name))
        assert code == 0, said
        assert "SUCCESS" in said


def queries():
    """Return each expression of the dashboard."""
    panels = json.loads(BOARD)["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", ())]


@pytest.mark.parametrize("text", [ALERTS, "\n".join(queries())], ids=["alerts", "grafana"])
def test_what_is_asked_for_is_told(metrics, text):
    told = {
        name + ("_total" if kind == "counter" and not name.endswith("_total") else "")
        for name, kind in re.findall(r"^# TYPE (\S+) (\S+)", metrics, re.MULTILINE)
    }
    asked = set(re.findall(r"\bcrawlkeep_\w+", text))
    assert asked - told == set()
    assert len(asked) > 5
    known = {"state": set(WORDS), "outcome": set(Outcome), "reason": set(Refusal)}
    for label, values in re.findall(r'\b(state|outcome|reason)=~?"([^"$]+)"', text):
        assert set(values.split("|")) - {str(one) for one in known[label]} == set(), label


def test_every_expression_of_the_dashboard_is_one(tmp_path):
    if PROMTOOL is None:
        pytest.skip("no promtool; apt install prometheus")
    rules = [
        {"record": f"panel:{number}", "expr": one.replace("$__rate_interval", "5m")}
        for number, one in enumerate(queries())
    ]
    file = tmp_path / "board.yml"  # JSON is YAML
    file.write_text(json.dumps({"groups": [{"name": "board", "rules": rules}]}), encoding="utf-8")
    code, said = promtool("check", "rules", str(file))
    assert (code, f"{len(rules)} rules found" in said) == (0, True), said


def test_every_metric_is_documented_and_every_documented_one_is_there(metrics):
    said = (DEPLOY.parent / "docs" / "how-to" / "prometheus.md").read_text(encoding="utf-8")
    there = {
        line.split()[2] for line in metrics.splitlines() if line.startswith("# TYPE crawlkeep_")
    }
    assert set(re.findall(r"\bcrawlkeep_\w+", said)) == there
