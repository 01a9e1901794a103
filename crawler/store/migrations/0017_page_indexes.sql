-- What the live page asks for every few seconds, answered from small indexes alone: of a million
-- pages those that did not end well, the starts, and the items that did not fit.

DROP INDEX IF EXISTS pages_bad;
CREATE INDEX pages_bad ON pages (outcome, page_id, status, host_id, fetched_at)
    WHERE outcome <> 'ok';
CREATE INDEX pages_starts ON pages (page_id) WHERE depth = 0 AND parent_id IS NULL;
CREATE INDEX todo_starts ON todo (depth) WHERE depth = 0;
CREATE INDEX problems_reason ON problems (item, reason);
CREATE INDEX problems_page ON problems (page_id);
