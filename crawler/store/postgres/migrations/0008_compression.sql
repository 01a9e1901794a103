-- Long texts by lz4, where the server has it: a list of links costs it a third of pglz's CPU.
DO $$
DECLARE
    long record;
BEGIN
    IF (SELECT 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'default_toast_compression') THEN
        FOR long IN
            SELECT c.relname, attname FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid
            WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
                AND atttypid IN ('text'::regtype, 'jsonb'::regtype) AND NOT attisdropped
                AND relname IN ('link_lists', 'page_versions', 'pages', 'texts', 'xhr_answers')
        LOOP
            EXECUTE format('ALTER TABLE %I ALTER COLUMN %I SET COMPRESSION lz4',
                long.relname, long.attname);
        END LOOP;
    END IF;
END
$$;
