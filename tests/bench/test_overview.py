"""The README's figure is drawn from the figures that are on record, and says whose they are."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

import overview
import pytest

ROOT = Path(__file__).resolve().parents[2]
RECORD = json.loads((ROOT / "docs" / "benchmarks.json").read_text(encoding="utf-8"))


def test_the_figure_is_the_one_that_the_record_gives() -> None:
    drawn = (ROOT / "docs" / "benchmarks-overview.svg").read_text(encoding="utf-8")
    assert drawn == overview.drawn(RECORD) + "\n"
    assert RECORD["date"] in drawn


def test_a_system_is_compared_on_the_sites_that_all_crawled() -> None:
    rows = [
        {"system": "ours", "corpus": "a", "cpu_ms": 1.0},
        {"system": "ours", "corpus": "b", "cpu_ms": 4.0},
        {"system": "ours", "corpus": "c", "cpu_ms": 99.0},
        {"system": "colly", "corpus": "a", "cpu_ms": 3.0},
        {"system": "colly", "corpus": "b", "cpu_ms": 3.0},
        {"system": "bare", "corpus": "a", "cpu_ms": 0.1},
    ]
    assert overview.means(rows) == pytest.approx({"ours": 2.0, "colly": 3.0})
