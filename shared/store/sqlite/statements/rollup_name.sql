-- Remembers that an hour or a day has a cell of a key; the text that came first stays.
INSERT INTO profiling_name (project, source, key, text, last_hour, last_day) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT DO UPDATE SET last_hour = max(last_hour, excluded.last_hour), last_day = max(last_day, excluded.last_day)
