-- Records above an id are gone, and others will have their ids.
UPDATE profiling_rollup_mark SET last_id = ?1 WHERE last_id > ?1
