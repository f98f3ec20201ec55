INSERT INTO profiling_rollup_mark (project, source, last_id) VALUES (?1, ?2, ?3)
ON CONFLICT DO UPDATE SET last_id = excluded.last_id
