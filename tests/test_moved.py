"""Modules of earlier versions still import by their old names, with a warning."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from site_thread import site_on_a_thread

import crawler
from crawler.moved import HOMES


@pytest.mark.parametrize("old", HOMES)
def test_a_module_imports_by_its_old_name(old: str) -> None:
    sys.modules.pop(f"crawler.{old}", None)
    with pytest.warns(DeprecationWarning, match=f"crawler.{old} is crawler.{HOMES[old]} now"):
        module = importlib.import_module(f"crawler.{old}")
    assert module is importlib.import_module(f"crawler.{HOMES[old]}")


def test_the_function_crawl_can_be_called_where_a_module_had_its_name(tmp_path: Path) -> None:
    sys.modules.pop("crawler.crawl", None)
    with pytest.warns(DeprecationWarning):
        importlib.import_module("crawler.crawl")
    with site_on_a_thread(robots=False) as site:
        site.add_page("/", "<title>one</title>")
        assert crawler.crawl(site.at("/"), store=tmp_path / "a.db").pages == 1


def test_nothing_of_ours_uses_an_old_name() -> None:
    modules = ("cli.runner", "engine.assembly", "inspect.why", "clients.api", "export.warc")
    code = "import " + ", ".join(f"crawler.{name}" for name in modules)
    command = [sys.executable, "-W", "error::DeprecationWarning:crawler", "-c", code]
    assert subprocess.run(command, check=False).returncode == 0


def test_an_unknown_module_is_still_unknown() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"crawler\.nothing"):
        importlib.import_module("crawler.nothing")
