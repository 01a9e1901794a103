"""The pages about links and politeness: their examples run, and their tables are the code's."""

import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from crawler.config import layers as configuration
from crawler.config.links import LinksSettings
from crawler.config.politeness import PolitenessSettings
from crawler.config.traps import TrapsSettings

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page: str, language: str) -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize(
    "code", [*blocks("links.md", "python"), *blocks("politeness.md", "python")]
)
def test_the_examples_run(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "example", "exec"), {"__name__": "example"})


def test_the_configuration_that_is_shown_is_one(tmp_path: Path) -> None:
    text, *others = blocks("politeness.md", "toml")
    assert all(map(tomllib.loads, [text, *others]))
    (tmp_path / "config.toml").write_text(text)
    found = configuration.load(tmp_path / "config.toml", environ={})
    assert found.politeness.limit_by == "address" and found.politeness.quiet_hours


@pytest.mark.parametrize("section", [LinksSettings, TrapsSettings])
def test_every_key_of_links_and_traps_is_explained(section: type[msgspec.Struct]) -> None:
    text = (DOCS / "links.md").read_text(encoding="utf-8")
    assert [key for key in section.__struct_fields__ if key not in text] == []


def test_every_key_about_the_delay_is_explained() -> None:
    text = (DOCS / "politeness.md").read_text(encoding="utf-8")
    assert [
        key for key in PolitenessSettings.__struct_fields__ if key not in text and key != "robots"
    ] == []
