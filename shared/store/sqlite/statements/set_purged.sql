INSERT OR REPLACE INTO profiling_data_purged (id, at, held, seen) VALUES (1, ?1, ?2, ?3)
