"""How a crawl stands: its state in a word, its hosts, and what is asked of it."""

from __future__ import annotations

import json
import shutil
import socket
import statistics
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, TypeVar, cast

from crawler import control
from crawler.dashboard.sources import Look
from crawler.inspect.bounds import last_settings
from crawler.inspect.status import lives
from crawler.links.selection import HOST, Selection
from crawler.markup import words
from crawler.store.address import DatabaseAddress
from crawler.store.control_rows import ControlRow
from crawler.web import outcome

T = TypeVar("T")
_RECENT = 3000  # pages of which the pace of hosts is taken
_WINDOW = 120.0  # seconds of them
_SILENT = 10.0  # seconds without a sign, after which a worker is silent
_SLOW = 4  # times the least delay, from which on a host is slow
_MIDDLE = 200  # answers of which the middle is taken

_LIMITED = ("finished", "stopped")  # states of a run that a limit or the spider ended in good order

WORDS = {
    "running": "Running",
    "paused": "Paused",
    "finished": "Finished",
    "stopped": "Stopped",
    "broken": "Broken off",
    "new": "Not begun",
}


HOST_SQL = "SELECT host_id, name, pending, pages, next_at, delay, failures FROM"


class HostSums(NamedTuple):
    """How many hosts there are, have a queue, and how long it is; how many have none, or are done.

    A host without a queue of which no page came is not done.
    """

    number: int
    queued: int
    urls: int
    idle: int
    done: int


@dataclass(frozen=True, slots=True)
class LastRun:
    """The last run."""

    run_id: int
    started: float | None
    ended: float | None
    state: str
    reason: str | None
    pid: int
    spider: str
    seconds: float
    pages: int


@dataclass(frozen=True, slots=True)
class RecentAnswers:
    """The latest answers of a host."""

    pace: float = 0.0
    middle: float | None = None
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Host:
    """A host as it is shown."""

    host_id: int
    name: str
    queued: int
    pages: int
    next_at: float
    delay: float
    least: float
    failures: int
    recent: RecentAnswers
    state: str
    kind: str
    """fetching, slow, rests, paused, blocked, given_up, done or waits."""
    to_go: float

    @property
    def slowed(self) -> bool:
        """Whether it is slower than the settings ask for by far."""
        return self.delay >= _SLOW * max(self.least, 0.05)


@dataclass
class State:
    """What several parts of a page want to know; each is asked for once."""

    look: Look
    _memory: dict[str, Any] = field(default_factory=dict)

    def once(self, key: str, make: Callable[[], T]) -> T:
        """Return what `make` gave the first time that something was asked for by this key."""
        if key not in self._memory:
            self._memory[key] = make()
        return cast(T, self._memory[key])

    @cached_property
    def runs(self) -> int:
        """How many runs there were."""
        return int(self.look.one("SELECT count(*) FROM runs") or 0)

    @cached_property
    def run(self) -> LastRun | None:
        """The last run."""
        sql = (
            "SELECT run_id, started_at, ended_at, state, reason, pid, spider, seconds, pages"
            " FROM runs ORDER BY run_id DESC LIMIT 1"
        )
        for row in self.look.rows(sql):
            run_id, started, ended, *rest = row
            return LastRun(run_id, words.moment(started), words.moment(ended), *rest)
        return None

    @cached_property
    def values(self) -> dict[str, Any]:
        """The rows of the table `crawl`."""
        return self.look.reader.values()

    @cached_property
    def counters(self) -> dict[str, int]:
        """The rows of the table `counters`."""
        return dict(self.look.rows("SELECT name, value FROM counters"))

    @cached_property
    def outcomes(self) -> dict[str, int]:
        """How many requests ended in each outcome."""
        head = "outcome."
        found = self.counters.items()
        return {k.removeprefix(head): v for k, v in found if k.startswith(head) and v}

    def ended(self, column: str) -> int:
        """Return how many requests ended in an outcome of which a column is true."""
        return sum(self.outcomes.get(name, 0) for name in outcome.having(column))

    @cached_property
    def hosts(self) -> HostSums:
        """How many hosts there are, and how much is queued on them."""
        sql = (
            "SELECT count(*), sum(CASE WHEN pending > 0 THEN 1 ELSE 0 END), sum(CASE WHEN pending >"
            " 0 THEN pending ELSE 0 END), sum(CASE WHEN pending = 0 THEN 1 ELSE 0 END),"
            " sum(CASE WHEN pending = 0 AND pages > 0 THEN 1 ELSE 0 END)"
            f" FROM {self.look.many_hosts}"
        )
        [row] = self.look.rows(sql)
        return HostSums(*(int(value or 0) for value in row))

    @property
    def queued(self) -> int:
        """How many requests are queued."""
        return self.hosts.urls

    @cached_property
    def workers(self) -> list[dict[str, Any]]:
        """The processes that give signs, or gave them last."""
        found = self.look.reader.query("SELECT * FROM workers ORDER BY name")
        return [dict(zip(found.columns, row, strict=True)) for row in found.rows]

    @cached_property
    def state(self) -> str:
        """A key of `WORDS`."""
        run = self.run
        if run is None:
            return "new"
        if run.state == "running" and self._runs(run):
            paused = any(worker["state"] == "paused" for worker in self.living)
            return "paused" if paused else "running"
        if self.values.get("seeded") and self.look.one("SELECT 1 FROM todo LIMIT 1") is None:
            return "finished"
        return "stopped" if run.state in _LIMITED else "broken"

    def _runs(self, run: LastRun) -> bool:
        if self.living:
            return True
        if isinstance(self.look.source.path, DatabaseAddress):
            return self.look.reader.runs_on(run.pid)
        here = not self.workers or any(
            worker["name"].startswith(f"{socket.gethostname()}-") for worker in self.workers
        )
        return here and lives(run.pid)

    @cached_property
    def living(self) -> list[dict[str, Any]]:
        """The workers that gave a sign shortly before."""
        return [worker for worker in self.workers if not self.silent(worker)]

    def silent(self, worker: dict[str, Any]) -> bool:
        """Return whether a worker has given no sign for too long."""
        return bool(self.look.now - worker["at"] > _SILENT)

    @cached_property
    def asked(self) -> list[ControlRow]:
        """What was asked of the crawl last."""
        return control.rows(self.look.reader, 200)

    @cached_property
    def blocked(self) -> list[ControlRow]:
        """What is blocked now."""
        return control.blocked(self.look.reader)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The configuration of the last run."""
        with suppress(ValueError, TypeError, IndexError, KeyError):
            return last_settings(self.look.reader)
        return {}

    @cached_property
    def least(self) -> float:
        """Seconds between two starts that the settings ask for."""
        return float(self.settings.get("politeness", {}).get("delay", 0.25))

    @cached_property
    def per_host(self) -> int:
        """Requests in flight at once that the settings allow a host."""
        return int(self.settings.get("politeness", {}).get("per_host", 2))

    @cached_property
    def recent(self) -> dict[int, RecentAnswers]:
        """The pace of hosts, by the latest pages."""
        return _recent(self.look, self.now)

    @cached_property
    def now(self) -> float:
        """The present while it runs, or when the last run ended."""
        run = self.run
        if self.state in ("running", "paused") or run is None or run.ended is None:
            return self.look.now
        return run.ended

    @cached_property
    def given_up(self) -> set[int]:
        """The ids of hosts that were given up in the last run."""
        sql = (
            "SELECT DISTINCT host_id FROM pages WHERE outcome <> 'ok' AND outcome = 'host_given_up'"
        )
        return {host_id for (host_id,) in self.look.rows(sql)}

    @cached_property
    def asleep(self) -> set[str]:
        """The names of hosts that are paused."""
        sql = (
            "SELECT action, target FROM control WHERE action IN ('pause', 'resume')"
            " AND state = 'applied' AND target <> '' ORDER BY control_id"
        )
        found: set[str] = set()
        for action, target in self.look.rows(sql):
            names = {glob.removesuffix("/*") for glob in Selection.parse(target).globs}
            found = found | names if action == "pause" else found - names
        return found

    @cached_property
    def _blocks(self) -> list[Selection]:
        return [s for s in (Selection.parse(r.target) for r in self.blocked) if s.kind == HOST]

    def host(self, row: tuple[Any, ...]) -> Host:
        """Return a host by its row: host_id, name, pending, pages, next_at, delay, failures."""
        host_id, name, queued, pages, next_at, delay, failures = row
        recent = self.recent.get(host_id, RecentAnswers())
        between = max(self.least, delay or 0.0)
        kind, said = self._kind(name, host_id, queued, next_at, between)
        return Host(
            host_id,
            name,
            queued,
            pages,
            next_at,
            between,
            self.least,
            failures,
            recent,
            said,
            kind,
            queued * self._each(between, recent),
        )

    def _each(self, between: float, recent: RecentAnswers) -> float:
        """Return the seconds that one request of a host takes."""
        least = max(between, (recent.middle or 0.0) / max(1, self.per_host))
        return max(least, 1 / recent.pace) if recent.pace else least

    def _kind(
        self, name: str, host_id: int, queued: int, next_at: float, between: float
    ) -> tuple[str, str]:
        if any(one.takes_host(name) for one in self._blocks):
            return "blocked", "blocked"
        if host_id in self.given_up and not queued:
            return "given_up", "given up"
        if not queued:
            return "done", "done"
        if name in self.asleep:
            return "paused", "paused"
        rest = next_at - self.look.now
        if self.state == "running" and rest > max(3.0, 2 * between):
            return "rests", f"rests {words.duration(rest)}"
        if self.state != "running":
            return "waits", "waits"
        if between >= _SLOW * max(self.least, 0.05):
            return "slow", "slow"
        return ("fetching", "fetching") if host_id in self.recent else ("waits", "waits")

    @property
    def hosts_sql(self) -> str:
        """The beginning of a query of many hosts for what `host` takes."""
        return f"{HOST_SQL} {self.look.many_hosts}"

    @cached_property
    def size(self) -> int:
        """Bytes of the store and its log."""
        return self.look.reader.size()

    @property
    def log_size(self) -> int:
        """Bytes of the store's log; 0 where the server keeps it."""
        path = self.look.source.path
        if isinstance(path, DatabaseAddress):
            return 0
        log = path.with_name(path.name + "-wal")
        return log.stat().st_size if log.exists() else 0

    @cached_property
    def free(self) -> tuple[int, int] | None:
        """Bytes that are free on the disk of the store, and all; None where nobody says it."""
        path = self.look.source.path
        if isinstance(path, DatabaseAddress):
            return None
        try:
            disk = shutil.disk_usage(path)
        except OSError:
            return None
        return disk.free, disk.total

    @cached_property
    def item_types(self) -> dict[str, int]:
        """The item types, each with the highest id: about how many there are."""
        found = {}
        for (name,) in self.look.rows("SELECT name FROM item_types ORDER BY name"):
            found[name] = int(self.look.one(f"SELECT max(item_id) FROM {quoted(name)}") or 0)
        return found


def quoted(name: str) -> str:
    """Return a name for SQL."""
    return '"' + name.replace('"', '""') + '"'


def _recent(look: Look, now: float) -> dict[int, RecentAnswers]:
    sql = "SELECT host_id, fetched_at, elapsed FROM pages ORDER BY page_id DESC LIMIT ?"
    times: dict[int, list[float]] = defaultdict(list)
    answers: dict[int, list[float]] = defaultdict(list)
    for host_id, at, elapsed in look.rows(sql, _RECENT):
        when = words.moment(at)
        if when is None or elapsed is None or now - when > _WINDOW:
            continue
        times[host_id].append(when)
        if len(answers[host_id]) < _MIDDLE:
            answers[host_id].append(elapsed)
    found = {}
    for host_id, moments in times.items():
        span = max(moments) - min(moments)
        pace = (len(moments) - 1) / span if len(moments) > 4 and span > 1 else 0.0
        took = sorted(answers[host_id])
        found[host_id] = RecentAnswers(
            pace, statistics.median(took), took[int(0.95 * (len(took) - 1))]
        )
    return found


def decoded(text: str | None, default: Any) -> Any:
    """Return JSON of the store as a value; `default` for what is none."""
    try:
        return json.loads(text or "")
    except ValueError:
        return default
