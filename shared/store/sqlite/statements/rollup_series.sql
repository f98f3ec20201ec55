-- The projects and sources that have figures, from one entry of the table each.
WITH RECURSIVE projects (project) AS (
    SELECT min(project) FROM profiling_rollup
    UNION ALL
    SELECT (SELECT min(project) FROM profiling_rollup WHERE project > projects.project) FROM projects WHERE project IS NOT NULL
), series (project, source) AS (
    SELECT project, (SELECT min(source) FROM profiling_rollup AS r WHERE r.project = projects.project) FROM projects
    UNION ALL
    SELECT project, (SELECT min(source) FROM profiling_rollup AS r WHERE r.project = series.project AND r.source > series.source)
    FROM series WHERE source IS NOT NULL
)
SELECT project, source FROM series WHERE source IS NOT NULL
