"""A small API that writes: /api/notes over a SQLite database in memory.

Statuses: 201 with Location, 200, 204; 400 for what is no JSON, 415 for another content type,
422 with a message per field for a wrong value, 404 for an unknown id.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiosqlite
from aiohttp import web

from crawler.practice.api import whole

NOTES: web.AppKey[aiosqlite.Connection] = web.AppKey("practice_notes", aiosqlite.Connection)

SCHEMA = """
CREATE TABLE note(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    done INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
)"""
LONGEST = {"title": 120, "body": 10_000}
DEFAULTS: dict[str, Any] = {"body": "", "done": False}


def routes() -> list[web.RouteDef]:
    one = r"/api/notes/{id:\d{1,15}}"
    return [
        web.get("/api/notes", listing),
        web.post("/api/notes", create),
        web.get(one, read),
        web.put(one, replace),
        web.patch(one, change),
        web.delete(one, delete),
    ]


async def database(app: web.Application) -> AsyncIterator[None]:
    """Hold one connection while the application runs; every statement commits by itself."""
    async with aiosqlite.connect(":memory:", isolation_level=None) as db:
        db.row_factory = aiosqlite.Row
        await db.execute(SCHEMA)
        app[NOTES] = db
        yield


async def listing(request: web.Request) -> web.Response:
    limit = whole(request, "limit", 20, 1, 100)
    offset = whole(request, "offset", 0, 0, 10**9)
    db = request.app[NOTES]
    rows = await db.execute_fetchall(
        "SELECT * FROM note ORDER BY id LIMIT ? OFFSET ?",
        (limit, offset),
    )
    total = await _one(db, "SELECT count(*) AS total FROM note", ())
    items = [_note(row) for row in rows]
    return web.json_response({"total": total["total"] if total else 0, "items": items})


async def create(request: web.Request) -> web.Response:
    fields = DEFAULTS | await _fields(request, needed=("title",))
    now = _now()
    row = await _one(
        request.app[NOTES],
        "INSERT INTO note(title, body, done, created_at, updated_at)"
        " VALUES (?, ?, ?, ?, ?) RETURNING *",
        (fields["title"], fields["body"], fields["done"], now, now),
    )
    note = _found(row)
    headers = {"Location": f"/api/notes/{note['id']}"}
    return web.json_response(note, status=201, headers=headers)


async def read(request: web.Request) -> web.Response:
    sql = "SELECT * FROM note WHERE id = ?"
    row = await _one(request.app[NOTES], sql, (request.match_info["id"],))
    return web.json_response(_found(row))


async def replace(request: web.Request) -> web.Response:
    """PUT: the whole note anew; a field that is not sent takes its default."""
    return await _update(request, DEFAULTS | await _fields(request, needed=("title",)))


async def change(request: web.Request) -> web.Response:
    """PATCH: only the fields that are sent."""
    return await _update(request, await _fields(request, needed=()))


async def delete(request: web.Request) -> web.Response:
    sql = "DELETE FROM note WHERE id = ? RETURNING *"
    _found(await _one(request.app[NOTES], sql, (request.match_info["id"],)))
    return web.Response(status=204)


async def _update(request: web.Request, fields: dict[str, Any]) -> web.Response:
    row = await _one(
        request.app[NOTES],
        "UPDATE note SET title = coalesce(?, title), body = coalesce(?, body),"
        " done = coalesce(?, done), updated_at = ? WHERE id = ? RETURNING *",
        (
            fields.get("title"),
            fields.get("body"),
            fields.get("done"),
            _now(),
            request.match_info["id"],
        ),
    )
    return web.json_response(_found(row))


async def _fields(request: web.Request, needed: tuple[str, ...]) -> dict[str, Any]:
    """The valid fields of the JSON body; 415, 400 or 422 where it is not what it should be."""
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="send application/json")
    try:
        sent = await request.json()
    except (ValueError, LookupError) as error:
        raise web.HTTPBadRequest(text=f"the body is no JSON: {error}") from None
    if not isinstance(sent, dict):
        raise web.HTTPUnprocessableEntity(text="the body must be an object")
    wrong = [f"{name}: is missing" for name in needed if name not in sent]
    wrong += [
        f"{name}: {problem}" for name, value in sent.items() if (problem := _wrong(name, value))
    ]
    if wrong:
        raise web.HTTPUnprocessableEntity(text="; ".join(wrong))
    return sent


def _wrong(name: str, value: object) -> str:
    """What is wrong with one field, or the empty text."""
    if name == "done":
        return "" if isinstance(value, bool) else "must be true or false"
    if name not in LONGEST:
        return "is no field of a note"
    if not isinstance(value, str):
        return "must be a text"
    if len(value) > LONGEST[name]:
        return f"must not be longer than {LONGEST[name]} characters"
    return "must not be empty" if name == "title" and not value.strip() else ""


async def _one(
    db: aiosqlite.Connection, sql: str, values: tuple[object, ...]
) -> aiosqlite.Row | None:
    rows = list(await db.execute_fetchall(sql, values))
    return rows[0] if rows else None


def _found(row: aiosqlite.Row | None) -> dict[str, Any]:
    if row is None:
        raise web.HTTPNotFound(text="there is no note with this id")
    return _note(row)


def _note(row: aiosqlite.Row) -> dict[str, Any]:
    return dict(row) | {"done": bool(row["done"])}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
