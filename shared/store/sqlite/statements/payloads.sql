-- Payloads in the order of ids in a JSON array.
SELECT r.id, r.payload FROM json_each(?1) AS j CROSS JOIN profiling_data AS r WHERE r.id = j.value
