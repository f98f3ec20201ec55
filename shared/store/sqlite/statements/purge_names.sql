-- Deletes the texts of keys that have no cell any more.
DELETE FROM profiling_name WHERE project = ?1 AND source = ?2 AND last_hour < ?3 AND last_day < ?4
