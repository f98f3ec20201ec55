-- Both halves of one request side by side: ?1 is the correlation id, lower case with dashes.
-- A row a statement, in the order in which they ended; a request that ran none has one row.
SELECT request.name          AS request_uri,
       request.duration_ms   AS request_ms,
       statement.name        AS query,
       statement.duration_ms AS query_ms
FROM profiling_data AS request
LEFT JOIN profiling_data AS statement
       ON statement.correlation_id = request.correlation_id
      AND statement.source = 'postgres_agent'
WHERE request.correlation_id = ?1
  AND request.source = 'php_agent'
ORDER BY statement.timestamp, statement.id;
