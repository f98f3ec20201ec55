-- The figures of one key, from one hour or day to another: a look-up for each.
WITH RECURSIVE starts (start) AS (
    SELECT ?4 WHERE ?4 < ?5
    UNION ALL
    SELECT start + ?3 FROM starts WHERE start + ?3 < ?5
)
SELECT r.start, r.key, r.cell FROM starts CROSS JOIN profiling_rollup AS r
WHERE r.project = ?1 AND r.source = ?2 AND r.span = ?3 AND r.start = starts.start AND r.key = ?6
