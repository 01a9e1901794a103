-- Why a robots.txt could not be had, where its status is NULL.
ALTER TABLE robots ADD COLUMN reason TEXT;
