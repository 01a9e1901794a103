"""Every example of docs/patterns.md runs against the practice site."""

import asyncio
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from client_story import Served

from crawler.practice import PracticeSite
from tests.clients.test_scraper_api import KEY, Service
from tests.clients.test_transport import Authority
from tests.http.test_proxies import proxy

PAGE = (Path(__file__).parents[2] / "docs" / "patterns.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^## (.+?)\n.*?```python\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)


def test_every_pattern_has_an_example() -> None:
    assert [title for title, _ in EXAMPLES] == re.findall(r"^## (.+)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("title", "code"), EXAMPLES, ids=[title for title, _ in EXAMPLES])
def test_a_pattern_runs(
    title: str,
    code: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if "fastapi" in code:
        pytest.importorskip("fastapi")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRACTICE_PASSWORD", "lighthouse")
    monkeypatch.setenv("SCRAPER_API_KEY", KEY)
    (tmp_path / "config.toml").write_text(
        "[politeness]\ndelay = 0.0\n[fetch]\nallow_private = true\n"
    )
    (tmp_path / "data").mkdir()
    known = Authority(tmp_path, asks=True)
    (tmp_path / "ca.pem").rename(tmp_path / "our-ca.pem")
    (tmp_path / "mine.pem").rename(tmp_path / "our-own.pem")

    async def story(port: int) -> None:
        async with (
            PracticeSite() as site,
            PracticeSite(tls=known.context) as safe,
            Served({"/": Service().answer}) as service,
        ):
            text = code.replace("http://127.0.0.1:8001", service)
            for shown, real in (("8000", site.url), ("8443", safe.url)):
                text = text.replace(f"127.0.0.1:{shown}", real.partition("//")[2].rstrip("/"))
            text = text.replace("127.0.0.1:8080", f"127.0.0.1:{port}")
            example = ModuleType("example_of_a_pattern")
            monkeypatch.setitem(sys.modules, example.__name__, example)
            exec(compile(text, title, "exec"), example.__dict__)
            await asyncio.wait_for(example.main(), 20)

    with proxy() as running:
        asyncio.run(story(running.port))
    assert capsys.readouterr().out.strip()
