-- What a crawl knows of traps and near duplicates, kept over restarts.

-- The simhash of a text that was new, where `traps.near` looks for texts like it.
CREATE TABLE simhashes (
    page_id INTEGER PRIMARY KEY REFERENCES pages (page_id),
    simhash INTEGER NOT NULL
);

-- Patterns of URLs whose pages say nothing new any more: no URL of theirs is fetched.
CREATE TABLE endless (pattern TEXT PRIMARY KEY, page_url TEXT NOT NULL) WITHOUT ROWID;
