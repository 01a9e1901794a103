"""docs/faults.md names every fault, and tests that there are."""

import ast
import re
from pathlib import Path

from fault_story import PLAYED

from tests.faults import (
    test_faults_addresses,
    test_faults_breaker,
    test_faults_clock,
    test_faults_crawl,
    test_faults_hosts,
    test_faults_names,
    test_faults_proxies,
    test_faults_queue,
    test_faults_tls,
    test_faults_wire,
)

TESTS = Path(__file__).parent.parent
PAGE = (TESTS.parent / "docs" / "faults.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| (fault-\d+) \| (.*) \|$", PAGE, re.MULTILINE))
STORIES = (
    test_faults_addresses,
    test_faults_breaker,
    test_faults_clock,
    test_faults_hosts,
    test_faults_names,
    test_faults_proxies,
    test_faults_queue,
    test_faults_tls,
    test_faults_crawl,
)


def test_every_fault_has_a_row() -> None:
    assert list(ROWS) == [f"fault-{number:03}" for number in range(1, 109)]


def test_every_test_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`([\w/]+\.py)::(test_\w+)`", PAGE))
    assert len(named) > 60
    known = {
        (file, node.name)
        for file in {file for file, _ in named}
        for node in ast.walk(ast.parse((TESTS / file).read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert named <= known


def test_every_fault_that_is_played_here_is_on_the_page_with_its_test() -> None:
    assert all(module.__doc__ for module in STORIES)
    for fault in {*PLAYED, *test_faults_wire.FAULTS}:
        assert "faults/test_faults_" in ROWS[fault], fault
