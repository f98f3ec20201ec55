SELECT EXISTS (SELECT 1 FROM profiling_data WHERE source = ?1 AND timestamp >= ?2 AND timestamp < ?3)
