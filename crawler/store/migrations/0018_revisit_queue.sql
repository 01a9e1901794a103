-- Pages that a recrawl has chosen and not queued yet: the run queues them as its queue runs low.
CREATE TABLE revisit_queue (page_id INTEGER PRIMARY KEY);
