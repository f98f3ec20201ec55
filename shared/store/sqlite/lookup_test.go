package sqlite

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/storetest"
)

// requireFound looks each record up by its correlation id, and sends it again.
func requireFound(t *testing.T, db *DB, records []record.Record) {
	t.Helper()
	for _, r := range records {
		entries, err := db.ByCorrelationID(t.Context(), r.CorrelationID)
		require.NoError(t, err)
		require.Len(t, entries, 1, r.CorrelationID)
	}
	result, err := db.Insert(t.Context(), records)
	require.NoError(t, err)
	require.Equal(t, store.Result{Duplicates: len(records)}, result)
}

func text(t *testing.T, db *DB, query string) string {
	t.Helper()
	rows := storetest.Text(t, db.Reader.pool, query)
	require.Len(t, rows, 1)
	return strings.Join(rows[0], " ")
}

// stopped opens a database whose clock stands still until it is moved.
func stopped(t *testing.T, path string) (db *DB, move func(time.Duration)) {
	t.Helper()
	var clock atomic.Int64
	clock.Store(time.Now().UnixNano())
	db, err := Open(t.Context(), Config{Path: path, Synchronous: "NORMAL", Now: func() time.Time { return time.Unix(0, clock.Load()) }})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db, func(d time.Duration) { clock.Add(int64(d)) }
}

// A record is found, and not stored again, before the look-up tables hold it and after, and by a listener that has
// just begun.
func TestLookups(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bitville.db")
	db, move := stopped(t, path)
	const filled = "SELECT (SELECT count(*) FROM profiling_data_seen), (SELECT count(*) FROM profiling_data_lookup), (SELECT upto FROM profiling_data_filled)"
	insert := func(from, to int) {
		_, err := db.Insert(t.Context(), storetest.Records(from, to))
		require.NoError(t, err)
	}
	insert(0, 10)
	requireFound(t, db, storetest.Records(0, 10))
	insert(10, fillRows-1)
	requireFound(t, db, storetest.Records(0, 20))
	require.Equal(t, "0 0 0", text(t, db, filled))

	// Each transaction does its part.
	last := fillRows - 1
	for insert(last, last+10); text(t, db, filled) == "0 0 0"; insert(last, last+10) {
		last += 10
	}
	upto := last + 10
	all := fmt.Sprintf("%d %[1]d %[1]d", upto)
	transactions := 0
	for last = upto; text(t, db, filled) != all; last += 10 {
		insert(last, last+10)
		requireFound(t, db, []record.Record{storetest.Record(transactions * 7), storetest.Record(upto - 1), storetest.Record(last)})
		transactions++
	}
	requireFound(t, db, storetest.Records(last-20, last))

	move(-time.Hour) // the wall clock may be set back
	all = fmt.Sprintf("%d %[1]d %[1]d", last)
	require.Eventually(t, func() bool { return text(t, db, filled) == all }, 5*time.Second, 10*time.Millisecond, "nobody has to insert for it")
	result, err := db.Insert(t.Context(), storetest.Records(0, last))
	require.NoError(t, err)
	require.Equal(t, store.Result{Duplicates: last}, result)
	other, _ := stopped(t, path)
	requireFound(t, other, storetest.Records(last-10, last))
	require.Equal(t, last, count(t, db))
}

// A listener that begins, or one that purges, while the tables are being filled knows all the same what is stored.
func TestLookupsHalfFilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bitville.db")
	db, _ := stopped(t, path)
	_, err := db.Insert(t.Context(), storetest.Records(0, fillRows-1))
	require.NoError(t, err)
	half := func() bool {
		return text(t, db, "SELECT (SELECT count(*) FROM profiling_data_lookup) > (SELECT upto FROM profiling_data_filled)") == "1"
	}
	for n := fillRows - 1; !half(); n += fillAtOnce { // the writer, when idle, may have filled all of it in between
		_, err := db.Insert(t.Context(), storetest.Records(n, n+fillAtOnce))
		require.NoError(t, err)
	}
	rows := count(t, db)
	other, _ := stopped(t, path)
	result, err := other.Insert(t.Context(), storetest.Records(0, rows+1))
	require.NoError(t, err)
	require.Equal(t, store.Result{Accepted: 1, Duplicates: rows}, result)
	requireFound(t, db, storetest.Records(rows-5, rows+1))

	// The later a record of these the older it is.
	oldest := storetest.Record(rows - 9)
	report, err := db.Purge(t.Context(), time.UnixMicro(oldest.Timestamp))
	require.NoError(t, err)
	require.Equal(t, 9, report.Rows)
	requireFound(t, db, storetest.Records(0, 20))
	result, err = db.Insert(t.Context(), storetest.Records(0, rows+1))
	require.NoError(t, err)
	require.Equal(t, store.Result{Accepted: 9, Duplicates: rows - 8}, result)
}

// Two processes may write one file: each knows what the other stored last.
func TestLookupsOfTwoWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bitville.db")
	writers := []*DB{openAt(t, path), openAt(t, path)}
	for n := range 300 {
		result, err := writers[n%2].Insert(t.Context(), storetest.Records(max(n-5, 0), n+1))
		require.NoError(t, err)
		require.Equal(t, store.Result{Accepted: 1, Duplicates: min(n, 5)}, result)
	}
	requireFound(t, writers[0], storetest.Records(0, 300))
}

// What a transaction that failed had stored is not taken for stored.
func TestLookupsForgetWhatFailed(t *testing.T) {
	db := open(t)
	exec := func(statement string) {
		require.NoError(t, db.do(t.Context(), func(conn *sql.Conn) error {
			_, err := conn.ExecContext(t.Context(), statement)
			return err
		}))
	}
	exec("CREATE TEMP TRIGGER refuse BEFORE INSERT ON main.profiling_data WHEN new.name = '/page/3' BEGIN SELECT raise(ABORT, 'no'); END")
	_, err := db.Insert(t.Context(), storetest.Records(0, 5))
	require.Error(t, err)
	require.Equal(t, 0, count(t, db))
	exec("DROP TRIGGER refuse")
	result, err := db.Insert(t.Context(), storetest.Records(0, 5))
	require.NoError(t, err)
	require.Equal(t, store.Result{Accepted: 5}, result)
	requireFound(t, db, storetest.Records(0, 5))
}

// When a purge has taken all records SQLite begins anew with their ids, which must not hide the next ones.
func TestLookupsAfterAPurgeOfAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bitville.db")
	db, _ := stopped(t, path)
	_, err := db.Insert(t.Context(), storetest.Records(0, fillRows+10))
	require.NoError(t, err)
	_, err = db.Purge(t.Context(), time.Now().Add(time.Hour))
	require.NoError(t, err)
	const left = "SELECT (SELECT count(*) FROM profiling_data), (SELECT count(*) FROM profiling_data_seen), (SELECT count(*) FROM profiling_data_lookup)"
	require.Equal(t, "0 0 0", text(t, db, left))
	result, err := db.Insert(t.Context(), storetest.Records(5000, 5020))
	require.NoError(t, err)
	require.Equal(t, store.Result{Accepted: 20}, result)
	require.Equal(t, "1 20", text(t, db, "SELECT min(id), max(id) FROM profiling_data"))
	requireFound(t, db, storetest.Records(5000, 5020))
	requireFound(t, openAt(t, path), storetest.Records(5000, 5020))
}

// A purge takes the look-ups of what it deletes: single ones from seen, and whole parts.
func TestPurgeOfLookups(t *testing.T) {
	db := open(t)
	cut := time.Now().Add(-24 * time.Hour)
	fill(t, db, 4000, cut, "{}")
	require.Eventually(t, func() bool { return text(t, db, "SELECT upto FROM profiling_data_filled") == "4000" }, 5*time.Second, 10*time.Millisecond)
	require.NoError(t, db.do(t.Context(), func(conn *sql.Conn) error { // as if parts were full
		_, err := conn.ExecContext(t.Context(), "UPDATE profiling_data_lookup SET part = -1 WHERE id <= 1000")
		return err
	}))
	_, err := db.Purge(t.Context(), cut)
	require.NoError(t, err)
	require.Equal(t, "2000 0", text(t, db, "SELECT count(*), sum(timestamp < "+fmt.Sprint(cut.UnixMicro())+") FROM profiling_data_seen"))
	require.Equal(t, "0", text(t, db, "SELECT count(*) FROM profiling_data_lookup WHERE part < 0"))
	require.Equal(t, "2000", text(t, db, "SELECT count(*) FROM profiling_data"))
}

// A file of the first version goes on: what it has is found, and not stored again.
func TestUpgrade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bitville.db")
	version1, err := os.ReadFile("testdata/version1.sql")
	require.NoError(t, err)
	old, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	_, err = old.Exec("PRAGMA auto_vacuum = 2; PRAGMA journal_mode = wal;" + string(version1) +
		"PRAGMA application_id = 1112101974; PRAGMA user_version = 1; ANALYZE")
	require.NoError(t, err)
	for _, r := range storetest.Records(0, 50) {
		_, err := old.Exec("INSERT INTO profiling_data VALUES (NULL, ?, ?, ?, ?, ?, ?, NULL, ?, ?, 1)",
			r.CorrelationID, r.Project, r.Source, r.Timestamp, r.DurationMS, r.Name, string(r.Payload), r.Digest)
		require.NoError(t, err)
	}
	require.NoError(t, old.Close())

	db := openAt(t, path)
	require.Equal(t, "3", pragmas{t, db.conn}.get("user_version"))
	require.Equal(t, "4096", pragmas{t, db.conn}.get("page_size"), "only a VACUUM could change it")
	requireFound(t, db, storetest.Records(0, 50))
	result, err := db.Insert(t.Context(), storetest.Records(40, 60))
	require.NoError(t, err)
	require.Equal(t, store.Result{Accepted: 10, Duplicates: 10}, result)
	requireFound(t, db, storetest.Records(0, 60))
	requireFound(t, openAt(t, path), storetest.Records(0, 60))
}

// A look-up asks each part by its key, and never reads one through.
func TestLookupPlan(t *testing.T) {
	db := open(t)
	rows, err := db.Reader.pool.Query("EXPLAIN QUERY PLAN "+byCorrelationID, "0af76519-16cd-43dd-8448-eb211c80319c")
	require.NoError(t, err)
	defer rows.Close()
	var plan strings.Builder
	for rows.Next() {
		var id, parent, unused int
		var detail string
		require.NoError(t, rows.Scan(&id, &parent, &unused, &detail))
		plan.WriteString(detail + "\n")
	}
	require.NoError(t, rows.Err())
	require.Contains(t, plan.String(), "SEARCH c USING PRIMARY KEY (part=? AND digits=?)")
	for _, table := range []string{"SCAN c\n", "SCAN profiling_data\n", "SCAN profiling_data_lookup\n"} {
		require.NotContains(t, plan.String(), table)
	}
}

// The writer and the view take the same digits of a correlation id, which differ in ids of every version that are
// made one after the other.
func TestDigits(t *testing.T) {
	db := open(t)
	for version, ids := range map[string][2]string{
		"1": {"d37cc455-87f5-11f0-b02d-86776b296414", "d37cc456-87f5-11f0-b02d-86776b296414"},
		"4": {"0af76519-16cd-43dd-8448-eb211c80319c", "66d1d4d6-40b3-4cf0-83e9-bb174aed954f"},
		"7": {"019aa1b2-c3d4-7e5f-8a6b-0c1d2e3f4051", "019aa1b2-c3d4-7e5f-8a6b-1c1d2e3f9051"},
	} {
		require.NotEqual(t, digits(ids[0]), digits(ids[1]), "version %s", version)
		for _, id := range ids {
			require.Equal(t, digits(id), text(t, db, "SELECT substr('"+id+"', 5, 4) || substr('"+id+"', -4)"))
		}
	}
}
