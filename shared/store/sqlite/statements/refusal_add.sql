INSERT INTO profiling_data_refused (hour, project, route, reason, field, count, last_at, message) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
ON CONFLICT DO UPDATE SET count = count + excluded.count, last_at = excluded.last_at, message = excluded.message
