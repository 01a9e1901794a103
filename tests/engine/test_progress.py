"""The progress line: what it says, and its rate."""

from types import SimpleNamespace

import pytest

from crawler.engine.progress import Progress, Snapshot, clock, line


def test_the_line_tells_pages_rate_queue_errors_hosts_and_time() -> None:
    shot = Snapshot(
        seconds=65, pages=1234, queued=56789, errors=1, hosts=2, in_flight=4, rate=98.76
    )
    assert (
        line(shot)
        == "1,234 pages, 98.8/s, 56,789 queued, 1 error, 2 hosts, 1:05, at least 9:35 to go"
    )


def test_with_a_limit_the_line_tells_how_far_it_is_and_for_how_long() -> None:
    shot = Snapshot(
        *(10, 250, 9000, 0, 1, 4, 25.0),
        limit=1000,
    )
    assert line(shot).endswith(", 10.0s, 25 % of 1,000 pages, about 30.0s to go")


def test_hosts_at_rest_are_told_with_how_long_and_nothing_is_promised_before() -> None:
    shot = Snapshot(
        *(10, 4, 6, 0, 2, 0, 4.0),
        resting=(("http://slow.example:80", 118.0), ("http://other.example", 20.0)),
    )
    told = ", at least 1:58 to go; resting: http://slow.example:80 for 1:58 and 1 more"
    assert line(shot).endswith(told)


def test_the_line_says_that_a_crawl_is_stopping() -> None:
    shot = Snapshot(
        seconds=1, pages=1, queued=5, errors=0, hosts=1, in_flight=4, rate=1, stopping=True
    )
    assert line(shot).startswith("stopping, 4 in flight: 1 page, ")


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0.0s"),
        (7.44, "7.4s"),
        (60, "1:00"),
        (185, "3:05"),
        (3600, "1:00:00"),
        (3723, "1:02:03"),
    ],
)
def test_durations_are_written_as_people_read_them(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


def test_the_rate_is_that_of_the_last_ten_seconds() -> None:
    stats = SimpleNamespace(pages=0, errors=0)
    frontier = SimpleNamespace(pending=0, hosts={}, in_flight=0, stopped=None, now=lambda: 0.0)
    engine, state = SimpleNamespace(max_pages=None), SimpleNamespace(pages=0)
    config = SimpleNamespace(engine=engine)
    crawler = SimpleNamespace(stats=stats, frontier=frontier, config=config, state=state)
    progress = Progress(crawler, 100.0)  # type: ignore[arg-type]
    rates = []
    for second in range(1, 31):
        stats.pages += 50 if second <= 10 else 5
        rates.append(progress.look(100.0 + second).rate)
    assert rates[0] == rates[9] == 50
    assert 5 < rates[14] < 50
    assert rates[-1] == 5
