-- What the keys of dicts are called where a column cannot be: {column: key}. Beside it the columns
-- that hold the digits of decimals, {column: column of the decimal}.
ALTER TABLE item_types ADD COLUMN names TEXT NOT NULL DEFAULT '{}';
