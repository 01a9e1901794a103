-- The index of `crawler search`, made after the crawl: the words of title (A) and text (D) of a page.
CREATE TABLE search_words (
    page_id bigint PRIMARY KEY, words tsvector NOT NULL, length bigint NOT NULL
);
CREATE INDEX search_words_words ON search_words USING gin (words) WITH (fastupdate = off);
CREATE FUNCTION search_forgets() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    DELETE FROM search_words WHERE page_id IN (SELECT page_id FROM gone); RETURN NULL; END $$;
CREATE TRIGGER texts_gone AFTER DELETE ON texts REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION search_forgets();
