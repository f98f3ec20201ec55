-- One profiling record a row, and what finds it. The statements change nothing that is there: a file of the first
-- version keeps its table and indexes, which serve as well, and gets the rest.

CREATE TABLE IF NOT EXISTS profiling_data (
    id             INTEGER PRIMARY KEY,
    correlation_id TEXT    NOT NULL, -- lower-case UUID with dashes: the PHP request that caused the record
    project        TEXT    NOT NULL, -- as its key spells it: lower case, "_" for "-" and "."
    source         TEXT    NOT NULL, -- 'php_agent' or 'postgres_agent'
    timestamp      INTEGER NOT NULL, -- when it happened, by the agent's clock: Unix microseconds
    duration_ms    REAL,             -- how long it took: milliseconds, NULL when the agent did not know
    name           TEXT    NOT NULL, -- what it was: the request_uri of a PHP record, the query of a Postgres one
    attributes     TEXT,             -- every field beside the contract's: one JSON object, NULL when there is none
    payload                NOT NULL, -- profiling_data, byte for byte as it was sent: TEXT, or a BLOB that is one zstd frame of it
    digest         INTEGER NOT NULL, -- 64-bit hash of all of the above
    created_at     INTEGER NOT NULL  -- when it was stored, by the listener's clock: Unix microseconds
);

-- By project and time.
CREATE INDEX IF NOT EXISTS profiling_data_project ON profiling_data (project, timestamp);

-- By source and time, and the purge, source by source.
CREATE INDEX IF NOT EXISTS profiling_data_source ON profiling_data (source, timestamp);

-- The slowest of a project in a span of time. Only what was slow is in it, so that few inserts pay for it: a query
-- must say duration_ms >= 1000, in these words, to use it.
CREATE INDEX IF NOT EXISTS profiling_data_slow ON profiling_data (project, duration_ms, timestamp) WHERE duration_ms >= 1000;

-- What follows are indexes over random values. SQLite would write a page of an ordinary one for each record, and again
-- in a checkpoint. The listener fills these behind the records instead, many at a time and sorted, so that a page
-- takes tens of entries when it is written. lookup.go says how.

-- The records that are stored: none is stored twice.
CREATE TABLE IF NOT EXISTS profiling_data_seen (
    timestamp INTEGER NOT NULL,
    digest    INTEGER NOT NULL,
    PRIMARY KEY (timestamp, digest)
) WITHOUT ROWID;

-- By correlation id. An index over all records would be as wide as they are many; each part is one over 65,536 ids, and
-- a look-up asks every part: see the view.
CREATE TABLE IF NOT EXISTS profiling_data_lookup (
    part   INTEGER NOT NULL, -- the record's id >> 16
    digits TEXT    NOT NULL, -- eight of its correlation id, the 5th to 8th and the last four: they differ in every version of UUIDs
    id     INTEGER NOT NULL,
    PRIMARY KEY (part, digits, id)
) WITHOUT ROWID;

-- The last record that the two hold. One row.
CREATE TABLE IF NOT EXISTS profiling_data_filled (upto INTEGER NOT NULL);

-- The last purges, by the listener's clock: Unix microseconds. One row, or none before the first. clock.go says what it is for.
CREATE TABLE IF NOT EXISTS profiling_data_purged (
    id   INTEGER PRIMARY KEY, -- 1
    at   INTEGER NOT NULL,    -- the last that believed the clock
    held INTEGER NOT NULL,    -- the first that has not since, the same when there is none
    seen INTEGER NOT NULL     -- the last of either kind
);

-- The ids of the records whose correlation ids have these digits: those of one correlation id, and few others.
CREATE VIEW IF NOT EXISTS profiling_data_by_digits (digits, id) AS
    WITH RECURSIVE parts (part) AS (
        SELECT min(part) FROM profiling_data_lookup
        UNION ALL
        SELECT part + 1 FROM parts WHERE part < (SELECT max(part) FROM profiling_data_lookup))
    SELECT c.digits, c.id FROM parts CROSS JOIN profiling_data_lookup AS c ON c.part = parts.part
    UNION ALL
    SELECT substr(correlation_id, 5, 4) || substr(correlation_id, -4), id FROM profiling_data
        WHERE id > (SELECT upto FROM profiling_data_filled);

INSERT INTO profiling_data_filled SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM profiling_data_filled);
