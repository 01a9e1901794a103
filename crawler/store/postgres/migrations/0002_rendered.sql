-- Pages that a browser rendered; see 0014_rendered.sql of SQLite.
CREATE TABLE rendered_pages (
    page_id bigint PRIMARY KEY, browser text NOT NULL, seconds double precision NOT NULL,
    requests bigint NOT NULL, why text NOT NULL, errors text NOT NULL
);
CREATE TABLE xhr_answers (
    page_id bigint NOT NULL, number bigint NOT NULL, url text NOT NULL, status bigint NOT NULL,
    body bytea NOT NULL, PRIMARY KEY (page_id, number)
);
CREATE TABLE rendered_files (
    page_id bigint NOT NULL, name text NOT NULL, content_type text NOT NULL, path text NOT NULL,
    sha256 text NOT NULL, size bigint NOT NULL, PRIMARY KEY (page_id, name)
);
CREATE TABLE rendering_needs (
    pattern text PRIMARY KEY, renders bigint NOT NULL, agreed bigint NOT NULL, reason text NOT NULL
);
