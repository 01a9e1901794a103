"""What a store knows of the uses of its pages: from robots.txt, headers, meta tags and the like."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from crawler.errors import UsageError
from crawler.inspect.bounds import last_settings
from crawler.inspect.query import Reader
from crawler.parse.usage import PURPOSES, Reservation, UsageLine, reserved
from crawler.politeness.usage import statements
from crawler.robots import Robots, in_force
from crawler.store.damage import told
from crawler.version import __version__

_LONGEST = 900_000  # characters of a condition: SQLite takes a million


class LeftOut(NamedTuple):
    """A page that is reserved for what an export is for, and the line that decided."""

    url: str
    reservation: Reservation


class Uses:
    """Reads what was said of the pages of a store."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        stored = last_settings(reader).get("politeness", {})
        self._agent = stored.get("user_agent", f"crawlkeep/{__version__}")
        self._hosts: dict[int, tuple[Robots, bytes | None] | None] = {}
        self._has_pages = "page_usages" in reader.names()

    def said(self, url: str, host_id: int, page_id: int | None) -> list[UsageLine]:
        """Return all lines that hold for a URL; of a page its own as well."""
        own = None
        if page_id is not None and self._has_pages:
            sql = "SELECT said FROM page_usages WHERE page_id = ?"
            own = next(iter(self._reader.query(sql, (page_id,)).rows), (None,))[0]
        return self._said(url, host_id, own)

    def licenses(self, host_id: int) -> list[str]:
        """Return the `License` lines of a host's robots.txt, with their numbers."""
        known = self._host(host_id)
        found = known[0].licenses if known else []
        return [f"robots.txt line {rule.line}: {rule.text}" for rule in found]

    def knows_tdmrep(self, host_id: int) -> bool:
        """Return whether the tdmrep.json of a host was asked for."""
        known = self._host(host_id)
        return known is not None and known[1] is not None

    def left_out(self, purposes: Iterable[str]) -> tuple[str, Iterator[LeftOut]]:
        """Return a condition in SQL that leaves out what is reserved, and each page of that.

        UsageError for a purpose that there is not.
        """
        wanted = tuple(purposes)
        for purpose in wanted:
            if purpose not in PURPOSES:
                raise UsageError(
                    f"--for {purpose}: no such purpose; there are {', '.join(PURPOSES)}"
                )
        found = list(self._reserved(wanted))
        out = (LeftOut(url, reservation) for _, _, url, reservation in found)
        return self._condition([(page_id, host_id) for page_id, host_id, _, _ in found]), out

    def _reserved(self, purposes: tuple[str, ...]) -> Iterator[tuple[int, int, str, Reservation]]:
        own = "LEFT JOIN page_usages USING (page_id)" if self._has_pages else ""
        sql = f"SELECT page_id, host_id, url, {'said' if own else 'NULL'} FROM pages {own}"
        for page_id, host_id, url, said in self._reader.query(f"{sql} ORDER BY page_id").rows:
            reservation = reserved(self._said(url, host_id, said), purposes)
            if reservation is not None:
                yield page_id, host_id, url, reservation

    def _condition(self, pages: list[tuple[int, int]]) -> str:
        """Return the condition for some pages: by host where all of a host are left out."""
        if not pages:
            return ""
        number = Counter(host_id for _, host_id in pages)
        every = dict(
            self._reader.query("SELECT host_id, count(*) FROM pages GROUP BY host_id").rows
        )
        hosts = sorted(host_id for host_id, some in number.items() if some == every[host_id])
        single = [page_id for page_id, host_id in pages if host_id not in set(hosts)]
        within = f"SELECT page_id FROM pages WHERE host_id IN ({', '.join(map(str, hosts))})"
        found = (
            f"page_id NOT IN (SELECT CAST(value AS BIGINT) FROM json_each('{json.dumps(single)}')"
        )
        found += f" UNION ALL {within})" if hosts else ")"
        if len(found) > _LONGEST:
            raise UsageError(
                f"{len(single):,} pages are reserved one by one, more than a query can name;"
                " export a part at a time, as with --run or --include"
            )
        return found

    def _said(self, url: str, host_id: int, own: str | None) -> list[UsageLine]:
        known = self._host(host_id)
        found = statements(url, known[0], self._agent, known[1]) if known else []
        if own:
            with told(self._reader.path, f"page_usages of {url}"):
                found += [UsageLine(*one) for one in json.loads(own)]
        return found

    def _host(self, host_id: int) -> tuple[Robots, bytes | None] | None:
        if host_id not in self._hosts:
            rows = self._reader.query("SELECT * FROM robots WHERE host_id = ?", (host_id,))
            row: dict[str, Any] = dict(zip(rows.columns, next(iter(rows.rows), ()), strict=False))
            rules = in_force(row["status"], row["body"] or b"") if row else None
            self._hosts[host_id] = None if rules is None else (rules, row.get("tdmrep"))
        return self._hosts[host_id]
