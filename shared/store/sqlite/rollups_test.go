package sqlite

import (
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/rollup"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/storetest"
)

// keeping opens a database as the process that keeps its rollups does. What is told the log goes to the test's.
func keeping(t *testing.T, path string) *DB {
	t.Helper()
	return keepingAt(t, path, time.Now)
}

func keepingAt(t *testing.T, path string, now func() time.Time) *DB {
	t.Helper()
	db, err := Open(t.Context(), Config{Path: path, Synchronous: "NORMAL", Now: now, Exclusive: true, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	require.NoError(t, err)
	db.writer.rollups.tick.Stop() // tests say when what is held is written, however long they take
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// caughtUp waits until the rollups have every record.
func caughtUp(t *testing.T, db *DB) {
	t.Helper()
	require.Eventually(t, db.writer.rollups.live, 2*time.Minute, 5*time.Millisecond)
}

// insert stores records as agents do, who send them again when the store is busy: all of a large batch in time is too much
// for a busy machine. The figures have each once.
func insert(t testing.TB, db *DB, records []record.Record) {
	t.Helper()
	for batch := range slices.Chunk(records, 200) {
		for {
			_, err := db.Insert(t.Context(), batch)
			if unavailable := (*store.Unavailable)(nil); errors.As(err, &unavailable) && t.Context().Err() == nil {
				time.Sleep(unavailable.RetryAfter / 10)
				continue
			}
			require.NoError(t, err)
			break
		}
	}
}

// flush has what is in memory written.
func flush(t testing.TB, db *DB) {
	t.Helper()
	require.NoError(t, db.writer.do(t.Context(), func(*sql.Conn) error { db.writer.rollups.flush(); return nil }))
}

// killed copies the database as it would be were the process killed now, and returns the copy's path.
func killed(t testing.TB, db *DB, before func()) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "killed.db")
	require.NoError(t, db.writer.do(t.Context(), func(*sql.Conn) error {
		before()
		for _, suffix := range []string{"", "-wal"} { // what a checkpoint writes meanwhile is in the WAL too
			content, err := os.ReadFile(db.cfg.Path + suffix)
			if err != nil {
				return err
			}
			if err := os.WriteFile(path+suffix, content, 0o600); err != nil {
				return err
			}
		}
		return nil
	}))
	return path
}

// figures are the rollups' tables as text.
func figures(t testing.TB, pool *sql.DB) (all [][]string) {
	t.Helper()
	for _, query := range []string{
		"SELECT project, source, span, start, key, hex(cell) FROM profiling_rollup ORDER BY 1, 2, 3, 4, 5",
		"SELECT * FROM profiling_minute ORDER BY 1, 2, 3",
		"SELECT * FROM profiling_name ORDER BY 1, 2, 3",
	} {
		all = append(all, storetest.Text(t, pool, query)...)
	}
	return all
}

// requireDerived holds that the rollups of a file that nobody has open are those of its records, derived in one go.
func requireDerived(t *testing.T, path string) {
	t.Helper()
	db := keeping(t, path)
	caughtUp(t, db)
	flush(t, db)
	require.Equal(t, storetest.Text(t, db.pool, "SELECT '', '', max(id) FROM profiling_data"), storetest.Text(t, db.pool, "SELECT * FROM profiling_rollup_mark"))
	got := figures(t, db.pool)
	require.NoError(t, db.Close())

	exec(t, path, "DROP TABLE profiling_rollup; DROP TABLE profiling_minute; DROP TABLE profiling_name; DROP TABLE profiling_rollup_mark")
	fresh := keeping(t, path)
	caughtUp(t, fresh)
	flush(t, fresh)
	want := figures(t, fresh.pool)
	require.NoError(t, fresh.Close())
	require.NotEmpty(t, want)
	require.Equal(t, want, got)
}

// visits are records of two projects, from n on: few routes and statements, or as many as there are records.
func visits(rng *rand.Rand, n, count, keys int) (all []record.Record) {
	for i := range count {
		r := storetest.Record(n + i)
		r.Project = []string{"shop", "blog"}[rng.IntN(2)]
		r.Attributes = []byte(fmt.Sprintf(`{"route":"r%d","query_id":%d}`, rng.IntN(keys), 1+rng.IntN(keys)))
		ms := rng.ExpFloat64() * 50
		r.DurationMS = &ms
		switch rng.IntN(10) {
		case 0:
			r.DurationMS = nil
		case 1:
			r.Attributes = []byte(`{"kind":"pg_stat_statements"}`)
		case 2:
			r.Timestamp -= rng.Int64N(3 * 24 * time.Hour.Microseconds())
		}
		all = append(all, r)
	}
	return all
}

// Killed at any point, between records, between the series of a flush, while it catches up after the kill before: the rollups
// are those of the records.
func TestRollupsAfterKills(t *testing.T) {
	for seed, keys := range []int{5, 3000} {
		rng := rand.New(rand.NewPCG(uint64(seed), 7))
		db := keeping(t, filepath.Join(t.TempDir(), "bitville.db"))
		n := 0
		for range 4 {
			for range 1 + rng.IntN(4) {
				batch := visits(rng, n, 1+rng.IntN(600), keys)
				n += len(batch)
				insert(t, db, append(batch, batch[0]))
				if rng.IntN(3) == 0 {
					flush(t, db)
				}
			}
			path := killed(t, db, func() {
				r := db.writer.rollups
				for r.begin(); len(r.round) > 0 && rng.IntN(3) > 0; {
					r.step()
				}
			})
			db = keeping(t, path)
			require.Equal(t, n, count(t, db))
		}
		path := killed(t, db, func() {})
		requireDerived(t, path)
	}
}

// A listener that is stopped leaves nothing to derive; the next one begins where it ended.
func TestRollupsAfterStop(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bitville.db")
	db := keeping(t, path)
	insert(t, db, visits(rand.New(rand.NewPCG(1, 1)), 0, 500, 10))
	require.NoError(t, db.Close())
	db = keeping(t, path)
	require.False(t, db.writer.rollups.deltas.Behind())
	insert(t, db, visits(rand.New(rand.NewPCG(2, 2)), 500, 500, 10))
	require.NoError(t, db.Close())
	requireDerived(t, path)
}

// What cannot be written is written later, and what cannot be written for long is derived from the records.
func TestRollupsThatFail(t *testing.T) {
	for name, keys := range map[string]int{"few": 5, "many": 1000, "more than are held": 100_000} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bitville.db")
			db := keeping(t, path)
			run := func(statement string) {
				t.Helper()
				require.NoError(t, db.writer.do(t.Context(), func(conn *sql.Conn) error {
					_, err := conn.ExecContext(t.Context(), statement)
					return err
				}))
			}
			run(`CREATE TEMP TRIGGER broken BEFORE INSERT ON profiling_minute BEGIN SELECT RAISE(ABORT, 'broken'); END`)
			insert(t, db, visits(rand.New(rand.NewPCG(3, 3)), 0, 2000, keys)) // ingest goes on
			if keys == 100_000 {
				require.NoError(t, db.writer.do(t.Context(), func(*sql.Conn) error {
					r := db.writer.rollups
					for n := 0; !r.deltas.Behind(); n++ {
						r.deltas.Add(&rollup.Point{Series: rollup.Series{Project: "shop", Source: "php_agent"}, Key: fmt.Sprint(n)}, r.last)
					}
					return nil
				}))
			}
			flush(t, db)
			require.Empty(t, figures(t, db.pool), "of a flush that fails nothing is written")
			require.Empty(t, storetest.Text(t, db.pool, "SELECT * FROM profiling_rollup_mark"))
			run("DROP TRIGGER broken")
			if keys == 100_000 {
				require.True(t, db.writer.rollups.deltas.Behind())
				db.writer.rollups.fallBehind() // instead of waiting for the next attempt
				require.NoError(t, db.Close())
				db = keeping(t, path)
				caughtUp(t, db)
			}
			require.NoError(t, db.Close())
			requireDerived(t, path)
		})
	}
}

// SQLite gives ids again when the highest are purged: what is stored under them is counted all the same.
func TestRollupsWhenIDsBeginAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bitville.db")
	db := keeping(t, path)
	rng := rand.New(rand.NewPCG(4, 4))
	n := 0
	more := func(count int) {
		t.Helper()
		insert(t, db, visits(rng, n, count, 5))
		n += count
	}
	// What is purged counts in days that stay, and in the hour that has begun.
	purge := func() {
		t.Helper()
		_, err := db.Purge(t.Context(), time.Now().Add(time.Hour))
		require.NoError(t, err)
		require.Zero(t, count(t, db))
		require.Empty(t, storetest.Text(t, db.pool, "SELECT * FROM profiling_rollup WHERE span = 3600"))
		_, err = db.writer.conn.ExecContext(t.Context(), "DELETE FROM profiling_rollup; DELETE FROM profiling_minute; DELETE FROM profiling_name")
		require.NoError(t, err)
	}
	mark := func() string { return fmt.Sprint(storetest.Text(t, db.pool, "SELECT * FROM profiling_rollup_mark")) }

	more(1000)
	flush(t, db)
	require.Equal(t, "[[  1000]]", mark())
	purge()
	more(300)
	requireDerived(t, killed(t, db, func() {}))
	flush(t, db)
	requireDerived(t, killed(t, db, func() {}))

	more(1000) // and purged before they are written
	purge()
	more(1)
	caughtUp(t, db)
	flush(t, db)
	require.Equal(t, "[[  1]]", mark(), "no record is marked that is not there")

	purge()
	require.NoError(t, db.Close())
	db = keeping(t, path)
	more(10)
	requireDerived(t, killed(t, db, func() {}))

	behind := &tail{db: db, lowered: db.writer.rollups.lowered}
	behind.deltas.Start(0)
	read, err := behind.read(t.Context(), db.pool)
	require.NoError(t, err)
	require.Equal(t, 10, read)
	purge()
	more(10)
	require.ErrorIs(t, behind.write(t.Context()), errIDsBeganAnew)
}

// A process beside the listener, as a purge by hand is, must not count what that one counts.
func TestRollupsAreKeptByOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bitville.db")
	db := keeping(t, path)
	insert(t, db, visits(rand.New(rand.NewPCG(5, 5)), 0, 100, 5))
	beside, err := Open(t.Context(), Config{Path: path, Synchronous: "NORMAL", Now: time.Now})
	require.NoError(t, err)
	_, err = beside.Purge(t.Context(), time.Now().Add(-100*24*time.Hour))
	require.NoError(t, err)
	require.NoError(t, beside.Close())
	require.Empty(t, figures(t, db.pool))
	require.NoError(t, db.Close())
	requireDerived(t, path)
}

// Damaged figures of one key are lost, and nothing else.
func TestDamagedCell(t *testing.T) {
	db := keeping(t, filepath.Join(t.TempDir(), "bitville.db"))
	one := func(n int) {
		r := storetest.Record(n)
		_, err := db.Insert(t.Context(), []record.Record{r})
		require.NoError(t, err)
		flush(t, db)
	}
	one(0)
	_, err := db.writer.conn.ExecContext(t.Context(), "UPDATE profiling_rollup SET cell = x'00ff' WHERE span = 3600")
	require.NoError(t, err)
	one(2)
	var cell []byte
	for span, want := range map[rollup.Span]int64{rollup.Hour: 1, rollup.Day: 2} {
		require.NoError(t, db.pool.QueryRow("SELECT cell FROM profiling_rollup WHERE span = ?", span).Scan(&cell))
		var c rollup.Cell
		require.NoError(t, c.Decode(cell))
		require.Equal(t, want, c.Count)
	}
}

// Minutes and hours go with their records, days and the texts of their keys stay.
func TestPurgeOfRollups(t *testing.T) {
	db, err := Open(t.Context(), Config{Path: filepath.Join(t.TempDir(), "bitville.db"), Synchronous: "NORMAL", Now: time.Now, Exclusive: true, History: 10 * 24 * time.Hour})
	require.NoError(t, err)
	defer db.Close()
	today := time.Now().UTC().Truncate(24 * time.Hour)
	at := func(days, hours, minutes int) time.Time {
		return today.AddDate(0, 0, -days).Add(time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute)
	}
	var records []record.Record
	for i, when := range []time.Time{at(12, 5, 0), at(11, 5, 0), at(8, 5, 0), at(7, 5, 0), at(7, 6, 10), at(7, 6, 40), at(7, 7, 0)} {
		r := storetest.Record(2 * i)
		r.Timestamp, r.Attributes = when.UnixMicro(), []byte(fmt.Sprintf(`{"route":"r%d"}`, i))
		records = append(records, r)
	}
	_, err = db.Insert(t.Context(), records)
	require.NoError(t, err)
	flush(t, db)
	_, err = db.Purge(t.Context(), at(7, 6, 30))
	require.NoError(t, err)
	days := func(query string) (all []string) {
		for _, row := range storetest.Text(t, db.pool, query) {
			all = append(all, strings.TrimSuffix(row[0], ":00"))
		}
		return all
	}
	format := func(when time.Time) string { return when.Format("2006-01-02 15:04") }
	require.Equal(t, []string{format(at(7, 6, 40)), format(at(7, 7, 0))}, days("SELECT datetime(minute, 'unixepoch') FROM profiling_minute"))
	require.Equal(t, []string{format(at(7, 6, 0)), format(at(7, 6, 0)), format(at(7, 7, 0))}, days("SELECT datetime(start, 'unixepoch') FROM profiling_rollup WHERE span = 3600"),
		"the hour that is cut keeps what it had")
	require.Equal(t, []string{format(at(8, 0, 0)), format(at(7, 0, 0)), format(at(7, 0, 0)), format(at(7, 0, 0)), format(at(7, 0, 0))},
		days("SELECT datetime(start, 'unixepoch') FROM profiling_rollup WHERE span = 86400"))
	require.Equal(t, []string{"r2", "r3", "r4", "r5", "r6"}, days("SELECT text FROM profiling_name ORDER BY text"))
}
