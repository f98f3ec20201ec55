-- The sources that have records, each with its oldest timestamp, from two index entries a source.
WITH RECURSIVE sources (source) AS (
    SELECT min(source) FROM profiling_data
    UNION ALL
    SELECT (SELECT min(source) FROM profiling_data WHERE source > sources.source) FROM sources WHERE source IS NOT NULL
)
SELECT source, (SELECT min(timestamp) FROM profiling_data WHERE profiling_data.source = sources.source)
FROM sources
WHERE source IS NOT NULL
