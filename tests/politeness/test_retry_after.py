"""Retry-After: seconds, dates in three formats, and what is neither."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.politeness.retry_after import LONGEST_WAIT, retry_after

NOW = datetime(1994, 11, 6, 8, 49, 0, tzinfo=UTC).timestamp()
VALUES = [
    ("120", 120.0), ("0", 0.0), (" 7\t", 7.0), ("007", 7.0), ("9" * 5000, LONGEST_WAIT),
    ("0" * 5000 + "5", 5.0),
    # the three examples of RFC 9110 5.6.7, 37 seconds ahead
    ("Sun, 06 Nov 1994 08:49:37 GMT", 37.0), ("Sunday, 06-Nov-94 08:49:37 GMT", 37.0),
    ("Sun Nov  6 08:49:37 1994", 37.0), ("Sun Nov 16 08:49:00 1994", 864_000.0),
    ("sun, 6 nov 1994 08:50:00 utc", 60.0), ("06 Nov 1994 08:49:60 GMT", 59.0),
    ("Sun, 06 Nov 1994 08:48:59 GMT", 0.0), ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_WAIT),
    ("Sunday, 06-Nov-44 08:49:37 GMT", LONGEST_WAIT), ("Sunday, 06-Nov-45 08:49:37 GMT", 0.0),
    (None, None), ("", None), ("-1", None), ("+1", None), ("1.5", None), ("²", None), ("1 2", None),
    ("soon", None), ("Sun, 31 Feb 1994 08:49:37 GMT", None),
    ("Sun, 06 Nov 1994 24:49:37 GMT", None),
    ("Sun, 06 Foo 1994 08:49:37 GMT", None), ("Sun, 06 Nov 1994 08:49:37", None),
    ("Sun, 06 Nov 0000 08:49:37 GMT", None), ("1994-11-06T08:49:37Z", None),
]  # fmt: skip


@pytest.mark.parametrize(("value", "want"), VALUES)
def test_retry_after_gives_the_seconds_that_a_host_asks_for(value, want):
    assert retry_after(value, NOW) == want


def test_now_may_be_a_datetime():
    now = datetime(1994, 11, 6, 8, 49, tzinfo=UTC)
    assert retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now) == 37.0


@given(st.text(max_size=60), st.floats(0, 4e9))
def test_any_value_gives_a_wait_or_none(value, now):
    wait = retry_after(value, now)
    assert wait is None or 0 <= wait <= LONGEST_WAIT
