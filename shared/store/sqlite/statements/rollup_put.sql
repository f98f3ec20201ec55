INSERT INTO profiling_rollup (project, source, span, start, key, cell) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT DO UPDATE SET cell = excluded.cell
