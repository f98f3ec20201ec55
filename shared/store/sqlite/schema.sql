-- One profiling record a row. indexes.sql has what finds it.
CREATE TABLE profiling_data (
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

-- The last purges, by the listener's clock: Unix microseconds. One row, or none before the first. clock.go says what it is for.
CREATE TABLE profiling_data_purged (
    id   INTEGER PRIMARY KEY, -- 1
    at   INTEGER NOT NULL,    -- the last that believed the clock
    held INTEGER NOT NULL,    -- the first that has not since, the same when there is none
    seen INTEGER NOT NULL     -- the last of either kind
);
