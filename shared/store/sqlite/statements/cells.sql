-- The figures of all keys, from one hour or day to another.
SELECT start, key, cell FROM profiling_rollup WHERE project = ?1 AND source = ?2 AND span = ?3 AND start >= ?4 AND start < ?5
