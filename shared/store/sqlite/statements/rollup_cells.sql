-- The figures of the keys in a JSON array, in one hour or day.
SELECT r.key, r.cell FROM json_each(?5) AS j CROSS JOIN profiling_rollup AS r
WHERE r.project = ?1 AND r.source = ?2 AND r.span = ?3 AND r.start = ?4 AND r.key = j.value
