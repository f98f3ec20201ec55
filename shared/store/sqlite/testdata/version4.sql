-- A database of schema version 4, as the listener made it before it kept rollups, with 12 records.
PRAGMA page_size = 2048; PRAGMA auto_vacuum = 2; PRAGMA journal_mode = wal;
BEGIN TRANSACTION;
CREATE TABLE profiling_data (
    id             INTEGER PRIMARY KEY,
    correlation_id TEXT    NOT NULL, -- lower-case UUID with dashes: the PHP request that caused the record
    project        TEXT    NOT NULL, -- as its key spells it: lower case, "_" for "-" and "."
    source         TEXT    NOT NULL, -- 'php_agent' or 'postgres_agent'
    timestamp      INTEGER NOT NULL, -- when it happened, by the agent's clock: Unix microseconds
    duration_ms    REAL,             -- how long it took: milliseconds, NULL when the agent did not know
    name           TEXT    NOT NULL, -- what it was: the request_uri of a PHP record, the query of a Postgres one
    attributes     TEXT,             -- every field beside the contract's: one JSON object, NULL when there is none
    payload                NOT NULL, -- profiling_data, byte for byte as it was sent: TEXT, or a BLOB that is one zstd frame of it
    digest         INTEGER NOT NULL, -- 64-bit hash of all of the above
    created_at     INTEGER NOT NULL  -- when it was stored, by the listener's clock: Unix microseconds
);
INSERT INTO profiling_data VALUES(1,'00000000-0000-4000-8000-000000000000','shop','php_agent',1795381100000000,0.10000000000000000555,'/page/0','{"route":"shop.page"}','{"main()":{"wt":1}}',0,1795381200000000);
INSERT INTO profiling_data VALUES(2,'00000000-0000-4000-8000-000000000001','shop','postgres_agent',1795381100001000,1.1000000000000000888,'/page/1','{"query_id":-7}','{"main()":{"wt":1}}',7919,1795381200000000);
INSERT INTO profiling_data VALUES(3,'00000000-0000-4000-8000-000000000002','shop','php_agent',1795381100002000,2.1000000000000000888,'/page/2','{"route":"shop.page"}','{"main()":{"wt":1}}',15838,1795381200000000);
INSERT INTO profiling_data VALUES(4,'00000000-0000-4000-8000-000000000003','shop','postgres_agent',1795381100003000,3.1000000000000000888,'/page/3','{"query_id":-7}','{"main()":{"wt":1}}',23757,1795381200000000);
INSERT INTO profiling_data VALUES(5,'00000000-0000-4000-8000-000000000004','shop','php_agent',1795381100004000,4.0999999999999996447,'/page/4','{"route":"shop.page"}','{"main()":{"wt":1}}',31676,1795381200000000);
INSERT INTO profiling_data VALUES(6,'00000000-0000-4000-8000-000000000005','shop','postgres_agent',1795381100005000,5.0999999999999996447,'/page/5','{"query_id":-7}','{"main()":{"wt":1}}',39595,1795381200000000);
INSERT INTO profiling_data VALUES(7,'00000000-0000-4000-8000-000000000006','shop','php_agent',1795381100006000,6.0999999999999996447,'/page/6','{"route":"shop.page"}','{"main()":{"wt":1}}',47514,1795381200000000);
INSERT INTO profiling_data VALUES(8,'00000000-0000-4000-8000-000000000007','shop','postgres_agent',1795381100007000,7.0999999999999996447,'/page/7','{"query_id":-7}','{"main()":{"wt":1}}',55433,1795381200000000);
INSERT INTO profiling_data VALUES(9,'00000000-0000-4000-8000-000000000008','shop','php_agent',1795381100008000,8.0999999999999996447,'/page/8','{"route":"shop.page"}','{"main()":{"wt":1}}',63352,1795381200000000);
INSERT INTO profiling_data VALUES(10,'00000000-0000-4000-8000-000000000009','shop','postgres_agent',1795381100009000,9.0999999999999996447,'/page/9','{"query_id":-7}','{"main()":{"wt":1}}',71271,1795381200000000);
INSERT INTO profiling_data VALUES(11,'00000000-0000-4000-8000-00000000000a','shop','php_agent',1795381100010000,10.099999999999999644,'/page/10','{"route":"shop.page"}','{"main()":{"wt":1}}',79190,1795381200000000);
INSERT INTO profiling_data VALUES(12,'00000000-0000-4000-8000-00000000000b','shop','postgres_agent',1795381100011000,11.099999999999999644,'/page/11','{"query_id":-7}','{"main()":{"wt":1}}',87109,1795381200000000);
CREATE TABLE profiling_data_purged (
    id   INTEGER PRIMARY KEY, -- 1
    at   INTEGER NOT NULL,    -- the last that believed the clock
    held INTEGER NOT NULL,    -- the first that has not since, the same when there is none
    seen INTEGER NOT NULL     -- the last of either kind
);
INSERT INTO profiling_data_purged VALUES(1,1795381200000000,1795381200000000,1795381200000000);
ANALYZE sqlite_schema;
DELETE FROM sqlite_stat1;
INSERT INTO sqlite_stat1 VALUES('profiling_data','profiling_data_correlation','1000000 10 1');
INSERT INTO sqlite_stat1 VALUES('profiling_data','profiling_data_project','1000000 100000 2 2 1');
INSERT INTO sqlite_stat1 VALUES('profiling_data','profiling_data_source','1000000 500000 2');
ANALYZE sqlite_schema;
CREATE UNIQUE INDEX profiling_data_correlation ON profiling_data (correlation_id, digest);
CREATE INDEX profiling_data_project ON profiling_data (project, timestamp, source, duration_ms);
CREATE INDEX profiling_data_source ON profiling_data (source, timestamp);
COMMIT;
PRAGMA application_id = 1112101974; PRAGMA user_version = 4;
