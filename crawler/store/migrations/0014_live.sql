-- What a crawl tells of itself while it runs, and what it is asked to do.

-- How it went over time: a row about every ten seconds, of what was committed since the last one.
CREATE TABLE ticks (
    tick_id INTEGER PRIMARY KEY,
    at      REAL NOT NULL,                  -- Unix time of its end
    run_id  INTEGER NOT NULL,
    seconds REAL NOT NULL,
    pages   INTEGER NOT NULL,               -- requests that ended
    errors  INTEGER NOT NULL,
    bytes   INTEGER NOT NULL,               -- as they came over the wire
    queued  INTEGER NOT NULL                -- at its end
);

-- The processes that crawl into this store: each gives a sign every two seconds, and none at its end.
CREATE TABLE workers (
    name        TEXT PRIMARY KEY,           -- machine and process
    pid         INTEGER NOT NULL,
    run_id      INTEGER NOT NULL,
    state       TEXT NOT NULL,              -- running, paused, stopping
    started_at  REAL NOT NULL,              -- Unix time
    at          REAL NOT NULL,              -- Unix time of the last sign
    hosts       INTEGER NOT NULL,           -- in memory
    in_flight   INTEGER NOT NULL,
    pace        REAL NOT NULL,              -- requests that ended, a second
    lag         REAL NOT NULL,              -- seconds for which the event loop stood still, at most
    memory      INTEGER NOT NULL,           -- bytes
    files       INTEGER NOT NULL,           -- open ones
    connections INTEGER NOT NULL,           -- open ones
    most        INTEGER NOT NULL,           -- connections at most
    flush       REAL NOT NULL,              -- seconds, in the middle
    flush_most  REAL NOT NULL,              -- seconds, 19 of 20
    flushed     INTEGER NOT NULL,           -- visits of the last flush
    flight      TEXT NOT NULL               -- JSON: [URL, stage, Unix time] of the oldest in flight
) WITHOUT ROWID;

-- What was asked of the crawl, by whom, and what came of it. To ask is to insert a row; action and
-- target are enough.
CREATE TABLE control (
    control_id INTEGER PRIMARY KEY,
    at         TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')),
    who        TEXT NOT NULL DEFAULT '',
    via        TEXT NOT NULL DEFAULT 'sql', -- page, cli, python, sql, run
    action     TEXT NOT NULL,
    target     TEXT NOT NULL DEFAULT '',    -- '' the crawl; a host, a pattern with *, a URL
    value      TEXT,
    expected   INTEGER,                     -- URLs that who asked was told of
    reason     TEXT,
    state      TEXT NOT NULL DEFAULT 'asked', -- asked, applied, refused
    result     TEXT,
    applied_at TEXT
);
CREATE INDEX control_asked ON control (control_id) WHERE state = 'asked';

-- What did not end well is a small part, and asked for often.
CREATE INDEX pages_bad ON pages (outcome, page_id) WHERE outcome <> 'ok';
