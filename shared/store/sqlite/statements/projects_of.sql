SELECT DISTINCT project FROM profiling_data WHERE correlation_id = ?1 ORDER BY project
