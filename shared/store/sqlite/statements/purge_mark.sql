-- The last of the ?3 + 1 oldest records of a source from before a time.
SELECT timestamp, id FROM profiling_data
WHERE source = ?1 AND timestamp < ?2
ORDER BY timestamp, id
LIMIT 1 OFFSET ?3
