"""Every example of docs/http.md runs against the practice site."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from crawler.practice import PracticeSite
from crawler.wire import Auth, Cache, Proxy, Tls

PAGE = (Path(__file__).parent.parent / "docs" / "http.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(
    r"^## (.+?)\n(?:(?!^## ).)*?```python\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE
)


@pytest.mark.parametrize(("title", "code"), EXAMPLES, ids=[title for title, _ in EXAMPLES])
def test_an_example_runs(
    title: str,
    code: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRACTICE_PASSWORD", "lighthouse")
    (tmp_path / "config.toml").write_text("[politeness]\ndelay = 0.0\n")

    async def story() -> None:
        async with PracticeSite() as site:
            address = site.url.removeprefix("http://").rstrip("/")
            names: dict[str, Any] = {"__name__": "example"}
            exec(compile(code.replace("127.0.0.1:8000", address), title, "exec"), names)
            await asyncio.wait_for(names["main"](), 20)

    asyncio.run(story())
    assert capsys.readouterr().out.strip()


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 4


def test_every_key_of_the_way_to_a_site_is_on_the_page() -> None:
    for section in (Tls, Proxy, Cache):
        for name in section.__struct_fields__:
            assert name in PAGE, name
    assert "[auth." in PAGE and Auth.__struct_fields__ == ("at",)
