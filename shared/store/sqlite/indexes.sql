-- The indexes of profiling_data. A listener that starts makes those that are missing. Each statement ends with a semicolon
-- at the end of its line, and names its index after IF NOT EXISTS.

-- By correlation id, and each record once: a record that is sent again is found here.
CREATE UNIQUE INDEX IF NOT EXISTS profiling_data_correlation ON profiling_data (correlation_id, digest);

-- By project and time. The slowest of a project in a span of time are found in the index alone, of one source or of both.
CREATE INDEX IF NOT EXISTS profiling_data_project ON profiling_data (project, timestamp, source, duration_ms);

-- By source and time, and the purge, source by source.
CREATE INDEX IF NOT EXISTS profiling_data_source ON profiling_data (source, timestamp);
