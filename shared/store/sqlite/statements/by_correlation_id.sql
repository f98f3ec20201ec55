SELECT correlation_id, project, source, timestamp, duration_ms, name, coalesce(attributes, ''), payload, created_at
FROM profiling_data
WHERE correlation_id = ?1
ORDER BY timestamp, id
