-- How many records of a project and source began in a span, counted up to ?5.
SELECT count(*) FROM (
    SELECT 1 FROM profiling_data WHERE project = ?1 AND source = ?2 AND timestamp >= ?3 AND timestamp < ?4 LIMIT ?5
)
