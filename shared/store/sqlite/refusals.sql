-- What was refused, by the hour. A listener that starts makes the table when it is missing. Package refusals says what is in it.
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
) WITHOUT ROWID;
