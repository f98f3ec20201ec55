-- Makes or replaces figures of one hour or day: a JSON object has the cells by key, in hexadecimal digits.
INSERT INTO profiling_rollup (project, source, span, start, key, cell)
SELECT ?1, ?2, ?3, ?4, key, unhex(value) FROM json_each(?5) WHERE true
ON CONFLICT DO UPDATE SET cell = excluded.cell
