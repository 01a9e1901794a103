"""An error is told by the line of the user's own code, read from the text of its traceback."""

import asyncio
import traceback
from pathlib import Path
from types import ModuleType

import pytest

from crawler import Request
from crawler.errors import BadUrl
from crawler.web.error_place import error_line, last_line, own_line, place_of

MINE = """
import json
from crawler import Request

def plain():
    raise KeyError("id")

def in_the_library():
    json.loads("{")

def in_ours():
    Request("/page/2/")

def chained():
    try:
        plain()
    except KeyError as error:
        raise RuntimeError("no id") from error

def many_lines():
    raise ValueError("first\\n  second\\nthird")
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "mine.py"
    file.write_text(MINE)
    module = ModuleType("mine")
    exec(compile(MINE, str(file), "exec"), vars(module))
    return module


def raised(call: object) -> BaseException:
    with pytest.raises(Exception) as caught:
        call()  # type: ignore[operator]
    return caught.value


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("plain", "mine.py:6: KeyError: 'id'"),
        ("in_the_library", "mine.py:9: json.decoder.JSONDecodeError: Expecting property name"),
        ("in_ours", "mine.py:12: BadUrl: "),
        ("chained", "mine.py:18: RuntimeError: no id"),
        ("many_lines", "mine.py:21: ValueError: first second third"),
    ],
)
def test_the_place_is_the_last_line_of_the_users_own_code(
    mine: ModuleType, name: str, line: str
) -> None:
    error = raised(getattr(mine, name))
    text = "".join(traceback.format_exception(error))
    found = error_line(text)
    assert found is not None and found.startswith(line)
    assert last_line(text) == found
    assert place_of(found) == line.partition(": ")[0]


def test_a_text_that_is_no_traceback_has_no_place() -> None:
    assert error_line(None) is None
    assert error_line("connection refused") is None
    assert last_line("connection refused") == "connection refused"


def test_our_own_errors_are_their_message_alone() -> None:
    def ours() -> None:
        raise BadUrl("x is no URL")

    error = raised(ours)
    text = "".join(traceback.format_exception(error)).replace(__file__, Request.__module__)
    assert error_line(text.replace("crawler.web.request", "<frozen>")) == "BadUrl: x is no URL"


def test_what_no_code_of_the_users_raised_is_not_theirs(mine: ModuleType) -> None:
    async def waits() -> None:
        await asyncio.wait_for(asyncio.sleep(1), 0)

    error = raised(mine.plain)
    assert own_line(error) is not None
    error.__traceback__ = None
    assert own_line(error) is None
