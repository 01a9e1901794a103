-- Pages that a browser rendered, and why; what their scripts raised stands in `errors` (JSON).
CREATE TABLE rendered_pages (
    page_id  INTEGER PRIMARY KEY REFERENCES pages (page_id),
    browser  TEXT NOT NULL,
    seconds  REAL NOT NULL,
    requests INTEGER NOT NULL,             -- that the page made for what it is made of
    why      TEXT NOT NULL,
    errors   TEXT NOT NULL
);
-- Answers in JSON to their scripts, of the requests that `browser.xhr` names; compressed by zstd.
CREATE TABLE xhr_answers (
    page_id INTEGER NOT NULL REFERENCES pages (page_id),
    number  INTEGER NOT NULL,
    url     TEXT NOT NULL,
    status  INTEGER NOT NULL,
    body    BLOB NOT NULL,
    PRIMARY KEY (page_id, number)
) WITHOUT ROWID;
-- Pictures and prints of pages; they lie in the directory of files, at `path`.
CREATE TABLE rendered_files (
    page_id      INTEGER NOT NULL REFERENCES pages (page_id),
    name         TEXT NOT NULL,
    content_type TEXT NOT NULL,
    path         TEXT NOT NULL,
    sha256       TEXT NOT NULL,
    size         INTEGER NOT NULL,
    PRIMARY KEY (page_id, name)
) WITHOUT ROWID;
-- What `browser.mode = "auto"` has learnt: whether the pages below a path are empty without scripts.
CREATE TABLE rendering_needs (
    pattern TEXT PRIMARY KEY,
    renders INTEGER NOT NULL,              -- 1: they go straight to the browser; 0: never
    agreed  INTEGER NOT NULL,              -- pages in a row that said so
    reason  TEXT NOT NULL
) WITHOUT ROWID;
