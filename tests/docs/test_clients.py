"""Every example of docs/clients.md runs against the practice site."""

import re
from pathlib import Path
from typing import Any

import pytest
from client_story import Served, on_site

import crawler.clients
from crawler.practice import PracticeSite
from tests.clients.test_scraper_api import KEY, Service

PAGE = (Path(__file__).parents[2] / "docs" / "clients.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^## (.+?)\n.*?```python\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(("title", "code"), EXAMPLES, ids=[title for title, _ in EXAMPLES])
def test_an_example_runs(
    title: str,
    code: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCRAPER_API_KEY", KEY)
    (tmp_path / "data").mkdir()

    @on_site()
    async def story(site: PracticeSite) -> None:
        async with Served({"/": Service().answer}) as service:
            text = code.replace("http://127.0.0.1:8001", service)
            address = site.url.removeprefix("http://").rstrip("/")
            names: dict[str, Any] = {"__name__": "example"}
            exec(compile(text.replace("127.0.0.1:8000", address), title, "exec"), names)
            await names["main"]()

    story()
    assert capsys.readouterr().out


def test_every_client_is_on_the_page() -> None:
    missing = [name for name in crawler.clients.__all__ if f"{name}" not in PAGE]
    assert missing == []
