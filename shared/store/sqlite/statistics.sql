-- What ANALYZE would find in a busy database: rows in an index, and rows for one value of its first column, of its
-- first two, and so on. Without it SQLite takes "one source" for as narrow as "one project in a span of time".
ANALYZE sqlite_schema; -- makes the table sqlite_stat1
DELETE FROM sqlite_stat1;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('profiling_data', 'profiling_data_correlation', '1000000 10 1'),
    ('profiling_data', 'profiling_data_project', '1000000 100000 2 2 1'),
    ('profiling_data', 'profiling_data_source', '1000000 500000 2');
ANALYZE sqlite_schema; -- reads it
