-- Incidents are kept by the month of their first revision, so that a month of them goes at once. Their names alone tell
-- whether one is stored already.
ALTER TABLE incident RENAME TO incident_before;
DROP INDEX incident_event;
DROP INDEX incident_at;
DROP INDEX incident_offender;
DROP INDEX incident_site;
DROP INDEX incident_class;
DROP INDEX incident_sensor;
--postgres ALTER INDEX incident_pkey RENAME TO incident_before_pkey;
CREATE TABLE incident (
    id TEXT NOT NULL, first BIGINT NOT NULL, site TEXT NOT NULL, sensor TEXT NOT NULL, event_id TEXT NOT NULL,
    revision BIGINT NOT NULL, at BIGINT NOT NULL, offender TEXT, victim TEXT, port BIGINT, class TEXT NOT NULL,
    decision TEXT NOT NULL, severity BIGINT NOT NULL, proven BIGINT NOT NULL, blocked_until BIGINT,
    ended BIGINT NOT NULL, doc TEXT NOT NULL,
    PRIMARY KEY (id, first)
) --postgres PARTITION BY RANGE (first)
;
--postgres CREATE TABLE incident_other PARTITION OF incident DEFAULT;
--postgres DO $$
--postgres DECLARE month timestamp;
--postgres BEGIN
--postgres     FOR month IN SELECT DISTINCT date_trunc('month', to_timestamp(at / 1e6) AT TIME ZONE 'UTC') FROM incident_before LOOP
--postgres         EXECUTE format('CREATE TABLE incident_%s PARTITION OF incident FOR VALUES FROM (%s) TO (%s)',
--postgres             to_char(month, 'YYYY_MM'), extract(epoch FROM month)::bigint * 1000000,
--postgres             extract(epoch FROM month + interval '1 month')::bigint * 1000000);
--postgres     END LOOP;
--postgres END $$;
INSERT INTO incident (id, first, site, sensor, event_id, revision, at, offender, victim, port, class, decision, severity,
    proven, blocked_until, ended, doc)
SELECT id, at, site, sensor, event_id, revision, at, offender, victim, port, class, decision, severity, proven,
    blocked_until, ended, doc FROM incident_before;
DROP TABLE incident_before;
CREATE INDEX incident_at ON incident (at, id);
CREATE INDEX incident_offender ON incident (offender, at, id);
CREATE INDEX incident_site ON incident (site, class, at, id);
CREATE INDEX incident_class ON incident (class, at, id);
CREATE INDEX incident_sensor ON incident (site, sensor, at, id);
