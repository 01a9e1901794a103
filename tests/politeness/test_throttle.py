"""The pace of a host: what its answers, its troubles and the clock do to it."""

from datetime import datetime

import pytest
from msgspec.structs import replace

from crawler.errors import ConfigError
from crawler.politeness.retry import share
from crawler.politeness.throttle import (
    Pace,
    PauseLimits,
    pause,
    quiet_for,
    recovered,
    slowed,
    spans_of,
)
from crawler.web.outcome import Outcome

LIMITS = PauseLimits(max_delay=60.0, max_retry_after=3600.0)


def after(pace: Pace, *elapsed: float, limits: PauseLimits = LIMITS) -> Pace:
    for seconds in elapsed:
        pace = recovered(pace, seconds, limits)
    return pace


def test_the_delay_follows_the_response_time_of_the_host() -> None:
    assert after(Pace(0.25, 2), 2.0).delay == 2.0
    assert after(Pace(0.25, 2), *[2.0] * 10).delay == pytest.approx(2.0, abs=0.01)


def test_the_delay_has_a_floor_and_a_ceiling() -> None:
    assert after(Pace(0.25, 2), 0.001).delay == 0.25
    assert after(Pace(0.25, 2), 500.0).delay == 60.0


def test_one_slow_answer_is_forgotten_slowly() -> None:
    slow = after(Pace(0.25, 2), 8.0)
    soon = after(slow, 0.01)
    assert 4.0 < soon.delay < 8.0
    assert after(soon, *[0.01] * 100).delay == 0.25


def test_half_the_load_waits_twice_as_long() -> None:
    assert after(Pace(0.25, 2), 1.0, limits=replace(LIMITS, load=0.5)).delay == 2.0


def test_a_host_of_ones_own_without_a_delay_keeps_none() -> None:
    assert after(Pace(0.0, 16), 5.0, 5.0).delay == 0.0


def test_without_adaption_the_delay_stays_what_it_was_set_to() -> None:
    limits = replace(LIMITS, adaptive=False)
    pace, rest = slowed(after(Pace(0.25, 2), 9.0, limits=limits), None, limits)
    assert (pace.delay, rest) == (0.25, 1.0)


def test_trouble_doubles_the_delay_and_lets_the_host_rest_longer_each_time() -> None:
    pace, rests = Pace(0.25, 2), []
    for _ in range(4):
        pace, rest = slowed(pace, None, LIMITS)
        rests.append(rest)
    assert pace.delay == 4.0 and pace.failures == 4
    assert rests == sorted(rests) and rests[0] == 1.0 and rests[-1] >= 8.0


def test_a_few_failures_in_a_row_cost_no_rest_and_many_cost_ten_seconds_each() -> None:
    assert [pause(failed, LIMITS) for failed in (1, 4)] == [0.0, 0.0]
    assert [pause(failed, LIMITS) for failed in (5, 6, 7, 8, 9, 10**6)] == [1, 2, 4, 8, 10, 10]
    assert pause(99, replace(LIMITS, max_delay=0.5)) == 0.5


@pytest.mark.parametrize(
    ("outcome", "status", "expected"),
    [
        *((Outcome(name), None, 0.0) for name in ("timeout", "connect_error", "dns_error")),
        *((Outcome(name), None, 0.0) for name in ("tls_error", "protocol_error")),
        *((Outcome.SERVER_ERROR, status, 0.1) for status in (500, 501, 503)),
        *((Outcome.RATE_LIMITED, 429, 0.1), (Outcome.TIMEOUT, 408, 0.1)),
        (Outcome.HTTP_ERROR, 403, 1.0),
        *((Outcome(name), 200, None) for name in ("ok", "spider_error", "internal_error")),
        *((Outcome.NOT_FOUND, 404, None), (Outcome.HTTP_ERROR, 401, None)),
        *((Outcome(name), None, None) for name in ("robots_denied", "trapped", "proxy_error")),
        *((Outcome(name), None, None) for name in ("host_given_up", "too_large", "not_cached")),
    ],
)
def test_only_what_a_host_does_wrong_speaks_against_it(outcome, status, expected) -> None:
    assert share(outcome, status) == expected


def test_what_the_host_asks_for_wins_up_to_its_cap() -> None:
    assert slowed(Pace(0.25, 2), 30.0, LIMITS)[1] == 30.0
    assert slowed(Pace(0.25, 2), 10**9, LIMITS)[1] == 3600.0


def test_recovery_is_slow_and_complete() -> None:
    pace = Pace(0.25, 2)
    for _ in range(6):
        pace, _ = slowed(pace, None, LIMITS)
    assert pace.delay == 16.0
    pace = after(pace, 0.01)
    assert 14.0 < pace.delay < 16.0 and pace.failures == 5
    pace = after(pace, *[0.01] * 60)
    assert (pace.delay, pace.failures) == (0.25, 0)


def test_a_host_without_a_delay_recovers_from_trouble_to_none() -> None:
    pace, _ = slowed(Pace(0.0, 16), None, LIMITS)
    assert pace.delay == 0.25
    assert after(pace, *[0.01] * 60).delay == 0.0


def test_trouble_never_goes_over_the_ceiling_nor_below_a_crawl_delay() -> None:
    pace = Pace(120.0, 1)
    pace, _ = slowed(pace, None, LIMITS)
    assert pace.delay == 120.0


@pytest.mark.parametrize(
    ("spans", "clock", "seconds"),
    [
        (["22:00-06:00"], "21:59", 0),
        (["22:00-06:00"], "22:00", 8 * 3600),
        (["22:00-06:00"], "05:59", 60),
        (["22:00-06:00"], "06:00", 0),
        (["8:30-9:00"], "08:45", 900),
        (["08:00-10:00", "09:00-12:00"], "09:30", 2.5 * 3600),
        (["18:00-24:00"], "23:00", 3600),
        (["00:00-24:00"], "12:00", 12 * 3600),
        ([], "12:00", 0),
    ],
)
def test_quiet_hours_end_when_they_say(spans: list[str], clock: str, seconds: float) -> None:
    now = datetime.fromisoformat(f"2026-11-21T{clock}")
    assert quiet_for(spans_of(spans), now) == seconds


@pytest.mark.parametrize(
    "text", ["", "22-06", "22:00", "25:00-06:00", "24:30-06:00", "22:60-06:00"]
)
def test_a_span_that_is_none_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match=r"quiet_hours.*22:00-06:00"):
        spans_of([text])
