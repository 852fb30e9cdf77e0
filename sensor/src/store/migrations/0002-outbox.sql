-- Messages to subscribers. A number is never used again, so that a subscriber sees every gap.

CREATE TABLE outbox (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    topic    TEXT NOT NULL,
    severity INTEGER NOT NULL,
    id       TEXT NOT NULL,
    kind     TEXT NOT NULL,
    at       INTEGER NOT NULL,
    sent     INTEGER NOT NULL DEFAULT 0,
    bytes    INTEGER NOT NULL,
    body     TEXT NOT NULL
) STRICT;
CREATE INDEX outbox_pending ON outbox (severity, seq) WHERE sent = 0;
CREATE INDEX outbox_unsent ON outbox (seq) WHERE sent = 0;
CREATE INDEX outbox_sent ON outbox (seq) WHERE sent = 1;

-- Kept by the triggers below, so that nobody counts rows to know whether the outbox is full.
CREATE TABLE outbox_extent (
    pending INTEGER NOT NULL,
    sent    INTEGER NOT NULL,
    bytes   INTEGER NOT NULL
) STRICT;
INSERT INTO outbox_extent VALUES (0, 0, 0);

CREATE TRIGGER outbox_posted AFTER INSERT ON outbox BEGIN
    UPDATE outbox_extent SET pending = pending + 1, bytes = bytes + NEW.bytes;
END;
CREATE TRIGGER outbox_taken AFTER UPDATE OF sent ON outbox WHEN OLD.sent = 0 AND NEW.sent = 1 BEGIN
    UPDATE outbox_extent SET pending = pending - 1, sent = sent + 1;
END;
CREATE TRIGGER outbox_gone AFTER DELETE ON outbox BEGIN
    UPDATE outbox_extent SET
        pending = pending - (OLD.sent = 0),
        sent = sent - (OLD.sent = 1),
        bytes = bytes - OLD.bytes;
END;

-- Ranges of numbers that were dropped before they were sent, and whether subscribers were told.
CREATE TABLE dropped (
    first INTEGER PRIMARY KEY,
    last  INTEGER NOT NULL,
    told  INTEGER NOT NULL
) STRICT;
CREATE INDEX dropped_last ON dropped (last);
