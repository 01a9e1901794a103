-- What became of items field by field: those of types with a history, and `gone_at` of all.
CREATE TABLE item_changes (
    change_id INTEGER PRIMARY KEY,
    item      TEXT NOT NULL,                -- the item type's table
    item_id   INTEGER NOT NULL,
    field     TEXT NOT NULL,
    before,                                 -- as the column has it
    after,
    at        TEXT NOT NULL,
    page_id   INTEGER NOT NULL,
    page_url  TEXT NOT NULL,
    run_id    INTEGER NOT NULL
);
CREATE INDEX item_changes_at ON item_changes (at);
CREATE INDEX item_changes_item ON item_changes (item, item_id);
