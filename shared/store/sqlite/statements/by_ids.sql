-- Records of a project in the order of their ids in a JSON array.
SELECT r.correlation_id, r.project, r.source, r.timestamp, r.duration_ms, r.name, coalesce(r.attributes, ''), r.id
FROM json_each(?2) AS j CROSS JOIN profiling_data AS r
WHERE r.id = j.value AND r.project = ?1
