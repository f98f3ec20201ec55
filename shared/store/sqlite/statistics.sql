-- What ANALYZE would find in a busy database: rows in an index, and rows for one value of its first column,
-- of its first two, and so on. Without it SQLite takes "one source" for as narrow as "one correlation id",
-- and reads half of the table for a look-up that names both.
ANALYZE sqlite_schema; -- makes the empty table sqlite_stat1
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('profiling_data', 'sqlite_autoindex_profiling_data_1', '1000000 10 1'),
    ('profiling_data', 'profiling_data_project', '1000000 100000 2 1'),
    ('profiling_data', 'profiling_data_source', '1000000 500000 2');
ANALYZE sqlite_schema; -- reads it
