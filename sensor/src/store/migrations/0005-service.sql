-- The one use of others that a block keeps its target from, JSON; empty where it is all.

ALTER TABLE block ADD COLUMN service TEXT NOT NULL DEFAULT '';
DROP INDEX block_target;
CREATE UNIQUE INDEX block_target ON block (target, begun, service);
