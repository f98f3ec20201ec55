INSERT INTO main.profiling_data SELECT * FROM source.profiling_data WHERE id > ?1 AND id <= ?2
