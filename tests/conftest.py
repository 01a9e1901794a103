"""What holds for all tests."""

import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# An example may be kept waiting by other programs; what is slow is measured in bench/. On a server
# every run tries the same examples, so that a change is judged by itself.
settings.register_profile("calm", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("calm")

# A shell without job control starts what is behind an `&` with SIGINT ignored; children inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)


# What takes long, mostly as it starts Chromium or many processes: `make test` leaves it out.
LONG = (
    *("browser/test_checks.py", "browser/test_hostile.py", "browser/test_kill.py"),
    *("browser/test_looking.py", "browser/test_private.py", "browser/test_rendered.py"),
    *("browser/test_rules.py", "browser/test_steps.py", "browser/test_tls.py"),
    *("dashboard/test_browser.py", "docs/test_how_to.py", "engine/test_sitemap_reader.py"),
    *("export/test_import_kill.py", "parse/test_hostile_pages.py", "processes/test_kill.py"),
    *("processes/test_processes.py", "reparse/test_reparse.py", "store/test_kill.py"),
    *("store/test_kill_commands.py", "testing/test_heal.py", "testing/test_plugin.py"),
)
_TESTS = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what takes long."""
    for item in items:
        if item.path.is_relative_to(_TESTS) and item.path.relative_to(_TESTS).as_posix() in LONG:
            item.add_marker(pytest.mark.long)


@pytest.fixture(autouse=True)
def _log_level() -> Iterator[None]:
    """Let a command that runs in this process set the root logger for its test alone."""
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)
