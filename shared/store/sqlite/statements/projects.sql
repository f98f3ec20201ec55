-- The projects that have records, from one index entry each.
WITH RECURSIVE projects (project) AS (
    SELECT min(project) FROM profiling_data
    UNION ALL
    SELECT (SELECT min(project) FROM profiling_data WHERE project > projects.project) FROM projects WHERE project IS NOT NULL
)
SELECT project FROM projects WHERE project IS NOT NULL
