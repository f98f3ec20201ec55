SELECT count(*) FROM profiling_rollup WHERE project = ?1 AND source = ?2 AND span = ?3 AND start = ?4 AND key <> '(other)'
