-- Stores a record unless it is stored already.
INSERT INTO profiling_data
    (correlation_id, project, source, timestamp, duration_ms, name, attributes, payload, digest, created_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
ON CONFLICT DO NOTHING
