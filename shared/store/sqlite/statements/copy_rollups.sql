-- In one transaction, so that the marks say what is in the tables. What the records that are copied later add is derived when
-- a listener starts on the copy.
BEGIN;
INSERT INTO main.profiling_rollup SELECT * FROM source.profiling_rollup;
INSERT INTO main.profiling_minute SELECT * FROM source.profiling_minute;
INSERT INTO main.profiling_name SELECT * FROM source.profiling_name;
INSERT INTO main.profiling_rollup_mark SELECT * FROM source.profiling_rollup_mark;
INSERT INTO main.profiling_data_refused SELECT * FROM source.profiling_data_refused;
COMMIT
