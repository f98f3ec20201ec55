-- One profiling record a row. A remote database runs these statements one by one, and again when it is not
-- sure: each stands alone, changes nothing that is there, and ends with a semicolon at the end of its line.

CREATE TABLE IF NOT EXISTS profiling_data (
    id             INTEGER PRIMARY KEY,
    correlation_id TEXT    NOT NULL, -- lower-case UUID with dashes: the PHP request that caused the record
    project        TEXT    NOT NULL, -- as its key spells it: lower case, "_" for "-" and "."
    source         TEXT    NOT NULL, -- 'php_agent' or 'postgres_agent'
    timestamp      INTEGER NOT NULL, -- when it happened, by the agent's clock: Unix microseconds
    duration_ms    REAL,             -- how long it took: milliseconds, NULL when the agent did not know
    name           TEXT    NOT NULL, -- what it was: the request_uri of a PHP record, the query of a Postgres one
    attributes     TEXT,             -- every field beside the contract's: one JSON object, NULL when there is none
    payload        TEXT    NOT NULL, -- profiling_data: the JSON object byte for byte as it was sent
    digest         INTEGER NOT NULL, -- 64-bit hash of all of the above
    created_at     INTEGER NOT NULL, -- when it was stored, by the listener's clock: Unix microseconds

    -- By correlation id, and once each: a record sent again is found here. It is part of the table, so that
    -- there is no moment in which a record could be stored twice.
    UNIQUE (correlation_id, digest)
);

-- By project and time. The slowest of a project in a span of time are found in the index alone, of one source or of both.
CREATE INDEX IF NOT EXISTS profiling_data_project ON profiling_data (project, timestamp, source, duration_ms);

-- By source and time, and the purge, source by source.
CREATE INDEX IF NOT EXISTS profiling_data_source ON profiling_data (source, timestamp);

-- What was refused, by the hour.
CREATE TABLE IF NOT EXISTS profiling_data_refused (
    hour    INTEGER NOT NULL, -- when it begins, in UTC: Unix seconds
    project TEXT    NOT NULL, -- of the key; '' when the key was no project's
    route   TEXT    NOT NULL, -- that it was sent to
    reason  TEXT    NOT NULL,
    field   TEXT    NOT NULL, -- of rejected records: which field was wrong first; '' for other reasons
    count   INTEGER NOT NULL,
    last_at INTEGER NOT NULL, -- the last of them: Unix microseconds
    message TEXT    NOT NULL, -- that the last was answered with
    PRIMARY KEY (hour, project, route, reason, field)
);
