-- Deletes the earliest hour or day of a project and source that begins before a time.
DELETE FROM profiling_rollup
WHERE project = ?1 AND source = ?2 AND span = ?3 AND start = (
    SELECT min(start) FROM profiling_rollup WHERE project = ?1 AND source = ?2 AND span = ?3 AND start < ?4)
