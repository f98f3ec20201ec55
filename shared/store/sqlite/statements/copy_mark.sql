-- The last id of the next ?3 records above one, at most another.
SELECT coalesce(max(id), ?2) FROM (
    SELECT id FROM source.profiling_data WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3
)
