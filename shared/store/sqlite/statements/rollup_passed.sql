-- Deletes the marks that say no more than that of all.
DELETE FROM profiling_rollup_mark WHERE project <> '' AND last_id <= ?1
