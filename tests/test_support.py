"""tests/support/README.md says what each helper serves, and which of them exist."""

import re
from pathlib import Path

SUPPORT = Path(__file__).parent / "support"
TEXT = (SUPPORT / "README.md").read_text(encoding="utf-8")


def helpers() -> list[str]:
    return sorted(file.stem for file in SUPPORT.glob("*.py"))


def test_every_helper_is_named_with_what_it_serves() -> None:
    last = TEXT.partition("All of them:")[2]
    assert re.findall(r"^\| `(\w+)` \| .+ \|$", last, re.MULTILINE) == helpers()


def test_the_advice_names_helpers_that_there_are() -> None:
    advice = TEXT.partition("Which one to take:")[2].partition("All of them:")[0]
    assert set(re.findall(r"`(\w+)`", advice)) <= set(helpers())


def test_every_helper_is_used() -> None:
    files = list(SUPPORT.parent.rglob("*.py"))
    used = {
        name
        for file in files
        for name in helpers()
        if file.stem != name and re.search(rf"\b{name}\b", file.read_text(encoding="utf-8"))
    }
    assert sorted(used) == helpers()
