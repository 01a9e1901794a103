-- The starts of a crawl, which the live page and `why` ask for again and again, from small indexes.
CREATE INDEX pages_starts ON pages (page_id) WHERE depth = 0 AND parent_id IS NULL;
CREATE INDEX todo_starts ON todo (depth) WHERE depth = 0;
