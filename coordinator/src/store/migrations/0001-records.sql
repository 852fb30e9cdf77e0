-- What sensors report, what is concluded from it, and what is ordered. Times are microseconds since 1970 in UTC;
-- documents are the bytes as published. `--postgres` begins what only PostgreSQL reads.

-- Numbers that are given out in the order of commits: whoever takes one holds its row until the transaction ends.
CREATE TABLE counter (name TEXT PRIMARY KEY, value BIGINT NOT NULL);
INSERT INTO counter (name, value) VALUES ('asked', 0), ('beat', 0), ('event', 0), ('term', 0);

CREATE TABLE sensor (
    site TEXT NOT NULL, sensor TEXT NOT NULL, state TEXT NOT NULL, version TEXT NOT NULL,
    first_heard BIGINT NOT NULL, last_heard BIGINT NOT NULL, skew BIGINT NOT NULL,
    epoch TEXT, status TEXT, telemetry TEXT, digest TEXT NOT NULL,
    PRIMARY KEY (site, sensor)
);

-- What was heard of a sensor's numbers: everything up to `high` but the gaps and what is lost.
CREATE TABLE sequence (
    site TEXT NOT NULL, sensor TEXT NOT NULL, epoch TEXT NOT NULL,
    high BIGINT NOT NULL, gaps TEXT NOT NULL, lost TEXT NOT NULL,
    heard BIGINT NOT NULL, repeated BIGINT NOT NULL, at BIGINT NOT NULL,
    PRIMARY KEY (site, sensor, epoch)
);

CREATE TABLE incident (
    id TEXT PRIMARY KEY, site TEXT NOT NULL, sensor TEXT NOT NULL, event_id TEXT NOT NULL, revision BIGINT NOT NULL,
    at BIGINT NOT NULL, offender TEXT, victim TEXT, port BIGINT, class TEXT NOT NULL, decision TEXT NOT NULL,
    severity BIGINT NOT NULL, proven BIGINT NOT NULL, blocked_until BIGINT, ended BIGINT NOT NULL, doc TEXT NOT NULL
);
CREATE UNIQUE INDEX incident_event ON incident (event_id, site, sensor);
CREATE INDEX incident_at ON incident (at, id);
CREATE INDEX incident_offender ON incident (offender, at, id);
CREATE INDEX incident_site ON incident (site, class, at, id);
CREATE INDEX incident_class ON incident (class, at, id);
CREATE INDEX incident_sensor ON incident (site, sensor, at, id);

-- The revisions of an incident that are no longer its latest.
CREATE TABLE revision (
    incident TEXT NOT NULL, revision BIGINT NOT NULL, at BIGINT NOT NULL, doc TEXT NOT NULL,
    PRIMARY KEY (incident, revision, at)
) --postgres PARTITION BY RANGE (at)
;
--postgres CREATE TABLE revision_other PARTITION OF revision DEFAULT;

CREATE TABLE telemetry (
    site TEXT NOT NULL, sensor TEXT NOT NULL, at BIGINT NOT NULL, doc TEXT NOT NULL,
    PRIMARY KEY (site, sensor, at)
) --postgres PARTITION BY RANGE (at)
;
--postgres CREATE TABLE telemetry_other PARTITION OF telemetry DEFAULT;
CREATE INDEX telemetry_at ON telemetry (at);

CREATE TABLE condition (
    id TEXT PRIMARY KEY, site TEXT NOT NULL, sensor TEXT NOT NULL, name TEXT NOT NULL, action TEXT NOT NULL,
    at BIGINT NOT NULL, doc TEXT NOT NULL
);
CREATE INDEX condition_at ON condition (at, id);

-- The block list of each sensor, as its messages tell it; one that ended stays for a while as such.
CREATE TABLE block (
    site TEXT NOT NULL, sensor TEXT NOT NULL, target TEXT NOT NULL, state TEXT NOT NULL, expires BIGINT,
    at BIGINT NOT NULL, doc TEXT NOT NULL,
    PRIMARY KEY (site, sensor, target)
);
CREATE INDEX block_target ON block (target);

CREATE TABLE review (
    id TEXT PRIMARY KEY, site TEXT NOT NULL, sensor TEXT NOT NULL, event_id TEXT NOT NULL, address TEXT NOT NULL,
    class TEXT NOT NULL, message TEXT NOT NULL, asked BIGINT NOT NULL, lapses BIGINT NOT NULL, state TEXT NOT NULL,
    version BIGINT NOT NULL, answered_by TEXT, answered_at BIGINT, reason TEXT, orders TEXT
);
CREATE INDEX review_state ON review (state, asked, id);

CREATE TABLE campaign (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, subject TEXT NOT NULL, class TEXT NOT NULL, state TEXT NOT NULL,
    sites TEXT NOT NULL, first_at BIGINT NOT NULL, last_at BIGINT NOT NULL, version BIGINT NOT NULL, doc TEXT NOT NULL
);
CREATE INDEX campaign_last ON campaign (last_at, id);

-- What the fleet is to keep out: the desired list.
CREATE TABLE fleet_block (
    id TEXT PRIMARY KEY, target TEXT NOT NULL, sites TEXT NOT NULL, sensor TEXT NOT NULL, state TEXT NOT NULL,
    origin TEXT NOT NULL, ordered_by TEXT NOT NULL, approved_by TEXT, reason TEXT NOT NULL, campaign TEXT,
    begun BIGINT NOT NULL, expires BIGINT, version BIGINT NOT NULL, why TEXT NOT NULL
);
CREATE INDEX fleet_block_state ON fleet_block (state, begun, id);
CREATE INDEX fleet_block_target ON fleet_block (target);

-- One order is for one sensor; those of one decision share `cause`.
CREATE TABLE orders (
    id TEXT PRIMARY KEY, cause TEXT NOT NULL, site TEXT NOT NULL, sensor TEXT NOT NULL, action TEXT NOT NULL,
    command TEXT NOT NULL, state TEXT NOT NULL, reason TEXT, message TEXT, ordered_by TEXT NOT NULL, why TEXT NOT NULL,
    created BIGINT NOT NULL, holds_until BIGINT NOT NULL, attempts BIGINT NOT NULL, sent_at BIGINT, answered_at BIGINT
);
CREATE INDEX orders_created ON orders (created, id);
CREATE INDEX orders_open ON orders (state);
CREATE INDEX orders_cause ON orders (cause);

CREATE TABLE quarantine (
    topic TEXT NOT NULL, reason TEXT NOT NULL, count BIGINT NOT NULL, first_at BIGINT NOT NULL, last_at BIGINT NOT NULL,
    sample TEXT NOT NULL, PRIMARY KEY (topic, reason)
);

-- What has changed, for those who follow; numbered without a gap.
CREATE TABLE event (
    seq BIGINT PRIMARY KEY, at BIGINT NOT NULL, kind TEXT NOT NULL, site TEXT, body TEXT NOT NULL
);
