-- Incidents, blocks and what else has to be known again after a restart. Times are microseconds since 1970.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Tells this file from every other: sequence numbers mean nothing without it.
INSERT INTO meta VALUES ('epoch', lower(hex(randomblob(8))));

CREATE TABLE incident (
    id       TEXT PRIMARY KEY,
    class    TEXT NOT NULL,
    address  TEXT NOT NULL,
    begun    INTEGER NOT NULL,
    updated  INTEGER NOT NULL,
    revision INTEGER NOT NULL
) STRICT;
CREATE INDEX incident_updated ON incident (updated);
CREATE INDEX incident_address ON incident (address, updated);

CREATE TABLE revision (
    incident     TEXT NOT NULL REFERENCES incident (id) ON DELETE CASCADE,
    revision     INTEGER NOT NULL,
    stage        TEXT NOT NULL,
    decision     TEXT NOT NULL,
    severity     INTEGER NOT NULL,
    decided      INTEGER NOT NULL,
    document     TEXT NOT NULL,
    features     BLOB NOT NULL, -- little-endian f32
    feature_list TEXT NOT NULL,
    PRIMARY KEY (incident, revision)
) STRICT;

-- `low` and `high` are the ends of the target as 16 bytes, IPv4 as v4-mapped.
CREATE TABLE block (
    id              INTEGER PRIMARY KEY,
    target          TEXT NOT NULL,
    low             BLOB NOT NULL,
    high            BLOB NOT NULL,
    state           TEXT NOT NULL,
    origin          TEXT NOT NULL,
    by              TEXT NOT NULL,
    reason          TEXT NOT NULL,
    class           TEXT,
    incident        TEXT,
    offence         INTEGER NOT NULL,
    begun           INTEGER NOT NULL,
    expires         INTEGER,
    confirm_by      INTEGER,
    forced          INTEGER NOT NULL,
    released        INTEGER,
    released_by     TEXT,
    released_reason TEXT
) STRICT;
CREATE UNIQUE INDEX block_target ON block (target, begun);
CREATE INDEX block_low ON block (low);
CREATE INDEX block_end ON block (coalesce(released, expires));

CREATE TABLE offender (
    address  TEXT PRIMARY KEY,
    offences INTEGER NOT NULL,
    served   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX offender_served ON offender (served);

CREATE TABLE allowance (
    net      TEXT NOT NULL,
    since    INTEGER NOT NULL,
    by       TEXT NOT NULL,
    reason   TEXT NOT NULL,
    expires  INTEGER,
    ended    INTEGER,
    ended_by TEXT,
    PRIMARY KEY (net, since)
) STRICT;

CREATE TABLE review (
    id          TEXT PRIMARY KEY,
    address     TEXT NOT NULL,
    class       TEXT NOT NULL,
    cause       TEXT NOT NULL,
    message     TEXT NOT NULL,
    asked       INTEGER NOT NULL,
    lapses      INTEGER NOT NULL,
    state       TEXT NOT NULL,
    answered    INTEGER,
    answered_by TEXT
) STRICT;
CREATE INDEX review_asked ON review (asked);

CREATE TABLE setting (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
