"""The layers of the configuration: the later wins, tables are joined entry by entry."""

from pathlib import Path
from typing import Any

import pytest

from crawler.config.auth import AuthSettings, CredentialSettings
from crawler.config.layers import Config, load
from crawler.errors import ConfigError
from crawler.http.credentials import Credentials

FILE = """
[fetch]
headers = {Accept-Language = "de", X-Team = "north"}
[tls]
pins = {"a.example" = "aa"}
[auth."https://api.example.com/"]
kind = "bearer"
env = "FILE_TOKEN"
[auth."https://other.example/"]
kind = "header"
env = "OTHER_KEY"
"""
SPIDER: dict[str, Any] = {
    "fetch": {"headers": {"X-Team": "south"}},
    "auth": {"https://api.example.com/v2/": {"kind": "basic", "user": "me", "env": "V2"}},
}
ENVIRON = {
    "CRAWLER_FETCH__HEADERS": '{X-Run = "7"}',
    "CRAWLER_AUTH__AT": '{"https://other.example/" = {kind = "bearer", env = "ENV_TOKEN"}}',
}


def loaded(tmp_path: Path, *overrides: str) -> Config:
    file = tmp_path / "config.toml"
    file.write_text(FILE)
    return load(file, spider=SPIDER, environ=ENVIRON, overrides=overrides)


def test_headers_pins_and_keys_of_all_layers_hold_together(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        "tls.pins={'b.example' = 'bb'}",
        "auth.https://set.example/={kind = 'header', env = 'SET_KEY'}",
    )
    assert config.fetch.headers == {"Accept-Language": "de", "X-Team": "south", "X-Run": "7"}
    assert config.tls.pins == {"a.example": "aa", "b.example": "bb"}
    assert {prefix: key.env for prefix, key in config.auth.at.items()} == {
        "https://api.example.com/": "FILE_TOKEN",
        "https://api.example.com/v2/": "V2",
        "https://other.example/": "ENV_TOKEN",
        "https://set.example/": "SET_KEY",
    }
    assert config.auth.at["https://other.example/"].kind == "bearer"  # one key is never two halves


def test_an_empty_table_forgets_what_earlier_layers_said(tmp_path: Path) -> None:
    config = loaded(tmp_path, "fetch.headers={}", "auth.at={}")
    assert config.fetch.headers == {} and config.auth.at == {}
    assert config.tls.pins == {"a.example": "aa"}


def test_of_two_writings_of_one_prefix_the_later_opens_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLD", "old-key")
    monkeypatch.setenv("NEW", "new-key")
    first, second = (CredentialSettings(kind="header", env=name) for name in ("OLD", "NEW"))
    keys = Credentials(
        AuthSettings(at={"api.example.com": first, "https://API.example.com/": second})
    )
    found = keys.of("https://api.example.com/v1")
    assert found is not None and found.value == "new-key"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("engine.order=bread", ["engine.order", "breadth or depth", "did you mean 'breadth'"]),
        ('politeness.heed_usage=["train"]', ["heed_usage", "tdm or train-ai", "mean 'train-ai'"]),
        ("fetch.total_timeout=inf", ["fetch.total_timeout", "finite"]),
        (f"fetch.max_body={'9' * 5000}", ["fetch.max_body", "int"]),
        (f'hosts."a.example".delay={"9" * 5000}', ["delay", "float"]),
    ],
)
def test_a_word_that_a_key_does_not_take_is_answered_with_those_it_takes(
    tmp_path: Path, given: str, words: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, given)
    assert [word for word in words if word not in str(caught.value)] == []


def test_a_file_with_a_number_of_thousands_of_digits_is_told(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f"[politeness]\ndelay = {'9' * 5000}\n")
    with pytest.raises(ConfigError, match=r"config.toml: not valid TOML: .*4300 digits"):
        load(file)
