-- What a project has under one correlation id, but for the payloads.
SELECT correlation_id, project, source, timestamp, duration_ms, name, coalesce(attributes, ''), created_at, id
FROM profiling_data
WHERE correlation_id = ?1 AND project = ?2
ORDER BY timestamp, id
LIMIT ?3
