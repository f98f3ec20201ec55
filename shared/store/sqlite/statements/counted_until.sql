SELECT created_at FROM profiling_data WHERE id <= ? ORDER BY id DESC LIMIT 1
