"""Pages are seen and forms sent as Chromium does, but for what `differences` lists."""

import json
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import differences  # noqa: E402
import seen  # noqa: E402

EXPECTED = json.loads((HERE / "expected.json").read_text())
PAGES, FORMS = EXPECTED["pages"], EXPECTED["forms"]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_seen_as_a_browser_sees_it(name: str) -> None:
    other = seen.other(HERE / "pages" / name, PAGES[name])
    known = differences.PAGES.get(name)
    assert other == (known.parts if known else ()), name


@pytest.mark.parametrize("name", FORMS)
def test_a_form_is_sent_as_a_browser_sends_it(name: str) -> None:
    ours, theirs = seen.sent(HERE / "forms" / name), seen.theirs_sent(FORMS[name])
    if name in differences.FORMS:
        assert ours != theirs, f"{name} need no longer be listed"
    else:
        assert ours == theirs, name


def test_differences_are_few_and_of_files_that_are_there() -> None:
    assert set(differences.PAGES) <= set(PAGES) and set(differences.FORMS) <= set(FORMS)
    assert len(differences.MEANT | differences.LIMITS) <= 0.02 * len(PAGES)
    assert len(differences.PAGES) <= 0.05 * len(PAGES)
    assert len(differences.FORMS) <= 0.02 * len(FORMS)
