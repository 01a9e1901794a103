"""Workers: who works, and what is in flight."""

from __future__ import annotations

import socket
import time
from typing import Any

from crawler.dashboard.parts import url_link
from crawler.dashboard.sources import Look
from crawler.dashboard.state import State, decoded
from crawler.dashboard.view import PagePart, View
from crawler.markup import Html, el, words
from crawler.markup.parts import TableColumn, bad, empty, note, section, table, warn
from crawler.store.address import DatabaseAddress

_SHOWN = 10


def workers(look: Look, now: State) -> Html:
    """Return the processes that crawl into the store."""
    link = look.sql("SELECT * FROM workers ORDER BY name")
    if not now.workers:
        told = "No process crawls into this store now."
        return section("workers", "Workers", empty(told), links=[link], level="h1")
    rows = [_row(look, now, worker) for worker in now.workers]
    columns = (
        *(
            TableColumn("process"),
            TableColumn("state"),
            TableColumn("since", "n mid"),
            TableColumn("hosts", "n"),
        ),
        *(
            TableColumn("in flight", "n"),
            TableColumn("a second", "n"),
            TableColumn("loop lag", "n mid"),
        ),
        *(
            TableColumn("memory", "n mid"),
            TableColumn("files", "n wide"),
            TableColumn("connections", "n wide"),
        ),
        TableColumn("last sign", "n"),
    )
    shown = table("Processes that crawl into this store", columns, rows)
    silent = [worker["name"] for worker in now.workers if now.silent(worker)]
    said = note(
        el("b", ", ".join(silent)),
        " gave no sign for long. What it had in flight is queued: the next run goes on with it.",
    )
    return section("workers", "Workers", shown, said if silent else "", links=[link], level="h1")


def _row(look: Look, now: State, worker: dict[str, Any]) -> tuple[Any, ...]:
    silent = now.silent(worker)
    age = words.duration(max(0.0, look.now - worker["at"]))
    lag = words.duration(worker["lag"])
    state = worker["state"]
    return (
        bad(worker["name"]) if silent else worker["name"],
        warn(state) if state != "running" else state,
        words.clock(worker["started_at"], look.now),
        words.number(worker["hosts"]),
        words.number(worker["in_flight"]),
        words.rate(worker["pace"]),
        warn(lag) if worker["lag"] > 0.25 else lag,
        words.size(worker["memory"]),
        words.number(worker["files"]),
        f"{worker['connections']} of {worker['most']}",
        bad(age) if silent else age,
    )


def flight(look: Look, now: State) -> Html:
    """Return the oldest requests in flight."""
    rows: list[tuple[Any, ...]] = []
    flying = 0
    for worker in now.living:
        flying += worker["in_flight"]
        for url, stage, since in decoded(worker["flight"], []):
            rows.append((since, url_link(look, url), stage))
    rows.sort(key=lambda row: row[0])
    made = [(link, stage, words.duration(max(0.0, look.now - at))) for at, link, stage in rows]
    if not made:
        return section("flight", "In flight", empty("Nothing is in flight."))
    columns = (
        TableColumn("URL", "fill wrap"),
        TableColumn("stage", "mid"),
        TableColumn("for", "n"),
    )
    shown = table("Requests in flight, the oldest first", columns, made[:_SHOWN])
    said = note(f"The {len(made[:_SHOWN])} oldest of {flying}.")
    return section("flight", "In flight", shown, said)


def store(look: Look, now: State) -> Html:
    """Return how the store is: its size, the disk, how long commits take."""
    path, log = look.source.path, now.log_size
    database = isinstance(path, DatabaseAddress)
    own = words.size(now.size - log)
    facts: list[tuple[str, Any]] = [
        ("backend", f"{'PostgreSQL' if database else 'SQLite'}, {path}"),
        ("size", own if database else f"{own}, and {words.size(log)} of log"),
    ]
    if now.free is not None:
        facts.append(("disk", f"{words.size(now.free[0])} free"))
    for worker in now.living:
        middle, most = words.duration(worker["flush"]), words.duration(worker["flush_most"])
        facts.append(("flush", f"{middle} in the middle, 19 of 20 in {most}"))
        facts.append(("last flush", words.plural(worker["flushed"], "visit")))
    facts.append(
        ("this page", f"on {socket.gethostname()}, {words.duration(_cpu())} of a CPU so far")
    )
    shown = el("dl", *(p for k, v in facts for p in (el("dt", k), el("dd", v))), class_="facts")
    return section("store", "Store", shown)


def _cpu() -> float:
    return time.process_time()


VIEW = View(
    "workers",
    "Workers",
    (
        PagePart("workers", 0.5, workers),
        (PagePart("flight", 0.5, flight), PagePart("store", 2.0, store)),
    ),
    key="w",
)
