-- The durable state of one crawl. docs/schema.md describes the tables that users query.

-- Single values of the crawl: spider, seeded, next_seq, next_page_id, pages.
CREATE TABLE crawl (key TEXT PRIMARY KEY, value) WITHOUT ROWID;

-- One row a host, its pace and its queue. Small dense ids keep the keys of seen and todo short.
CREATE TABLE hosts (
    host_id  INTEGER PRIMARY KEY,
    name     TEXT NOT NULL UNIQUE,          -- scheme://name:port
    pending  INTEGER NOT NULL DEFAULT 0,    -- its rows in todo, kept in the same commit
    pages    INTEGER NOT NULL DEFAULT 0,
    next_at  REAL NOT NULL DEFAULT 0,       -- Unix time before which it is left alone
    delay    REAL,                          -- seconds between starts, where it differs from the setting
    failures INTEGER NOT NULL DEFAULT 0     -- slow-downs in a row
);
CREATE INDEX hosts_pending ON hosts (host_id) WHERE pending > 0;

CREATE TABLE robots (
    host_id    INTEGER PRIMARY KEY,
    fetched_at REAL NOT NULL,
    status     INTEGER,                     -- NULL: unreachable
    body       BLOB
);

-- The cookie jars of the crawl, by session name; '' is the one shared by requests without one.
CREATE TABLE cookies (
    session TEXT NOT NULL,
    domain  TEXT NOT NULL,
    path    TEXT NOT NULL,
    name    TEXT NOT NULL,
    cookie  TEXT NOT NULL,                  -- JSON: value, coded value, host-only, attributes
    PRIMARY KEY (session, domain, path, name)
) WITHOUT ROWID;

-- Every request ever accepted. Insert only: to dedupe is to insert.
CREATE TABLE seen (
    host_id  INTEGER NOT NULL,
    url_hash INTEGER NOT NULL,
    PRIMARY KEY (host_id, url_hash)
) WITHOUT ROWID;

-- Queued and in flight alike. Empty means finished.
CREATE TABLE todo (
    host_id    INTEGER NOT NULL,
    rank       INTEGER NOT NULL,            -- lower is earlier
    seq        INTEGER NOT NULL,            -- order of discovery
    url_hash   INTEGER NOT NULL,
    url        TEXT NOT NULL,
    depth      INTEGER NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    not_before REAL NOT NULL DEFAULT 0,     -- Unix time of a retry
    parent_id  INTEGER,                     -- the page it was found on
    callback   TEXT,
    extra      TEXT,                        -- JSON: method, headers, meta …
    PRIMARY KEY (host_id, rank, seq)
) WITHOUT ROWID;

-- One row for every request that ended, whatever its outcome. Here and below REFERENCES is for
-- tools that follow it, as Datasette does; nothing asks SQLite to enforce it.
CREATE TABLE pages (
    page_id       INTEGER PRIMARY KEY,
    url           TEXT NOT NULL,
    title         TEXT,
    status        INTEGER,
    outcome       TEXT NOT NULL,
    depth         INTEGER NOT NULL,
    fetched_at    TEXT NOT NULL,            -- ISO 8601, UTC
    elapsed       REAL,                     -- seconds
    content_type  TEXT,
    encoding      TEXT,
    size          INTEGER,                  -- bytes after content codings
    content_hash  TEXT,                     -- XXH3-128 of the body
    attempts      INTEGER NOT NULL,
    redirect_to   TEXT,
    requested_url TEXT,                     -- where a chain of redirects began
    parent_id     INTEGER,
    run_id        INTEGER NOT NULL REFERENCES runs (run_id),
    host_id       INTEGER NOT NULL REFERENCES hosts (host_id),
    url_hash      INTEGER NOT NULL,
    method        TEXT NOT NULL DEFAULT 'GET',
    callback      TEXT,
    request       TEXT,                     -- what else the request carried, as in todo.extra
    headers       TEXT,                     -- JSON object
    error         TEXT,
    canonical     TEXT,                     -- rel=canonical, where it is another URL and noted
    duplicate_of  TEXT,                     -- URL of the page with this content, where looked for
    first_at      TEXT                      -- first visit, where this row tells of a later one
);
CREATE INDEX pages_url ON pages (url);
CREATE INDEX pages_seed_redirects ON pages (page_id) WHERE redirect_to IS NOT NULL AND depth = 0;

-- The bodies of stored pages, compressed by zstd.
CREATE TABLE bodies (page_id INTEGER PRIMARY KEY REFERENCES pages (page_id), body BLOB NOT NULL);

-- Downloaded files: one row for each Download that is done. docs/clients.md tells where they lie.
CREATE TABLE files (
    page_id      INTEGER PRIMARY KEY REFERENCES pages (page_id),
    url          TEXT NOT NULL,
    path         TEXT NOT NULL,             -- below the directory of files: the content address
    sha256       TEXT NOT NULL,
    size         INTEGER NOT NULL,
    name         TEXT NOT NULL,             -- as the server names it, made safe
    content_type TEXT,
    run_id       INTEGER NOT NULL,
    fetched_at   TEXT NOT NULL
);
CREATE INDEX files_sha256 ON files (sha256);

-- The links of a page in one row: a JSON array of URLs. The view `links` spreads it.
CREATE TABLE link_lists (
    page_id INTEGER PRIMARY KEY REFERENCES pages (page_id), targets TEXT NOT NULL
);

-- Tries that were not the last one.
CREATE TABLE attempts (
    host_id  INTEGER NOT NULL,
    url_hash INTEGER NOT NULL,
    url      TEXT NOT NULL,
    attempt  INTEGER NOT NULL,
    at       TEXT NOT NULL,                 -- start of the try, UTC
    status   INTEGER,
    outcome  TEXT NOT NULL,
    error    TEXT,
    retry_at TEXT,
    elapsed  REAL                           -- seconds
);
CREATE INDEX attempts_url ON attempts (url);

-- Items that did not fit their type.
CREATE TABLE problems (
    problem_id INTEGER PRIMARY KEY,
    page_id    INTEGER NOT NULL REFERENCES pages (page_id),
    page_url   TEXT NOT NULL,
    run_id     INTEGER NOT NULL,
    item       TEXT NOT NULL,
    reason     TEXT NOT NULL,
    value      TEXT
);

-- Item types: their tables and how they are keyed.
CREATE TABLE item_types (name TEXT PRIMARY KEY, columns TEXT NOT NULL, key TEXT NOT NULL, history INTEGER NOT NULL) WITHOUT ROWID;

-- How often each outcome happened, and each reason for which a URL was not taken.
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;

-- One row a run: when, how it ended, and what it stored.
CREATE TABLE runs (
    run_id     INTEGER PRIMARY KEY,
    spider     TEXT NOT NULL,
    started_at TEXT NOT NULL,
    ended_at   TEXT,
    state      TEXT NOT NULL,               -- running, finished, interrupted, failed
    reason     TEXT,
    pid        INTEGER NOT NULL,
    version    TEXT NOT NULL,
    pages      INTEGER NOT NULL DEFAULT 0,
    errors     INTEGER NOT NULL DEFAULT 0,
    seconds    REAL NOT NULL DEFAULT 0,
    settings   TEXT                         -- JSON, secrets left out
);

-- ---------------------------------------------------------------- text and search

-- The readable text of each page, where `store.text` is on. Snippets and Datasette read it.
CREATE TABLE texts (
    page_id INTEGER PRIMARY KEY REFERENCES pages (page_id),
    url     TEXT NOT NULL,
    title   TEXT,
    text    TEXT NOT NULL
);
CREATE VIRTUAL TABLE search USING fts5 (
    title, text, content="texts", content_rowid="page_id", tokenize="unicode61 remove_diacritics 2"
);
CREATE TRIGGER texts_added AFTER INSERT ON texts BEGIN
    INSERT INTO search (rowid, title, text) VALUES (NEW.page_id, NEW.title, NEW.text);
END;
CREATE TRIGGER texts_removed AFTER DELETE ON texts BEGIN
    INSERT INTO search (search, rowid, title, text)
    VALUES ('delete', OLD.page_id, OLD.title, OLD.text);
END;

-- ---------------------------------------------------------------- visits after the first

-- What a page was before a later visit changed it; bodies as far as `recrawl.versions` says.
CREATE TABLE page_versions (
    page_id      INTEGER NOT NULL REFERENCES pages (page_id),
    version      INTEGER NOT NULL,          -- 1 is the oldest
    run_id       INTEGER NOT NULL,
    fetched_at   TEXT NOT NULL,
    status       INTEGER,
    outcome      TEXT NOT NULL,
    title        TEXT,
    content_hash TEXT,
    size         INTEGER,
    body         BLOB,                      -- zstd
    PRIMARY KEY (page_id, version)
);

-- What a later visit found: one row for each page that is not as it was.
CREATE TABLE changes (
    change_id      INTEGER PRIMARY KEY,
    page_id        INTEGER NOT NULL,
    url            TEXT NOT NULL,
    run_id         INTEGER NOT NULL,
    at             TEXT NOT NULL,
    kind           TEXT NOT NULL,           -- new, changed, touched, redirected, gone, back, failed
    status_before  INTEGER,
    status         INTEGER,
    outcome_before TEXT,
    outcome        TEXT NOT NULL,
    title_before   TEXT,
    title          TEXT,
    hash_before    TEXT,
    hash           TEXT,
    redirect_to    TEXT
);
CREATE INDEX changes_at ON changes (at);

-- When a page is worth another visit: sooner after a change, later after none.
CREATE TABLE revisits (
    page_id    INTEGER PRIMARY KEY REFERENCES pages (page_id),
    checked_at TEXT NOT NULL,
    every      REAL NOT NULL,               -- seconds
    due_at     TEXT NOT NULL,
    visits     INTEGER NOT NULL,
    changes    INTEGER NOT NULL
);
CREATE INDEX revisits_due ON revisits (due_at);
