-- What SQLite has and PostgreSQL has not, so that one query serves both. They stand in the schema
-- of the crawl, which comes first where names are looked up.
CREATE OR REPLACE FUNCTION json_each(text) RETURNS TABLE (key bigint, value text)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 20
    AS $$ SELECT ordinality - 1, value FROM json_array_elements_text($1::json) WITH ORDINALITY $$;
CREATE OR REPLACE FUNCTION json_array_length(text) RETURNS integer
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT pg_catalog.json_array_length($1::json) $$;
CREATE OR REPLACE FUNCTION round(double precision, integer) RETURNS double precision
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT pg_catalog.round($1::numeric, $2)::double precision $$;
CREATE OR REPLACE FUNCTION instr(text, text) RETURNS integer
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT strpos($1, $2) $$;
CREATE OR REPLACE FUNCTION glob_pattern(text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT '^(?:' || regexp_replace(
        regexp_replace(replace(regexp_replace($1, '([.^$+(){}|\\])', '\\\1', 'g'), '[\^', '[^'),
        '(?<!\[)\*', '.*', 'g'), '(?<!\[)\?', '.', 'g') || ')$' $$;
CREATE OR REPLACE FUNCTION glob_matches(text, text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT $1 ~ glob_pattern($2) $$;
CREATE OR REPLACE FUNCTION glob_differs(text, text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT $1 !~ glob_pattern($2) $$;
CREATE OR REPLACE FUNCTION julianday(text) RETURNS double precision
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
    AS $$ SELECT extract(epoch FROM $1::timestamptz)::double precision / 86400 + 2440587.5 $$;
CREATE OR REPLACE FUNCTION strftime(format text, at timestamptz) RETURNS text
    LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$
    SELECT to_char(at AT TIME ZONE 'UTC', replace(replace(replace(replace(replace(replace(replace(
        replace(replace(replace(format, 'T', '"T"'), 'Z', '"Z"'), '%f', 'SS.MS'), '%Y', 'YYYY'),
        '%m', 'MM'), '%d', 'DD'), '%H', 'HH24'), '%M', 'MI'), '%S', 'SS'), '%j', 'DDD'))
    $$;
CREATE OR REPLACE FUNCTION strftime(format text, at text) RETURNS text
    LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT strftime(format, at::timestamptz) $$;
CREATE OR REPLACE FUNCTION strftime(format text, at double precision, modifier text) RETURNS text
    LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT strftime(format, to_timestamp(at)) $$;
CREATE OR REPLACE FUNCTION strftime(format text, at text, modifier text) RETURNS text
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
    AS $$ SELECT strftime(format, at::timestamptz + modifier::interval) $$;
CREATE OR REPLACE FUNCTION unixepoch(text) RETURNS bigint
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
    AS $$ SELECT floor(extract(epoch FROM $1::timestamptz))::bigint $$;
CREATE OR REPLACE FUNCTION datetime(at double precision, modifier text) RETURNS text
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
    AS $$ SELECT to_char(to_timestamp(at) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') $$;
CREATE OR REPLACE FUNCTION datetime(at text) RETURNS text LANGUAGE sql STABLE STRICT PARALLEL SAFE
    AS $$ SELECT strftime('%Y-%m-%d %H:%M:%S', at) $$;
CREATE OR REPLACE FUNCTION host(url text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT nullif(trim(BOTH '[]' FROM
        substring(lower(url) FROM '^[a-z][a-z0-9+.-]*://(?:[^/?#@]*@)?(\[[^]]*\]|[^/:?#]*)')), '') $$;
CREATE OR REPLACE FUNCTION path(url text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT CASE WHEN url ~* '^https?://' THEN
        coalesce(nullif(substring(url FROM '^[A-Za-z]+://[^/?#]*([^?#]*)'), ''), '/') END $$;
CREATE OR REPLACE FUNCTION crawl_key(text) RETURNS bytea
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT sha256(convert_to($1, 'UTF8')) $$;
CREATE OR REPLACE FUNCTION iif(boolean, anyelement, anyelement) RETURNS anyelement
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT CASE WHEN $1 THEN $2 ELSE $3 END $$;
CREATE OR REPLACE FUNCTION is_number(boolean, integer) RETURNS boolean
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT $1::integer OPERATOR(pg_catalog.=) $2 $$;
CREATE OR REPLACE FUNCTION is_not_number(boolean, integer) RETURNS boolean
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT $1::integer OPERATOR(pg_catalog.<>) $2 $$;
CREATE OR REPLACE FUNCTION json_part(text, integer) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT $1::json ->> $2 $$;
CREATE OR REPLACE FUNCTION json_part(text, text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT CASE WHEN left($2, 1) = '$'
        THEN jsonb_path_query_first($1::jsonb, $2::jsonpath) #>> '{}' ELSE $1::json ->> $2 END $$;
CREATE OR REPLACE FUNCTION json_extract(text, text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT json_part($1, $2) $$;
CREATE OR REPLACE FUNCTION boolean_sum(double precision[], boolean) RETURNS double precision[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT CASE WHEN $2 IS NULL THEN $1
        ELSE ARRAY[$1[1] + $2::integer, $1[2] + 1] END $$;
CREATE OR REPLACE FUNCTION boolean_mean(double precision[]) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT $1[1] / nullif($1[2], 0) $$;
CREATE OR REPLACE AGGREGATE avg(boolean) (
    SFUNC = boolean_sum, STYPE = double precision[], INITCOND = '{0,0}', FINALFUNC = boolean_mean
);
CREATE OR REPLACE FUNCTION boolean_count(bigint, boolean) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT CASE WHEN $2 IS NULL THEN $1
        ELSE coalesce($1, 0) + $2::integer END $$;
CREATE OR REPLACE AGGREGATE sum(boolean) (SFUNC = boolean_count, STYPE = bigint);
CREATE OR REPLACE FUNCTION pragma_table_info(tbl text)
    RETURNS TABLE (cid bigint, name text, type text) LANGUAGE sql STABLE AS $$
    SELECT attnum - 1, attname::text, format_type(atttypid, NULL) FROM pg_attribute
    WHERE attrelid = to_regclass(quote_ident(tbl)) AND attnum > 0 AND NOT attisdropped
    ORDER BY attnum $$;
