-- The ids of the records that took longest.
SELECT id FROM profiling_data
WHERE project = ?1 AND source = ?2 AND timestamp >= ?3 AND timestamp < ?4 AND duration_ms IS NOT NULL
ORDER BY duration_ms DESC, id
LIMIT ?5
