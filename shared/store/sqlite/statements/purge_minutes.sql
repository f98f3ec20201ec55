-- Deletes the earliest day of minutes of a project and source, of those before a time.
DELETE FROM profiling_minute
WHERE project = ?1 AND source = ?2 AND minute < min(?3, 86400 + (
    SELECT min(minute) FROM profiling_minute WHERE project = ?1 AND source = ?2))
