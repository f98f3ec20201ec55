DELETE FROM profiling_data WHERE source = ?1 AND timestamp < ?2
