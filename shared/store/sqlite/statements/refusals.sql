SELECT hour, project, route, reason, field, count, last_at, message FROM profiling_data_refused
WHERE hour >= ?1 AND project = ?2 ORDER BY hour DESC LIMIT ?3
