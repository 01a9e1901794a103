-- A worker that claims is a command between two runs: alone, it writes what crawls write.
ALTER TABLE crawl_workers ADD COLUMN claims boolean NOT NULL DEFAULT false;
