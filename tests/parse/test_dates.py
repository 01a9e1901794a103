"""Dates as machines and people write them."""

import sys
from datetime import UTC, datetime, timedelta, timezone
from datetime import date as day
from typing import Any

import pytest

from crawler.errors import UsageError
from crawler.parse.dates import date

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
OWN = [
    ("2026-01-02", datetime(2026, 1, 2)),
    ("20260102", datetime(2026, 1, 2)),
    ("2026-W10-1", datetime(2026, 3, 2)),
    (" 2026-01-02T10:00Z\n", datetime(2026, 1, 2, 10, tzinfo=UTC)),
    ("2011-11-18 14:54:39.929-0800",  # of HTML 2.3.5.7
     datetime(2011, 11, 18, 14, 54, 39, 929000, timezone(timedelta(hours=-8)))),
    ("Sun, 06 Nov 1994 08:49:37 GMT", datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)),
    ("6 Nov 1994 08:49 -0000", datetime(1994, 11, 6, 8, 49, tzinfo=UTC)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), OWN)
def test_standard_forms_need_no_extra(
    text: str, value: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "dateparser", None)
    assert (date(text), date(text).tzinfo is None) == (value, value.tzinfo is None)
    assert date(text, kind=day) == value.date()


@pytest.mark.parametrize(
    ("text", "options", "value"),
    [
        ("3 mars 2026", {}, datetime(2026, 3, 3)),
        ("3. März 2026", {"languages": ["de"]}, datetime(2026, 3, 3)),
        ("03/04/2026", {"order": "DMY"}, datetime(2026, 4, 3)),
        ("03/04/2026", {"order": "MDY"}, datetime(2026, 3, 4)),
        ("2 days ago", {"languages": ["en"], "now": NOON}, datetime(2026, 3, 8, 12)),
    ],
)
def test_dateparser_reads_the_rest(text: str, options: Any, value: datetime) -> None:
    assert date(text, **options) == value
    now = options.pop("now", None)
    if now is None:
        assert date(**options)(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tea",
        "2026-13-01",
        "2026-02",
        "2026",
        "2026-W10",
        "11-18",
        "10:30",
        "x" * 300,
        "March 2026",
        "32 Jan 2026 10:00 GMT",
        "2026-02-30T10:00Z",
    ],
)
def test_what_is_no_whole_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no date"):
        date(text, languages=["en"])


def test_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dateparser", None)
    with pytest.raises(UsageError, match=r"pip install 'crawlkeep\[dates\]'"):
        date("3 mars 2026")
