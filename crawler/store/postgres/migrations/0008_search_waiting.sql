-- Which texts `crawler search` has yet to index: to look for them among a million takes a second.
CREATE TABLE search_waiting (page_id bigint NOT NULL);
INSERT INTO search_waiting SELECT page_id FROM texts
    WHERE NOT EXISTS (SELECT 1 FROM search_words AS s WHERE s.page_id = texts.page_id);
CREATE FUNCTION search_waits() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO search_waiting SELECT page_id FROM come; RETURN NULL; END $$;
CREATE TRIGGER texts_come AFTER INSERT ON texts REFERENCING NEW TABLE AS come
    FOR EACH STATEMENT EXECUTE FUNCTION search_waits();
