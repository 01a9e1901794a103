"""Modules of earlier versions still import by their old names, with a warning."""

import importlib
import subprocess
import sys

import pytest

from crawler.moved import HOMES


@pytest.mark.parametrize("old", HOMES)
def test_a_module_imports_by_its_old_name(old: str) -> None:
    sys.modules.pop(f"crawler.{old}", None)
    with pytest.warns(DeprecationWarning, match=f"crawler.{old} is crawler.{HOMES[old]} now"):
        module = importlib.import_module(f"crawler.{old}")
    assert module is importlib.import_module(f"crawler.{HOMES[old]}")


def test_nothing_of_ours_uses_an_old_name() -> None:
    modules = ("cli.runner", "engine.assembly", "inspect.why", "clients.api", "export.warc")
    code = "import " + ", ".join(f"crawler.{name}" for name in modules)
    command = [sys.executable, "-W", "error::DeprecationWarning:crawler", "-c", code]
    assert subprocess.run(command, check=False).returncode == 0


def test_an_unknown_module_is_still_unknown() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"crawler\.nothing"):
        importlib.import_module("crawler.nothing")
