package sqlite

import (
	"bytes"
	"database/sql"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/storetest"
)

// exec runs statements on a file that nobody has open.
func exec(t *testing.T, path, statements string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	_, err = db.Exec(statements)
	require.NoError(t, err)
	require.NoError(t, db.Close())
}

// logged opens a database and returns what it told the log.
func logged(t *testing.T, cfg Config) (db *DB, log string) {
	t.Helper()
	var b bytes.Buffer
	cfg.Synchronous, cfg.Now, cfg.Log = "NORMAL", time.Now, slog.New(slog.NewTextHandler(&b, nil))
	db, err := Open(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db, b.String()
}

const schemaOf = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%' ORDER BY name"

// A file of version 3, the last that found records by tables beside them, becomes one of today's: what it has is found,
// and not stored again.
func TestUpgrade(t *testing.T) {
	version3, err := os.ReadFile("testdata/version3.sql")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "bitville.db")
	exec(t, path, string(version3))
	reader, err := OpenReader(t.Context(), path)
	require.NoError(t, err)
	const first = "00000000-0000-4000-8000-000000000000"
	before, err := reader.ByCorrelationID(t.Context(), first)
	require.NoError(t, err, "a file that no listener has brought up to date is read all the same")
	require.NoError(t, reader.Close())

	db, log := logged(t, Config{Path: path})
	require.Equal(t, 2, strings.Count(log, "\n"), log)
	require.Contains(t, log, "bringing the database up to date")
	require.Contains(t, log, "from_schema=3 to_schema=4")
	require.Contains(t, log, "the database is up to date")
	fresh := open(t)
	for _, query := range []string{schemaOf, "SELECT * FROM sqlite_stat1 ORDER BY idx", "SELECT * FROM pragma_user_version"} {
		require.Equal(t, storetest.Text(t, fresh.pool, query), storetest.Text(t, db.pool, query), query)
	}
	require.Equal(t, 30, count(t, db))
	require.Equal(t, "ok", pragmas{t, db.writer.conn}.get("integrity_check"))
	require.Equal(t, "1763843023959754", storetest.Text(t, db.pool, "SELECT at FROM profiling_data_purged")[0][0], "what the last purge left")
	entries, err := db.ByCorrelationID(t.Context(), first)
	require.NoError(t, err)
	require.Len(t, entries, 11)
	require.Equal(t, before, entries)

	records := storetest.Records(20, 40)
	for i := range records {
		records[i].Timestamp = 1763843023000000 + int64(20+i)
		if i%3 == 2 {
			records[i].CorrelationID = first
		}
	}
	result, err := db.Insert(t.Context(), records)
	require.NoError(t, err)
	require.Equal(t, store.Result{Accepted: 10, Duplicates: 10}, result)
	_, log = logged(t, Config{Path: path})
	require.Empty(t, log, "the next start has nothing to do")
}

// An index of ours that somebody has dropped is made again at the start, and told; what was stored twice meanwhile is there
// once again.
func TestMissingIndexIsMadeAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bitville.db")
	db, err := Open(t.Context(), Config{Path: path, Synchronous: "NORMAL", Now: time.Now})
	require.NoError(t, err)
	_, err = db.Insert(t.Context(), storetest.Records(0, 20))
	require.NoError(t, err)
	want := storetest.Text(t, db.pool, schemaOf)
	statistics := storetest.Text(t, db.pool, "SELECT * FROM sqlite_stat1 ORDER BY idx")
	require.NoError(t, db.Close())
	for name, statement := range map[string]string{
		"profiling_data_project": "",
		"profiling_data_source":  "",
		"profiling_data_correlation": `INSERT INTO profiling_data SELECT NULL, correlation_id, project, source, timestamp, duration_ms, name, attributes,
			payload, digest, created_at FROM profiling_data WHERE id < 8`,
	} {
		exec(t, path, "DROP INDEX "+name+";"+statement)
		db, log := logged(t, Config{Path: path})
		require.Contains(t, log, "an index of the database is missing; making it again")
		require.Contains(t, log, "index="+name+"\n")
		require.Equal(t, want, storetest.Text(t, db.pool, schemaOf))
		require.Equal(t, statistics, storetest.Text(t, db.pool, "SELECT * FROM sqlite_stat1 ORDER BY idx"))
		require.Equal(t, 20, count(t, db))
		require.Equal(t, "20", storetest.Text(t, db.pool, "SELECT max(id) FROM profiling_data")[0][0], "the first of them stays")
		require.NoError(t, db.Close())
	}
}

// Where the driver's structures are not as package walfile takes them SQLite writes the WAL as it does, which is told.
func TestWithoutOurVFS(t *testing.T) {
	db, log := logged(t, Config{
		Path: filepath.Join(t.TempDir(), "bitville.db"),
		vfs:  func() (string, error) { return "none of this name", os.ErrInvalid },
	})
	require.Contains(t, log, "writing the WAL as SQLite does")
	result, err := db.Insert(t.Context(), []record.Record{storetest.Record(1)})
	require.NoError(t, err)
	require.Equal(t, store.Result{Accepted: 1}, result)
}

// Every access path stays on an index, in the words that anybody would type, and on an empty database as on a large one.
func TestAccessPaths(t *testing.T) {
	db := open(t)
	const project, source = "SEARCH profiling_data USING INDEX profiling_data_project ", "SEARCH profiling_data USING INDEX profiling_data_source "
	for _, c := range []struct{ query, plan string }{
		{"SELECT * FROM profiling_data WHERE correlation_id = '0af76519-16cd-43dd-8448-eb211c80319c'",
			"SEARCH profiling_data USING INDEX profiling_data_correlation (correlation_id=?)"},
		{byCorrelationID, "SEARCH profiling_data USING INDEX profiling_data_correlation (correlation_id=?); USE TEMP B-TREE FOR ORDER BY"},
		{"SELECT * FROM profiling_data WHERE project = 'shop' AND timestamp BETWEEN 1 AND 2", project + "(project=? AND timestamp>? AND timestamp<?)"},
		{"SELECT * FROM profiling_data WHERE project = 'shop' AND source = 'php_agent' AND timestamp BETWEEN 1 AND 2", project + "(project=? AND timestamp>? AND timestamp<?)"},
		{"SELECT * FROM profiling_data WHERE source = 'php_agent' AND timestamp > 1 ORDER BY timestamp DESC", source + "(source=? AND timestamp>?)"},
		{"SELECT id FROM profiling_data WHERE project = 'shop' AND timestamp > 1 ORDER BY duration_ms DESC LIMIT 100",
			"SEARCH profiling_data USING COVERING INDEX profiling_data_project (project=? AND timestamp>?); USE TEMP B-TREE FOR ORDER BY"},
		{"SELECT id FROM profiling_data WHERE project = 'shop' AND source = 'php_agent' AND timestamp > 1 ORDER BY duration_ms DESC LIMIT 100",
			"SEARCH profiling_data USING COVERING INDEX profiling_data_project (project=? AND timestamp>?); USE TEMP B-TREE FOR ORDER BY"},
		{"SELECT name FROM profiling_data WHERE project = 'shop' AND timestamp > 1 AND duration_ms >= 1000 ORDER BY duration_ms DESC LIMIT 100",
			project + "(project=? AND timestamp>?); USE TEMP B-TREE FOR ORDER BY"},
		{purgeMark, "SEARCH profiling_data USING COVERING INDEX profiling_data_source (source=? AND timestamp<?)"},
		{purgeBefore, source + "(source=? AND timestamp<?)"},
		{purgeAt, source + "(source=? AND timestamp=? AND rowid<?)"},
		{anyBetween, "SCAN CONSTANT ROW; SCALAR SUBQUERY 1; SEARCH profiling_data USING COVERING INDEX profiling_data_source (source=? AND timestamp>? AND timestamp<?)"},
	} {
		require.Equal(t, c.plan, planOf(t, db, c.query), c.query)
	}
	require.NotContains(t, planOf(t, db, sourcesAndOldest), "SCAN profiling_data")
	require.Equal(t, 3, strings.Count(planOf(t, db, sourcesAndOldest), "SEARCH profiling_data USING COVERING INDEX profiling_data_source"))
	requireSearches(t, db)
}

// requireSearches holds that what keeps and reads rollups looks up what it needs, in tables that may be large.
func requireSearches(t *testing.T, db *DB) {
	t.Helper()
	const cells, key = "SEARCH profiling_rollup USING PRIMARY KEY (project=? AND source=? AND span=? AND start", "SEARCH n USING PRIMARY KEY (project=? AND source=? AND key=?)"
	const byID, byProject = "SEARCH r USING INTEGER PRIMARY KEY (rowid=?)", "SEARCH profiling_data USING COVERING INDEX profiling_data_project (project=? AND timestamp"
	for _, c := range []struct {
		statement string
		searches  []string // all that it does, but for what it does with what it found
	}{
		{rollupCells, []string{"SEARCH r USING PRIMARY KEY (project=? AND source=? AND span=? AND start=? AND key=?)"}}, {putRollup, nil}, {rollupKeys, []string{cells + "=?)"}},
		{tailOfRecords, []string{"SEARCH profiling_data USING INTEGER PRIMARY KEY (rowid>?)"}}, {lastRecord, []string{"SEARCH profiling_data"}},
		{purgeRollups, []string{cells + "=?)", cells + "<?)"}}, {purgeMinutes, []string{"SEARCH profiling_minute USING PRIMARY KEY (project=? AND source=? AND minute<?)", "SEARCH profiling_minute USING PRIMARY KEY (project=? AND source=?)"}},
		{purgeNames, []string{"SEARCH profiling_name USING PRIMARY KEY (project=? AND source=?)"}},
		{rollupSeries, []string{"SEARCH profiling_rollup USING PRIMARY KEY", "SEARCH profiling_rollup USING PRIMARY KEY (project>?)", "SEARCH r USING PRIMARY KEY (project=?)", "SEARCH r USING PRIMARY KEY (project=? AND source>?)"}},
		{projects, []string{"SEARCH profiling_data USING COVERING INDEX profiling_data_project", "SEARCH profiling_data USING COVERING INDEX profiling_data_project (project>?)"}},
		{projectsOf, []string{"SEARCH profiling_data USING INDEX profiling_data_correlation (correlation_id=?)"}},
		{minutesBetween, []string{"SEARCH profiling_minute USING PRIMARY KEY (project=? AND source=? AND minute>? AND minute<?)"}},
		{cellsBetween, []string{cells + ">? AND start<?)"}}, {cellsOfKey, []string{"SEARCH r USING PRIMARY KEY (project=? AND source=? AND span=? AND start=? AND key=?)"}},
		{anyLater, []string{cells + ">?)"}}, {textsOfKeys, []string{key}}, {countFew, []string{byProject + ">? AND timestamp<?)"}}, {slowestRecords, []string{byProject + ">? AND timestamp<?)"}},
		{latestRecords, []string{byProject + "<?)"}}, {recordsBetween, []string{"SEARCH profiling_data USING INDEX profiling_data_project (project=? AND timestamp>? AND timestamp<?)"}},
		{recordsByIDs, []string{byID}}, {payloadsByIDs, []string{byID}},
		{recordsOfRequests, []string{"SEARCH r USING INDEX profiling_data_correlation (correlation_id=?)"}},
		{recordsOfOne, []string{"SEARCH profiling_data USING INDEX profiling_data_correlation (correlation_id=?)"}},
	} {
		var searches []string
		for step := range strings.SplitSeq(planOf(t, db, c.statement), "; ") {
			require.NotRegexp(t, "^SCAN (profiling|r|n)\\b", step, c.statement)
			if strings.HasPrefix(step, "SEARCH ") {
				searches = append(searches, step)
			}
		}
		require.Equal(t, c.searches, searches, c.statement)
	}
}

// planOf is what EXPLAIN QUERY PLAN says of a statement, whose arguments are NULL.
func planOf(t *testing.T, db *DB, statement string) string {
	t.Helper()
	var steps []string
	for _, row := range storetest.Text(t, db.pool, "EXPLAIN QUERY PLAN "+statement, make([]any, 6)...) {
		steps = append(steps, row[3])
	}
	return strings.Join(steps, "; ")
}
