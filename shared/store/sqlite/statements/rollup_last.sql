SELECT coalesce(max(id), 0) FROM profiling_data
