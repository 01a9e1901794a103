"""`/metrics`: the figures of every crawl that is shown, for Prometheus (extra `metrics`).

They are read from the stores when they are asked for, so a scraper costs the crawl nothing but a
reader. Counters are those of the crawl over all its runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from crawler.dashboard.sources import Look
from crawler.dashboard.state import WORDS, State
from crawler.errors import UsageError

if TYPE_CHECKING:
    from prometheus_client.core import Metric

CONTENT_TYPE = "text/plain; version=0.0.4"

Figures = dict[str, Any]

_GAUGES = {
    "queue_urls": "URLs that are queued or in flight.",
    "hosts": "Hosts that were met.",
    "hosts_queued": "Hosts with URLs in the queue.",
    "hosts_given_up": "Hosts that were given up.",
    "store_bytes": "Bytes of the store and its log.",
    "store_log_bytes": "Bytes of the store's log alone.",
    "disk_free_bytes": "Bytes that are free on the disk of the store.",
    "control_waiting": "What was asked of the crawl and is not answered.",
    "run_started_timestamp_seconds": "When the last run began.",
    "time_to_go_seconds": "How long the slowest host will still take.",
}
_WORKER = {
    "worker_in_flight": ("in_flight", "Requests in flight."),
    "worker_requests_per_second": ("pace", "Requests that ended, a second."),
    "worker_loop_lag_seconds": ("lag", "Seconds for which the event loop stood still, at most."),
    "worker_memory_bytes": ("memory", "Memory of the process."),
    "worker_open_files": ("files", "Files that the process has open."),
    "worker_connections": ("connections", "Connections that are open."),
    "worker_connections_limit": ("most", "Connections that may be open."),
    "worker_flush_seconds": ("flush", "Seconds that a commit takes, in the middle."),
    "worker_flush_p95_seconds": ("flush_most", "Seconds that 19 of 20 commits stay below."),
    "worker_last_sign_timestamp_seconds": ("at", "When the process gave its last sign."),
}
_COUNTERS = {
    "requests": ("outcome", "Requests that ended, by outcome."),
    "retries": ("outcome", "Tries that were not the last one, by outcome."),
    "refused": ("reason", "What was not taken, by reason."),
}


def figures(look: Look) -> Figures:
    """Return the figures of one crawl."""
    from crawler.dashboard.views.overview import deciding

    now = State(look)
    hosts = deciding(look, now) if now.state == "running" else []
    asked = "SELECT count(*) FROM control WHERE state = 'asked'"
    gauges: dict[str, float | None] = {
        "queue_urls": now.queued,
        "hosts": now.hosts.number,
        "hosts_queued": now.hosts.queued,
        "hosts_given_up": len(now.given_up),
        "store_bytes": now.size,
        "store_log_bytes": now.log_size,
        "disk_free_bytes": now.free[0] if now.free else None,
        "control_waiting": look.one(asked),
        "run_started_timestamp_seconds": now.run.started if now.run else None,
        "time_to_go_seconds": hosts[0].to_go if hosts else None,
    }
    counters = {
        "requests": now.outcomes,
        "retries": _below(now.counters, "retry."),
        "refused": _below(now.counters, "refused."),
    }
    return {
        "state": now.state,
        "gauges": {name: value for name, value in gauges.items() if value is not None},
        "counters": {name: _numbers(found) for name, found in counters.items()},
        "pages": float(now.values.get("pages", 0)),
        "items": _numbers(now.item_types),
        "workers": [
            {"name": worker["name"], **_numbers({key: worker[key] for key, _ in _WORKER.values()})}
            for worker in now.workers
        ],
    }


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Return what are numbers; here, where what is none is told as damage of the store."""
    return {name: float(value) for name, value in values.items()}


def _below(counters: Mapping[str, int], head: str) -> dict[str, int]:
    return {k.removeprefix(head): v for k, v in counters.items() if k.startswith(head)}


def exposition(crawls: Mapping[str, Figures | None]) -> bytes:
    """Return the text that Prometheus reads; None stands for a store that could not be read.

    UsageError where the library for it is not installed.
    """
    try:
        from prometheus_client import CollectorRegistry, generate_latest
    except ImportError:
        raise UsageError(
            "/metrics needs prometheus-client: pip install 'crawlkeep[metrics]'"
        ) from None

    class Collected:
        def collect(self) -> Iterable[Metric]:
            return _metrics(crawls)

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collected())
    return generate_latest(registry)


def _metrics(crawls: Mapping[str, Figures | None]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    up = GaugeMetricFamily("crawlkeep_up", "Whether the store can be read.", labels=["crawl"])
    state = GaugeMetricFamily(
        "crawlkeep_state", "1 for the state that the crawl is in.", labels=["crawl", "state"]
    )
    pages = GaugeMetricFamily("crawlkeep_pages", "Pages that are stored.", labels=["crawl"])
    items = GaugeMetricFamily(
        "crawlkeep_items", "Items, by type: the highest number given.", labels=["crawl", "type"]
    )
    for name, found in crawls.items():
        up.add_metric([name], float(found is not None))
        if found is not None:
            pages.add_metric([name], found["pages"])
            for word in WORDS:
                state.add_metric([name, word], float(found["state"] == word))
            for kind, number in found["items"].items():
                items.add_metric([name, kind], number)
    yield from (up, state, pages, items)
    known = {name: found for name, found in crawls.items() if found is not None}
    for gauge, about in _GAUGES.items():
        family = GaugeMetricFamily(f"crawlkeep_{gauge}", about, labels=["crawl"])
        for name, found in known.items():
            if gauge in found["gauges"]:
                family.add_metric([name], found["gauges"][gauge])
        yield family
    for counter, (label, about) in _COUNTERS.items():
        counted = CounterMetricFamily(f"crawlkeep_{counter}", about, labels=["crawl", label])
        for name, found in known.items():
            for key, number in found["counters"][counter].items():
                counted.add_metric([name, key], number)
        yield counted
    for gauge, (column, about) in _WORKER.items():
        family = GaugeMetricFamily(f"crawlkeep_{gauge}", about, labels=["crawl", "worker"])
        for name, found in known.items():
            for worker in found["workers"]:
                family.add_metric([name, worker["name"]], worker[column])
        yield family
