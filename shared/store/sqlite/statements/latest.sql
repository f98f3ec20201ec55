-- The ids of the last records of one source, among the last ?4 of the project.
SELECT id FROM (
    SELECT id, source, timestamp FROM profiling_data WHERE project = ?1 AND timestamp < ?3 ORDER BY timestamp DESC LIMIT ?4
)
WHERE source = ?2
ORDER BY timestamp DESC, id DESC
LIMIT ?5
