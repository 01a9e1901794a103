-- What `browser.checks` found in a rendered page (JSON), so that a reparse gives the items again.
ALTER TABLE rendered_pages ADD COLUMN findings TEXT NOT NULL DEFAULT '[]';
