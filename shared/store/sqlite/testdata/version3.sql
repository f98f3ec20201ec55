-- A database of schema version 3, as the listener made it, with 30 records; every third shares the first one's correlation id.
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
INSERT INTO profiling_data VALUES(1,'00000000-0000-4000-8000-000000000000','shop','php_agent',1763843023000000,0.10000000000000000555,'/page/0',NULL,'{"main()":{"wt":1}}',0,1763843023959754);
INSERT INTO profiling_data VALUES(2,'00000000-0000-4000-8000-000000000000','shop','postgres_agent',1763843023000001,1.1000000000000000888,'/page/1',NULL,'{"main()":{"wt":1}}',7919,1763843023959754);
INSERT INTO profiling_data VALUES(3,'00000000-0000-4000-8000-000000000002','shop','php_agent',1763843023000002,2.1000000000000000888,'/page/2',NULL,'{"main()":{"wt":1}}',15838,1763843023959754);
INSERT INTO profiling_data VALUES(4,'00000000-0000-4000-8000-000000000003','shop','postgres_agent',1763843023000003,3.1000000000000000888,'/page/3',NULL,'{"main()":{"wt":1}}',23757,1763843023959754);
INSERT INTO profiling_data VALUES(5,'00000000-0000-4000-8000-000000000000','shop','php_agent',1763843023000004,4.0999999999999996447,'/page/4',NULL,'{"main()":{"wt":1}}',31676,1763843023959754);
INSERT INTO profiling_data VALUES(6,'00000000-0000-4000-8000-000000000005','shop','postgres_agent',1763843023000005,NULL,'/page/5',NULL,'{"main()":{"wt":1}}',39595,1763843023959754);
INSERT INTO profiling_data VALUES(7,'00000000-0000-4000-8000-000000000006','shop','php_agent',1763843023000006,6.0999999999999996447,'/page/6','{"z":0.000}','{"main()":{"wt":1}}',47514,1763843023959754);
INSERT INTO profiling_data VALUES(8,'00000000-0000-4000-8000-000000000000','shop','postgres_agent',1763843023000007,7.0999999999999996447,'/page/7',NULL,'{"main()":{"wt":1}}',55433,1763843023959754);
INSERT INTO profiling_data VALUES(9,'00000000-0000-4000-8000-000000000008','shop','php_agent',1763843023000008,8.0999999999999996447,'/page/8',NULL,'{"main()":{"wt":1}}',63352,1763843023959754);
INSERT INTO profiling_data VALUES(10,'00000000-0000-4000-8000-000000000009','shop','postgres_agent',1763843023000009,9.0999999999999996447,'/page/9',NULL,'{"main()":{"wt":1}}',71271,1763843023959754);
INSERT INTO profiling_data VALUES(11,'00000000-0000-4000-8000-000000000000','shop','php_agent',1763843023000010,10.099999999999999644,'/page/10',NULL,'{"main()":{"wt":1}}',79190,1763843023959754);
INSERT INTO profiling_data VALUES(12,'00000000-0000-4000-8000-00000000000b','shop','postgres_agent',1763843023000011,11.099999999999999644,'/page/11',NULL,'{"main()":{"wt":1}}',87109,1763843023959754);
INSERT INTO profiling_data VALUES(13,'00000000-0000-4000-8000-00000000000c','shop','php_agent',1763843023000012,12.099999999999999644,'/page/12',NULL,'{"main()":{"wt":1}}',95028,1763843023959754);
INSERT INTO profiling_data VALUES(14,'00000000-0000-4000-8000-000000000000','shop','postgres_agent',1763843023000013,13.099999999999999644,'/page/13',NULL,'{"main()":{"wt":1}}',102947,1763843023959754);
INSERT INTO profiling_data VALUES(15,'00000000-0000-4000-8000-00000000000e','shop','php_agent',1763843023000014,14.099999999999999645,'/page/14',NULL,'{"main()":{"wt":1}}',110866,1763843023959754);
INSERT INTO profiling_data VALUES(16,'00000000-0000-4000-8000-00000000000f','shop','postgres_agent',1763843023000015,15.099999999999999644,'/page/15',NULL,'{"main()":{"wt":1}}',118785,1763843023959754);
INSERT INTO profiling_data VALUES(17,'00000000-0000-4000-8000-000000000000','shop','php_agent',1763843023000016,16.100000000000001421,'/page/16',NULL,'{"main()":{"wt":1}}',126704,1763843023959754);
INSERT INTO profiling_data VALUES(18,'00000000-0000-4000-8000-000000000011','shop','postgres_agent',1763843023000017,17.10000000000000142,'/page/17',NULL,'{"main()":{"wt":1}}',134623,1763843023959754);
INSERT INTO profiling_data VALUES(19,'00000000-0000-4000-8000-000000000012','shop','php_agent',1763843023000018,18.100000000000001421,'/page/18',NULL,'{"main()":{"wt":1}}',142542,1763843023959754);
INSERT INTO profiling_data VALUES(20,'00000000-0000-4000-8000-000000000000','shop','postgres_agent',1763843023000019,19.100000000000001421,'/page/19',NULL,'{"main()":{"wt":1}}',150461,1763843023959754);
INSERT INTO profiling_data VALUES(21,'00000000-0000-4000-8000-000000000014','shop','php_agent',1763843023000020,20.10000000000000142,'/page/20',NULL,'{"main()":{"wt":1}}',158380,1763843023959754);
INSERT INTO profiling_data VALUES(22,'00000000-0000-4000-8000-000000000015','shop','postgres_agent',1763843023000021,21.100000000000001421,'/page/21',NULL,'{"main()":{"wt":1}}',166299,1763843023959754);
INSERT INTO profiling_data VALUES(23,'00000000-0000-4000-8000-000000000000','shop','php_agent',1763843023000022,22.10000000000000142,'/page/22',NULL,'{"main()":{"wt":1}}',174218,1763843023959754);
INSERT INTO profiling_data VALUES(24,'00000000-0000-4000-8000-000000000017','shop','postgres_agent',1763843023000023,23.100000000000001421,'/page/23',NULL,'{"main()":{"wt":1}}',182137,1763843023959754);
INSERT INTO profiling_data VALUES(25,'00000000-0000-4000-8000-000000000018','shop','php_agent',1763843023000024,24.100000000000001421,'/page/24',NULL,'{"main()":{"wt":1}}',190056,1763843023959754);
INSERT INTO profiling_data VALUES(26,'00000000-0000-4000-8000-000000000000','shop','postgres_agent',1763843023000025,25.10000000000000142,'/page/25',NULL,'{"main()":{"wt":1}}',197975,1763843023959754);
INSERT INTO profiling_data VALUES(27,'00000000-0000-4000-8000-00000000001a','shop','php_agent',1763843023000026,26.100000000000001421,'/page/26',NULL,'{"main()":{"wt":1}}',205894,1763843023959754);
INSERT INTO profiling_data VALUES(28,'00000000-0000-4000-8000-00000000001b','shop','postgres_agent',1763843023000027,27.10000000000000142,'/page/27',NULL,'{"main()":{"wt":1}}',213813,1763843023959754);
INSERT INTO profiling_data VALUES(29,'00000000-0000-4000-8000-000000000000','shop','php_agent',1763843023000028,28.100000000000001421,'/page/28',NULL,'{"main()":{"wt":1}}',221732,1763843023959754);
INSERT INTO profiling_data VALUES(30,'00000000-0000-4000-8000-00000000001d','shop','postgres_agent',1763843023000029,29.100000000000001421,'/page/29',NULL,'{"main()":{"wt":1}}',229651,1763843023959754);
CREATE TABLE profiling_data_seen (
    timestamp INTEGER NOT NULL,
    digest    INTEGER NOT NULL,
    PRIMARY KEY (timestamp, digest)
) WITHOUT ROWID;
INSERT INTO profiling_data_seen VALUES(1763843023000000,0);
INSERT INTO profiling_data_seen VALUES(1763843023000001,7919);
INSERT INTO profiling_data_seen VALUES(1763843023000002,15838);
INSERT INTO profiling_data_seen VALUES(1763843023000003,23757);
INSERT INTO profiling_data_seen VALUES(1763843023000004,31676);
INSERT INTO profiling_data_seen VALUES(1763843023000005,39595);
INSERT INTO profiling_data_seen VALUES(1763843023000006,47514);
INSERT INTO profiling_data_seen VALUES(1763843023000007,55433);
INSERT INTO profiling_data_seen VALUES(1763843023000008,63352);
INSERT INTO profiling_data_seen VALUES(1763843023000009,71271);
INSERT INTO profiling_data_seen VALUES(1763843023000010,79190);
INSERT INTO profiling_data_seen VALUES(1763843023000011,87109);
INSERT INTO profiling_data_seen VALUES(1763843023000012,95028);
INSERT INTO profiling_data_seen VALUES(1763843023000013,102947);
INSERT INTO profiling_data_seen VALUES(1763843023000014,110866);
INSERT INTO profiling_data_seen VALUES(1763843023000015,118785);
INSERT INTO profiling_data_seen VALUES(1763843023000016,126704);
INSERT INTO profiling_data_seen VALUES(1763843023000017,134623);
INSERT INTO profiling_data_seen VALUES(1763843023000018,142542);
INSERT INTO profiling_data_seen VALUES(1763843023000019,150461);
INSERT INTO profiling_data_seen VALUES(1763843023000020,158380);
INSERT INTO profiling_data_seen VALUES(1763843023000021,166299);
INSERT INTO profiling_data_seen VALUES(1763843023000022,174218);
INSERT INTO profiling_data_seen VALUES(1763843023000023,182137);
INSERT INTO profiling_data_seen VALUES(1763843023000024,190056);
INSERT INTO profiling_data_seen VALUES(1763843023000025,197975);
INSERT INTO profiling_data_seen VALUES(1763843023000026,205894);
INSERT INTO profiling_data_seen VALUES(1763843023000027,213813);
INSERT INTO profiling_data_seen VALUES(1763843023000028,221732);
INSERT INTO profiling_data_seen VALUES(1763843023000029,229651);
CREATE TABLE profiling_data_lookup (
    part   INTEGER NOT NULL, -- the record's id >> 16
    digits TEXT    NOT NULL, -- eight of its correlation id, the 5th to 8th and the last four: they differ in every version of UUIDs
    id     INTEGER NOT NULL,
    PRIMARY KEY (part, digits, id)
) WITHOUT ROWID;
INSERT INTO profiling_data_lookup VALUES(0,'00000000',1);
INSERT INTO profiling_data_lookup VALUES(0,'00000000',2);
INSERT INTO profiling_data_lookup VALUES(0,'00000000',5);
INSERT INTO profiling_data_lookup VALUES(0,'00000000',8);
INSERT INTO profiling_data_lookup VALUES(0,'00000000',11);
INSERT INTO profiling_data_lookup VALUES(0,'00000000',14);
INSERT INTO profiling_data_lookup VALUES(0,'00000000',17);
INSERT INTO profiling_data_lookup VALUES(0,'00000000',20);
INSERT INTO profiling_data_lookup VALUES(0,'00000000',23);
INSERT INTO profiling_data_lookup VALUES(0,'00000000',26);
INSERT INTO profiling_data_lookup VALUES(0,'00000000',29);
INSERT INTO profiling_data_lookup VALUES(0,'00000002',3);
INSERT INTO profiling_data_lookup VALUES(0,'00000003',4);
INSERT INTO profiling_data_lookup VALUES(0,'00000005',6);
INSERT INTO profiling_data_lookup VALUES(0,'00000006',7);
INSERT INTO profiling_data_lookup VALUES(0,'00000008',9);
INSERT INTO profiling_data_lookup VALUES(0,'00000009',10);
INSERT INTO profiling_data_lookup VALUES(0,'0000000b',12);
INSERT INTO profiling_data_lookup VALUES(0,'0000000c',13);
INSERT INTO profiling_data_lookup VALUES(0,'0000000e',15);
INSERT INTO profiling_data_lookup VALUES(0,'0000000f',16);
INSERT INTO profiling_data_lookup VALUES(0,'00000011',18);
INSERT INTO profiling_data_lookup VALUES(0,'00000012',19);
INSERT INTO profiling_data_lookup VALUES(0,'00000014',21);
INSERT INTO profiling_data_lookup VALUES(0,'00000015',22);
INSERT INTO profiling_data_lookup VALUES(0,'00000017',24);
INSERT INTO profiling_data_lookup VALUES(0,'00000018',25);
INSERT INTO profiling_data_lookup VALUES(0,'0000001a',27);
INSERT INTO profiling_data_lookup VALUES(0,'0000001b',28);
INSERT INTO profiling_data_lookup VALUES(0,'0000001d',30);
CREATE TABLE profiling_data_filled (upto INTEGER NOT NULL);
INSERT INTO profiling_data_filled VALUES(30);
CREATE TABLE profiling_data_purged (
    id   INTEGER PRIMARY KEY, -- 1
    at   INTEGER NOT NULL,    -- the last that believed the clock
    held INTEGER NOT NULL,    -- the first that has not since, the same when there is none
    seen INTEGER NOT NULL     -- the last of either kind
);
INSERT INTO profiling_data_purged VALUES(1,1763843023959754,1763843023959754,1763843023959754);
ANALYZE sqlite_schema;
INSERT INTO sqlite_stat1 VALUES('profiling_data','profiling_data_project','1000000 100000 2');
INSERT INTO sqlite_stat1 VALUES('profiling_data','profiling_data_source','1000000 500000 2');
INSERT INTO sqlite_stat1 VALUES('profiling_data','profiling_data_slow','10000 1000 2 1');
ANALYZE sqlite_schema;
CREATE INDEX profiling_data_project ON profiling_data (project, timestamp);
CREATE INDEX profiling_data_source ON profiling_data (source, timestamp);
CREATE INDEX profiling_data_slow ON profiling_data (project, duration_ms, timestamp) WHERE duration_ms >= 1000;
CREATE VIEW profiling_data_by_digits (digits, id) AS
    WITH RECURSIVE parts (part) AS (
        SELECT min(part) FROM profiling_data_lookup
        UNION ALL
        SELECT part + 1 FROM parts WHERE part < (SELECT max(part) FROM profiling_data_lookup))
    SELECT c.digits, c.id FROM parts CROSS JOIN profiling_data_lookup AS c ON c.part = parts.part
    UNION ALL
    SELECT substr(correlation_id, 5, 4) || substr(correlation_id, -4), id FROM profiling_data
        WHERE id > (SELECT upto FROM profiling_data_filled);
COMMIT;
PRAGMA application_id = 1112101974; PRAGMA user_version = 3;
