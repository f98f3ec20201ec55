-- What a file of version 3 has and one of version 4 has not. It found records by tables beside the records, which the
-- listener filled behind them; version 4 has an index instead. Its project index was narrower, and is made anew.
DROP VIEW IF EXISTS profiling_data_by_digits;
DROP TABLE IF EXISTS profiling_data_seen;
DROP TABLE IF EXISTS profiling_data_lookup;
DROP TABLE IF EXISTS profiling_data_filled;
DROP INDEX IF EXISTS profiling_data_slow;
DROP INDEX IF EXISTS profiling_data_project;
