-- What the records come to: by hour, day and minute. A listener that starts makes what is missing; tables that are dropped,
-- all of them, it fills again from the records that are there. Package rollup says what is in them.

-- The figures of one route or statement in one hour or day.
CREATE TABLE IF NOT EXISTS profiling_rollup (
    project TEXT    NOT NULL,
    source  TEXT    NOT NULL, -- 'php_agent': the key is a route's; 'postgres_agent': a statement's
    span    INTEGER NOT NULL, -- 3600 for an hour, 86400 for a day: seconds
    start   INTEGER NOT NULL, -- when it begins, in UTC: Unix seconds
    key     TEXT    NOT NULL, -- '(other)' for what came after the first 1,000
    cell    BLOB    NOT NULL, -- a rollup.Cell: count, sum, the slowest, a histogram
    PRIMARY KEY (project, source, span, start, key)
) WITHOUT ROWID;

-- How many records there were in one minute.
CREATE TABLE IF NOT EXISTS profiling_minute (
    project TEXT    NOT NULL,
    source  TEXT    NOT NULL,
    minute  INTEGER NOT NULL, -- when it begins: Unix seconds
    count   INTEGER NOT NULL, -- records
    sum     INTEGER NOT NULL, -- of their durations: microseconds
    PRIMARY KEY (project, source, minute)
) WITHOUT ROWID;

-- What the keys stand for.
CREATE TABLE IF NOT EXISTS profiling_name (
    project   TEXT    NOT NULL,
    source    TEXT    NOT NULL,
    key       TEXT    NOT NULL,
    last_hour INTEGER NOT NULL, -- that has a cell of the key, 0 for none: Unix seconds
    last_day  INTEGER NOT NULL, -- likewise
    text      TEXT    NOT NULL, -- the name of the route, or the statement as it was sent, of which 4 KB
    PRIMARY KEY (project, source, key)
) WITHOUT ROWID;

-- Which records are in the tables above: those of a project and source up to an id. The row of no project and no source
-- says so of all of them.
CREATE TABLE IF NOT EXISTS profiling_rollup_mark (
    project TEXT    NOT NULL,
    source  TEXT    NOT NULL,
    last_id INTEGER NOT NULL,
    PRIMARY KEY (project, source)
) WITHOUT ROWID;
