-- Characters that a text leaves out as a reader of the page does not see them.
ALTER TABLE texts ADD COLUMN hidden INTEGER NOT NULL DEFAULT 0;
