-- Of pages read with links.check_fragments: the links that name an anchor, and the anchors there
-- are; JSON arrays, NULL where nobody looked.
ALTER TABLE link_lists ADD COLUMN fragments TEXT;
ALTER TABLE link_lists ADD COLUMN anchors TEXT;
