-- Whether there is an hour or day that begins at a time or later.
SELECT EXISTS (SELECT 1 FROM profiling_rollup WHERE project = ?1 AND source = ?2 AND span = ?3 AND start >= ?4)
