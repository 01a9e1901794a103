"""How values become those of rows."""

import random
from datetime import UTC, datetime

import pytest

from crawler.store.rows import PAGE_COLUMNS, iso, page_row
from crawler.web.outcome import Outcome
from crawler.web.request import Todo
from crawler.web.visit import Visit


def test_a_time_is_written_as_datetime_does_it_with_milliseconds() -> None:
    pick = random.Random(1)
    times = [
        0.0,
        -0.25,
        1e9 - 1e-7,
        1e9 + 0.9999996,
        -6e10,
        *(pick.uniform(0, 4e9) for _ in "x" * 999),
    ]
    for at in times:
        then = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
        assert iso(at) == then.replace("+00:00", "Z")


@pytest.mark.parametrize("at", [float("nan"), float("inf"), 1e12])
def test_what_is_no_time_is_refused(at: float) -> None:
    with pytest.raises((ValueError, OverflowError)):
        iso(at)


@pytest.mark.parametrize(
    ("extra", "shown"),
    [
        (
            '{"headers": {"If-None-Match": "\\"é\\"", "If-Modified-Since": "Mon"}}',
            '{"headers": {"If-None-Match": "\\"é\\"", "If-Modified-Since": "Mon"}}',
        ),
        (
            '{"headers": {"If-None-Match": "a", "X-Api-Key": "b"}}',
            '{"headers": {"If-None-Match": "a", "X-Api-Key": "***"}}',
        ),
        (
            '{"headers": {"If-None-Match": "a"}, "cookies": {"a": "b"}}',
            '{"headers": {"If-None-Match": "a"}, "cookies": {"a": "***"}}',
        ),
        ('{"headers": {}}', '{"headers": {}}'),
        ('{"meta": {"far": NaN}}', '{"meta": {"far": NaN}}'),  # as an earlier version wrote it
        ("{", None),
        (None, None),
    ],
)
def test_the_row_of_a_page_has_what_its_request_carried_without_secrets(
    extra: str | None, shown: str | None
) -> None:
    todo = Todo(1, 0, 1, 7, "http://a.example/", 0, 0, 0.0, None, None, extra)
    row = page_row(1, 1, Visit(todo, Outcome.OK, 0.0))
    assert row[PAGE_COLUMNS.index("request")] == shown
