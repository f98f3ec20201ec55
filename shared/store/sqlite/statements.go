package sqlite

import _ "embed"

// What makes a database, in the order in which it is run.
var (
	//go:embed schema.sql
	schema string
	//go:embed upgrade.sql
	upgrade string
	//go:embed indexes.sql
	indexes string
	//go:embed statistics.sql
	statistics string
	//go:embed rollups.sql
	rollupTables string
	//go:embed statements/delete_duplicates.sql
	deleteDuplicates string
)

// What stores and reads records.
var (
	//go:embed statements/insert.sql
	insertRecord string
	//go:embed statements/by_correlation_id.sql
	byCorrelationID string
	//go:embed statements/sources.sql
	sourcesAndOldest string
)

// What purges and copies them.
var (
	//go:embed statements/purge_mark.sql
	purgeMark string
	//go:embed statements/purge_before.sql
	purgeBefore string
	//go:embed statements/purge_at.sql
	purgeAt string
	//go:embed statements/any_between.sql
	anyBetween string
	//go:embed statements/purged.sql
	lastPurged string
	//go:embed statements/set_purged.sql
	setPurged string
	//go:embed statements/copy_mark.sql
	copyMark string
	//go:embed statements/copy_rollups.sql
	copyRollups string
	//go:embed statements/copy.sql
	copyRecords string
)

// What sums them up.
var (
	//go:embed statements/rollup_cells.sql
	rollupCells string
	//go:embed statements/rollup_keys.sql
	rollupKeys string
	//go:embed statements/rollup_put.sql
	putRollup string
	//go:embed statements/rollup_name.sql
	nameRollup string
	//go:embed statements/rollup_minute.sql
	addMinute string
	//go:embed statements/rollup_mark.sql
	markRollups string
	//go:embed statements/rollup_passed.sql
	passMarks string
	//go:embed statements/rollup_lower.sql
	lowerMarks string
	//go:embed statements/rollup_marks.sql
	rollupMarks string
	//go:embed statements/rollup_last.sql
	lastRecord string
	//go:embed statements/rollup_tail.sql
	tailOfRecords string
	//go:embed statements/rollup_series.sql
	rollupSeries string
	//go:embed statements/purge_rollups.sql
	purgeRollups string
	//go:embed statements/purge_minutes.sql
	purgeMinutes string
	//go:embed statements/purge_names.sql
	purgeNames string
)

// What pages read.
var (
	//go:embed statements/projects.sql
	projects string
	//go:embed statements/projects_of.sql
	projectsOf string
	//go:embed statements/minutes.sql
	minutesBetween string
	//go:embed statements/cells.sql
	cellsBetween string
	//go:embed statements/cells_of_key.sql
	cellsOfKey string
	//go:embed statements/any_later.sql
	anyLater string
	//go:embed statements/texts.sql
	textsOfKeys string
	//go:embed statements/few.sql
	countFew string
	//go:embed statements/span.sql
	recordsBetween string
	//go:embed statements/slowest.sql
	slowestRecords string
	//go:embed statements/latest.sql
	latestRecords string
	//go:embed statements/by_ids.sql
	recordsByIDs string
	//go:embed statements/of_requests.sql
	recordsOfRequests string
	//go:embed statements/records.sql
	recordsOfOne string
	//go:embed statements/payloads.sql
	payloadsByIDs string
)
