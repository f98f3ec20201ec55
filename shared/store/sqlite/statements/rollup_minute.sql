-- Adds to a minute. A sum of integers that is too large would be a float.
INSERT INTO profiling_minute (project, source, minute, count, sum) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT DO UPDATE SET
    count = count + excluded.count,
    sum = iif(sum > 9223372036854775807 - excluded.sum, 9223372036854775807, sum + excluded.sum)
