-- How much of its target's traffic a block stops.

ALTER TABLE block ADD COLUMN scope TEXT NOT NULL DEFAULT 'all';
