-- The records of a project and source that began in a span: what their figures need beside.
SELECT id, duration_ms, name, attributes FROM profiling_data
WHERE project = ?1 AND source = ?2 AND timestamp >= ?3 AND timestamp < ?4
