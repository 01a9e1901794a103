-- With politeness.limit_by = domain hosts of one domain are leased together: a host has a group, and
-- a group has one worker at a time. next_at: when any host of it may be asked next.
ALTER TABLE crawl_hosts ADD COLUMN group_name text;
CREATE INDEX host_group ON crawl_hosts (group_name) WHERE group_name IS NOT NULL;
CREATE TABLE crawl_groups (
    name text PRIMARY KEY, worker_id bigint, next_at double precision NOT NULL DEFAULT 0
);
CREATE INDEX group_worker ON crawl_groups (worker_id) WHERE worker_id IS NOT NULL;
