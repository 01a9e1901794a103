-- What a crawl has counted of each pattern of URLs, kept over restarts, so that an endless space ends.

-- Its pages, its texts that were new, and the pages since the last of these that repeated one.
CREATE TABLE patterns (
    pattern TEXT PRIMARY KEY,
    key     INTEGER NOT NULL,
    pages   INTEGER NOT NULL,
    known   INTEGER NOT NULL,
    repeats INTEGER NOT NULL
) WITHOUT ROWID;

-- The hashes of its last texts, and of the URLs of their pages: a ring of 4,096 slots.
CREATE TABLE pattern_texts (
    key  INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    text INTEGER NOT NULL,
    page INTEGER NOT NULL,
    PRIMARY KEY (key, slot)
) WITHOUT ROWID;
