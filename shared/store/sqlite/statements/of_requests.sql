-- Records of a project in the order of their correlation ids in a JSON array.
SELECT r.correlation_id, r.project, r.source, r.timestamp, r.duration_ms, r.name, coalesce(r.attributes, ''), r.id
FROM json_each(?2) AS j CROSS JOIN profiling_data AS r
WHERE r.correlation_id = j.value AND r.project = ?1
