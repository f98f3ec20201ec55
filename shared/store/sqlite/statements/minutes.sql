SELECT minute, count, sum FROM profiling_minute WHERE project = ?1 AND source = ?2 AND minute >= ?3 AND minute < ?4 ORDER BY minute
