"""Every example of docs/http.md runs against the practice site."""

import asyncio
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from crawler.config.auth import AuthSettings
from crawler.config.cache import CacheSettings
from crawler.config.proxy import ProxySettings
from crawler.config.tls import TlsSettings
from crawler.practice import PracticeSite
from tests.clients.test_transport import Authority
from tests.http.test_proxies import proxy

PAGE = (Path(__file__).parents[2] / "docs" / "http.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(
    r"^## ([^\n]+)\n(?:(?!^## ).)*?```python\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE
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

    known = Authority(tmp_path, asks=True)
    (tmp_path / "ca.pem").rename(tmp_path / "our-ca.pem")
    (tmp_path / "mine.pem").rename(tmp_path / "our-own.pem")

    async def story(port: int) -> None:
        async with PracticeSite() as site, PracticeSite(tls=known.context) as safe:
            text = code.replace("127.0.0.1:8000", address(site))
            text = text.replace("127.0.0.1:8443", address(safe))
            text = text.replace("127.0.0.1:8080", f"127.0.0.1:{port}")
            example = ModuleType(f"example_{title.lower()}")
            monkeypatch.setitem(sys.modules, example.__name__, example)
            exec(compile(text, title, "exec"), example.__dict__)
            await asyncio.wait_for(example.main(), 20)

    with proxy() as running:
        asyncio.run(story(running.port))
    assert capsys.readouterr().out.strip()


def address(site: PracticeSite) -> str:
    return site.url.partition("//")[2].rstrip("/")


def test_there_are_examples() -> None:
    assert [title for title, _ in EXAMPLES] == [
        *("Requests", "Sessions", "Cookies", "Forms", "Keys"),
        *("TLS", "Proxies", "Middlewares", "Cache"),
    ]


def test_every_key_of_the_way_to_a_site_is_on_the_page() -> None:
    for section in (TlsSettings, ProxySettings, CacheSettings):
        for name in section.__struct_fields__:
            assert name in PAGE, name
    assert "[auth." in PAGE and AuthSettings.__struct_fields__ == ("at",)
