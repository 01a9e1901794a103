"""What holds for all tests."""

import logging
import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

# An example may be kept waiting by other programs; what is slow is measured in bench/. On a server
# every run tries the same examples, so that a change is judged by itself.
settings.register_profile("calm", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("calm")

# A shell without job control starts what is behind an `&` with SIGINT ignored; children inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _log_level() -> Iterator[None]:
    """Let a command that runs in this process set the root logger for its test alone."""
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)
