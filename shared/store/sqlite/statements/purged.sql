SELECT at, held, seen FROM profiling_data_purged
