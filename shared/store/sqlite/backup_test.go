package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/store/storetest"
)

// A backup is the database itself: what is in it, of which type, under which id, and all that makes it a listener's.
func TestBackupIsTheSameDatabase(t *testing.T) {
	db := open(t)
	_, err := db.Insert(t.Context(), storetest.Records(0, 1000))
	require.NoError(t, err)
	_, err = db.writer.conn.ExecContext(t.Context(), `UPDATE profiling_data SET payload = x'00ff' WHERE id = 7; DELETE FROM profiling_data WHERE id % 10 = 3;
		UPDATE profiling_data SET duration_ms = NULL, attributes = '{"z":0.000}' WHERE id = 8`)
	require.NoError(t, err)
	to := filepath.Join(t.TempDir(), "a name? with #odd %41 characters.db")
	report, err := Backup(t.Context(), db.cfg.Path, to)
	require.NoError(t, err)

	info, err := os.Stat(to)
	require.NoError(t, err)
	require.Equal(t, BackupReport{Rows: 900, Bytes: info.Size()}, report)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "records are its owner's alone")
	require.Equal(t, []string{filepath.Base(to)}, names(t, filepath.Dir(to)), "and nothing beside it")
	copied := openAt(t, to)
	for _, query := range []string{
		"SELECT *, typeof(payload), typeof(duration_ms), typeof(attributes) FROM profiling_data ORDER BY id",
		"SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name",
		"SELECT * FROM sqlite_stat1 ORDER BY idx",
		"SELECT * FROM pragma_application_id, pragma_user_version, pragma_auto_vacuum, pragma_page_size, pragma_encoding",
	} {
		want := storetest.Text(t, db.Reader.pool, query)
		require.NotEmpty(t, want)
		require.Equal(t, want, storetest.Text(t, copied.Reader.pool, query), query)
	}
	require.Equal(t, [][]string{{"profiling_data"}, {"profiling_data_purged"}, {"profiling_data_refused"}, {"profiling_minute"}, {"profiling_name"}, {"profiling_rollup"},
		{"profiling_rollup_mark"}, {"sqlite_stat1"}, {"sqlite_stat4"}},
		storetest.Text(t, db.Reader.pool, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"), "a table that Backup does not know; of these it leaves the last purge out")
	require.Equal(t, "ok", pragmas{t, copied.writer.conn}.get("integrity_check"))
	result, err := copied.Insert(t.Context(), storetest.Records(998, 1002))
	require.NoError(t, err)
	require.Equal(t, 2, result.Accepted, "a listener goes on with it")
}

// What was acknowledged before the backup began is in it, though records come and go while it runs.
func TestBackupDuringIngestAndPurge(t *testing.T) {
	db := open(t)
	cut := time.Now().Add(-24 * time.Hour)
	fill(t, db, 8000, cut, `{"a":"`+strings.Repeat("x", 500)+`"}`)
	var wg sync.WaitGroup
	var stop atomic.Bool
	var inserted atomic.Int64
	wg.Go(func() {
		for n := 1_000_000; !stop.Load(); n++ {
			if _, err := db.Insert(context.Background(), storetest.Records(n, n+1)); err != nil {
				t.Errorf("insert while a backup runs: %v", err)
				return
			}
			inserted.Add(1)
		}
	})
	require.Eventually(t, func() bool { return inserted.Load() > 10 }, 10*time.Second, time.Millisecond)
	wg.Go(func() {
		if report, err := db.Purge(context.Background(), cut); err != nil || report.Rows != 4000 {
			t.Errorf("purge while a backup runs: %+v, %v", report, err)
		}
	})
	acknowledged := 4000 + int(inserted.Load())
	to := filepath.Join(t.TempDir(), "backup.db")
	report, err := Backup(t.Context(), db.cfg.Path, to)
	require.NoError(t, err)
	stop.Store(true)
	wg.Wait()

	copied := openAt(t, to)
	require.Equal(t, report.Rows, count(t, copied))
	var young, others int
	require.NoError(t, copied.Reader.pool.QueryRowContext(t.Context(), "SELECT count(*) FROM profiling_data WHERE timestamp >= ?", cut.UnixMicro()).Scan(&young))
	require.GreaterOrEqual(t, young, acknowledged)
	_, err = db.writer.conn.ExecContext(t.Context(), "ATTACH ? AS backup", to)
	require.NoError(t, err)
	require.NoError(t, db.writer.conn.QueryRowContext(t.Context(), `SELECT count(*) FROM (SELECT * FROM backup.profiling_data WHERE timestamp >= ?
		EXCEPT SELECT * FROM main.profiling_data)`, cut.UnixMicro()).Scan(&others))
	require.Zero(t, others, "rows that are not as they were")
}

// Between two chunks nothing of the WAL is held, and a chunk is short: the WAL can begin anew while a backup runs.
func TestBackupLetsTheWALGo(t *testing.T) {
	db := open(t)
	for n := 0; n < 12_000; n += 3000 {
		_, err := db.Insert(t.Context(), storetest.Records(n, n+3000))
		require.NoError(t, err)
	}
	conn := attach(t, db.cfg.Path)
	var last int64
	rows, err := copyChunk(t.Context(), conn, &last, 12_000)
	require.NoError(t, err)
	require.Positive(t, rows)
	require.Less(t, rows, 12_000, "all of it was one transaction")
	require.EqualValues(t, rows, last)
	_, err = db.Insert(t.Context(), storetest.Records(12_000, 12_001))
	require.NoError(t, err)
	frames, copied, err := checkpoint(t.Context(), db.writer.conn, "TRUNCATE")
	require.NoError(t, err)
	require.Zero(t, frames, "the WAL was cut")
	require.Zero(t, copied)
}

// attach returns a connection as makeCopy has it.
func attach(t *testing.T, source string) *sql.Conn {
	pool := openPool(filepath.Join(t.TempDir(), "copy.db"), "rwc", "", 1)
	t.Cleanup(func() { require.NoError(t, pool.Close()) })
	conn, err := pool.Conn(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	_, err = migrate(t.Context(), conn, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	_, err = conn.ExecContext(t.Context(), "ATTACH ? AS source", source)
	require.NoError(t, err)
	return conn
}

// While the WAL is large and being written, a backup waits until its writer has begun it anew.
func TestBackupMakesRoomForTheWAL(t *testing.T) {
	wal := filepath.Join(t.TempDir(), "wal")
	require.NoError(t, letWALRestart(t.Context(), wal), "there is no WAL")
	require.NoError(t, os.WriteFile(wal, nil, 0o600))
	require.NoError(t, os.Truncate(wal, walSoftLimit+1))
	old := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(wal, old, old))
	require.NoError(t, letWALRestart(t.Context(), wal), "nobody writes it")
	ahead := time.Now().Add(time.Hour)
	require.NoError(t, os.Chtimes(wal, ahead, ahead))
	require.NoError(t, letWALRestart(t.Context(), wal), "it does not end: another reader holds it")

	rested := make(chan error, 1)
	go func() { rested <- letWALRestart(context.Background(), wal) }()
	select {
	case <-rested:
		t.Fatal("the writer had no time")
	case <-time.After(maxRest / 10):
	}
	require.NoError(t, os.Truncate(wal, walSoftLimit))
	require.NoError(t, <-rested)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, letWALRestart(ctx, wal), context.Canceled)
}

func TestCancelledBackupLeavesNothing(t *testing.T) {
	db := open(t)
	_, err := db.Insert(t.Context(), storetest.Records(0, 4000))
	require.NoError(t, err)
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := Backup(ctx, db.cfg.Path, filepath.Join(dir, "backup.db"))
		failed <- err
	}()
	require.Eventually(t, func() bool { return len(names(t, dir)) > 0 }, 10*time.Second, time.Millisecond)
	require.Regexp(t, `^backup\.db\.partial-\d+$`, names(t, dir)[0])
	cancel()
	require.ErrorContains(t, <-failed, "context canceled")
	require.Empty(t, names(t, dir))
}

func names(t *testing.T, dir string) (all []string) {
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func TestBackupsThatAreRefused(t *testing.T) {
	db := open(t)
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	exec(t, file("theirs.db"), "CREATE TABLE t (a)")
	exec(t, file("newer.db"), "PRAGMA application_id = 1112101974; PRAGMA user_version = 5; CREATE TABLE t (a)")
	require.NoError(t, os.WriteFile(file("empty.db"), nil, 0o600))
	require.NoError(t, os.WriteFile(file("there.db"), []byte("precious"), 0o600))
	require.NoError(t, os.Symlink(file("nowhere"), file("link.db")))
	before := names(t, dir)
	for _, c := range []struct{ from, to, reason string }{
		{db.cfg.Path, file("there.db"), "there is a file of that name already"},
		{db.cfg.Path, file("link.db"), "there is a file of that name already"},
		{db.cfg.Path, db.cfg.Path, "that is the database itself"},
		{db.cfg.Path, file("missing/backup.db"), "there is no folder "},
		{file("missing.db"), file("backup.db"), "there is no database " + file("missing.db") + "; set BITVILLE_DB_PATH to the listener's"},
		{db.cfg.Path, file("b.db-wal"), "a name that ends in -wal is one of the files that SQLite keeps beside a database, here of " + file("b.db") + "; give it another name"},
		{db.cfg.Path, file("b.db-journal"), "a name that ends in -journal"},
		{file("theirs.db"), file("backup.db"), "is not a listener's database"},
		{file("newer.db"), file("backup.db"), "was made by a newer version of the listener"},
		{file("empty.db"), file("backup.db"), "the database has schema 0 and this listener 4: start this one on it first"},
	} {
		_, err := Backup(t.Context(), c.from, c.to)
		require.ErrorContains(t, err, c.reason, "%s to %s", c.from, c.to)
		require.Equal(t, before, names(t, dir))
	}
	content, err := os.ReadFile(file("there.db"))
	require.NoError(t, err)
	require.Equal(t, "precious", string(content))
}

func TestUnits(t *testing.T) {
	for _, c := range []struct {
		bytes              int64
		inUnits, roundedUp string
	}{
		{0, "0 KB", "0 KB"},
		{1, "0 KB", "1 KB"},
		{24 << 10, "24 KB", "24 KB"},
		{1<<20 - 1, "1023 KB", "1 MB"},
		{1 << 20, "1 MB", "1 MB"},
		{1<<20 + 1, "1 MB", "2 MB"},
	} {
		require.Equal(t, c.inUnits, inUnits(c.bytes))
		require.Equal(t, c.roundedUp, atLeast(c.bytes))
	}
}

// BenchmarkBackup is the time of a row of 2 KB, of 20,000.
func BenchmarkBackup(b *testing.B) {
	const rows = 20_000
	db := open(b)
	fill(b, db, rows, time.Now(), `{"a":"`+strings.Repeat("x", 1900)+`"}`)
	for i := 0; b.Loop(); i++ {
		report, err := Backup(context.Background(), db.cfg.Path, filepath.Join(b.TempDir(), fmt.Sprint(i)))
		require.NoError(b, err)
		require.Equal(b, rows, report.Rows)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/row")
}
