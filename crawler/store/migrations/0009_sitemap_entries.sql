-- What sitemaps list: the URL as the crawl visits it, the rest as it is written there. Kept where an
-- item type of an older store has the name; then nothing is written.
CREATE TABLE IF NOT EXISTS sitemap_entries (
    sitemap    TEXT NOT NULL,               -- URL of the sitemap
    url        TEXT NOT NULL,
    lastmod    TEXT,
    changefreq TEXT,
    priority   REAL,
    run_id     INTEGER NOT NULL REFERENCES runs (run_id),
    PRIMARY KEY (url, sitemap)
) WITHOUT ROWID;
