-- See 0016_findings.sql of SQLite.
ALTER TABLE rendered_pages ADD COLUMN findings text NOT NULL DEFAULT '[]';
