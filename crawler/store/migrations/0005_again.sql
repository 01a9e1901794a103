-- What a queued request is to its page: 1 a recrawl asked for it, 2 and its page is stored.
ALTER TABLE todo ADD COLUMN again INTEGER NOT NULL DEFAULT 0;
CREATE INDEX todo_again ON todo (host_id) WHERE again > 0;

-- Later visits to a page had been counted as if each were another page.
DELETE FROM counters WHERE name LIKE 'outcome.%';
INSERT INTO counters SELECT 'outcome.' || outcome, count(*) FROM pages GROUP BY outcome;
UPDATE hosts SET pages = 0 WHERE pages <> 0;
UPDATE hosts SET pages = d.number FROM (
    SELECT host_id AS id, count(*) AS number FROM pages
    WHERE outcome IN ('ok', 'spider_error', 'parse_timeout', 'parse_crashed') GROUP BY host_id
) AS d WHERE host_id = d.id;
UPDATE crawl SET value = (SELECT sum(pages) FROM hosts) WHERE key = 'pages';
