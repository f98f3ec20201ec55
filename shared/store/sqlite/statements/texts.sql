-- What keys stand for; ?3 is a JSON array of them.
SELECT n.key, n.text FROM json_each(?3) AS j CROSS JOIN profiling_name AS n
WHERE n.project = ?1 AND n.source = ?2 AND n.key = j.value
