SELECT project, source, last_id FROM profiling_rollup_mark
