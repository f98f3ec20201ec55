-- Both halves of one request side by side: ?1 is the correlation id, lower case with dashes.
-- A row a statement, in the order in which they ended; a request that ran none has one row.
WITH entry AS (
    SELECT * FROM profiling_data
    WHERE correlation_id = ?1
)
SELECT request.name          AS request_uri,
       request.duration_ms   AS request_ms,
       statement.name        AS query,
       statement.duration_ms AS query_ms
FROM entry AS request
LEFT JOIN entry AS statement ON statement.source = 'postgres_agent'
WHERE request.source = 'php_agent'
ORDER BY statement.timestamp, statement.id;
