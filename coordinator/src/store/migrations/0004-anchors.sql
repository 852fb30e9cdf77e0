-- The hash that the audit trail had at a moment, so that a trail that was written anew from there on shows.
CREATE TABLE audit_anchor (seq BIGINT PRIMARY KEY, at BIGINT NOT NULL, hash TEXT NOT NULL);
