-- Whoever writes texts writes the index as well (store/texts.py): within a trigger FTS5 writes out
-- what it has gathered at every row, which took as long again as all the rest.
DROP TRIGGER texts_added;
