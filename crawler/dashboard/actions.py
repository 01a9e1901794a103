"""What is not a page: to ask something of the crawl, and to take something away as a file."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from crawler import control
from crawler.dashboard.sources import Library, Look, ShownStore
from crawler.dashboard.views import sql as box
from crawler.errors import QueryError, UsageError
from crawler.store.rows import unpack

_LONGEST = 200_000  # characters of the URLs that are added at once
_SANDBOX = "default-src 'none'; sandbox"
_FIELDS = ("delay", "per_host", "max_pages")


async def ask(request: web.Request, source: ShownStore) -> web.StreamResponse:
    """Add a row to the table `control`, and go back to where it was asked."""
    given = {k: str(v)[:_LONGEST] for k, v in (await request.post()).items()}
    action, target = given.get("action", ""), given.get("target", "").strip()
    expected = given.get("expected", "")
    await asyncio.to_thread(
        control.ask,
        source.path,
        action,
        target,
        value=_value(action, given),
        reason=given.get("reason", "").strip()[:500] or None,
        expected=int(expected) if expected.isdecimal() and len(expected) < 16 else None,
        via="page",
    )
    base = Look(source, None, {}, 0.0).base  # type: ignore[arg-type]
    back = given.get("back", "")
    ours = back.startswith(f"{base}/") and re.fullmatch(r"[!-~]+", back) and "\\" not in back
    steers = action in ("pause", "resume") and not target
    place = back if ours else f"{base}/" if steers else f"{base}/control"
    raise web.HTTPSeeOther(place)


def _value(action: str, given: Mapping[str, str]) -> str | None:
    """Return what the fields of a form set."""
    if action == "set":
        pairs = [f"{name}={given[name].strip()}" for name in _FIELDS if given.get(name)]
        return " ".join(pairs) or None
    priority = given.get("priority", "").strip()
    if action == "prioritize":
        return priority or None
    if action == "add" and priority not in ("", "0"):
        return f"priority={priority}"
    return None


async def rows(request: web.Request, library: Library, source: ShownStore) -> web.StreamResponse:
    """Return the rows of a query as CSV or JSON."""
    params = dict(request.query)

    def act(look: Look) -> tuple[tuple[str, ...], list[tuple[Any, ...]], bool]:
        return box.answer(look, box.asked(look))

    found = await library.look(source, act, params, limit=box.SECONDS)
    if found.error is not None:
        raise found.error
    columns, values, _ = found.value
    if params["format"] == "json":
        made = [dict(zip(columns, map(_plain, row), strict=True)) for row in values]
        return _file(json.dumps(made, ensure_ascii=False), "application/json", "rows.json")
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([[_cell(value) for value in row] for row in values])
    return _file(text.getvalue(), "text/csv", "rows.csv")


def _plain(value: Any) -> Any:
    return f"{len(value)} bytes" if isinstance(value, bytes) else value


def _cell(value: Any) -> Any:
    """Return a value of which no spreadsheet makes a formula."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return _plain(value)


async def stored(request: web.Request, library: Library, source: ShownStore) -> web.StreamResponse:
    """Return the stored text or body of a page: as plain text that nobody runs."""
    url, what = request.query.get("url", ""), request.query.get("what", "text")

    def act(look: Look) -> bytes | None:
        if what == "body":
            sql = (
                "SELECT body FROM bodies WHERE page_id = (SELECT page_id FROM pages WHERE url = ?"
                " ORDER BY page_id DESC LIMIT 1)"
            )
            body = look.one(sql, url)
            return None if body is None else unpack(body)
        text = look.one("SELECT text FROM texts WHERE url = ? ORDER BY page_id DESC LIMIT 1", url)
        return None if text is None else str(text).encode("utf-8", "replace")

    found = await library.look(source, act)
    if found.error is not None:
        raise found.error
    if found.value is None:
        raise UsageError("nothing of it is stored")
    return _file(found.value, "text/plain", f"{what}.txt")


def _file(data: str | bytes, kind: str, name: str) -> web.Response:
    body = data.encode("utf-8", "replace") if isinstance(data, str) else data
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Security-Policy": _SANDBOX,
    }
    return web.Response(body=body, content_type=kind, charset="utf-8", headers=headers)


def is_slow(error: Exception) -> bool:
    """Return whether a query was stopped as it took too long."""
    return isinstance(error, QueryError) and str(error).startswith("stopped after")
