-- What a site says about the uses of its pages. The rules of its /.well-known/tdmrep.json, '' where
-- it has none, NULL where nobody asked.
ALTER TABLE robots ADD COLUMN tdmrep BLOB;

-- What a page says about its uses, in headers and meta tags: [[place, line], …].
CREATE TABLE page_usages (page_id INTEGER PRIMARY KEY REFERENCES pages (page_id), said TEXT NOT NULL);
