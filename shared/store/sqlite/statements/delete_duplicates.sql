-- Keeps the first of the records that are the same. There are more only where the unique index was missing.
DELETE FROM profiling_data WHERE id NOT IN (SELECT min(id) FROM profiling_data GROUP BY correlation_id, digest)
