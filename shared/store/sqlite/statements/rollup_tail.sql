-- The next ?2 records above an id, as far as rollups need them.
SELECT id, project, source, timestamp, duration_ms, name, attributes FROM profiling_data WHERE id > ?1 ORDER BY id LIMIT ?2
