-- Who may do what, and who did what.

CREATE TABLE account (
    name TEXT PRIMARY KEY, hash TEXT NOT NULL, role TEXT NOT NULL, sites TEXT NOT NULL, created BIGINT NOT NULL,
    disabled BIGINT NOT NULL, failures BIGINT NOT NULL, locked_until BIGINT NOT NULL, version BIGINT NOT NULL
);

CREATE TABLE session (
    hash TEXT PRIMARY KEY, account TEXT NOT NULL, csrf TEXT NOT NULL, created BIGINT NOT NULL, expires BIGINT NOT NULL
);

CREATE TABLE token (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, hash TEXT NOT NULL UNIQUE, role TEXT NOT NULL, sites TEXT NOT NULL,
    created BIGINT NOT NULL, created_by TEXT NOT NULL, last_used BIGINT, revoked BIGINT
);

-- A code that can be used once: the link that makes the first admin.
CREATE TABLE once (name TEXT PRIMARY KEY, hash TEXT NOT NULL, expires BIGINT NOT NULL);

-- The answer to a POST that named a key, so that the same one has it done once.
CREATE TABLE idempotency (
    owner TEXT NOT NULL, key TEXT NOT NULL, request TEXT NOT NULL, status BIGINT NOT NULL, body TEXT NOT NULL,
    at BIGINT NOT NULL, PRIMARY KEY (owner, key)
);

CREATE TABLE audit (
    seq BIGINT PRIMARY KEY, at BIGINT NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL, object TEXT NOT NULL,
    outcome TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL
);

-- Where the trail begins and ends: what is cut off shows.
CREATE TABLE audit_mark (name TEXT PRIMARY KEY, seq BIGINT NOT NULL, hash TEXT NOT NULL);
INSERT INTO audit_mark (name, seq, hash) VALUES
    ('anchor', 0, '0000000000000000000000000000000000000000000000000000000000000000'),
    ('head', 0, '0000000000000000000000000000000000000000000000000000000000000000');
