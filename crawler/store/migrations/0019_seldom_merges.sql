-- FTS5 merges sixteen parts of the index at a time, not four: a word is written half as often, and a
-- search looks into a few parts more.
INSERT INTO search (search, rank) VALUES ('automerge', 16);
