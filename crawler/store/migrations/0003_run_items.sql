-- The highest item_id of each item type when a run began, a JSON object: what is above it is new.
ALTER TABLE runs ADD COLUMN items TEXT;
