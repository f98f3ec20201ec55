package sqlite

import (
	"database/sql"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store/storetest"
)

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

// A purge deletes nothing that was to be kept at the last one, if that was more than a day ago by the clock: for a day, or
// until it is told that the clock is right.
func TestPurgeDoubtsTheClock(t *testing.T) {
	const keep, day = 7 * 24 * time.Hour, 24 * time.Hour
	path := filepath.Join(t.TempDir(), "bitville.db")
	db, move := stopped(t, path)
	start := db.cfg.Now()
	var records []record.Record
	for i, age := range []time.Duration{8 * day, 6 * day, 3 * day, 0} {
		r := storetest.Record(i)
		r.Timestamp = start.Add(-age).UnixMicro()
		records = append(records, r)
	}
	_, err := db.Insert(t.Context(), records)
	require.NoError(t, err)
	purge := func(want int, says string) {
		t.Helper()
		before := count(t, db)
		report, err := db.Purge(t.Context(), db.cfg.Now().Add(-keep))
		if says == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, says)
		}
		require.Equal(t, want, report.Rows)
		require.Equal(t, before-want, count(t, db))
	}
	purge(1, "") // of a new file nobody knows
	move(-time.Hour)
	purge(0, "")
	move(8 * day)
	const held = "192 hours after the last purge" // which was an hour ago by a clock that is right
	purge(0, held)
	db, move = stopped(t, path) // which starts with a clock that is right again
	purge(0, "")
	move(day - time.Minute)
	purge(0, "")
	move(8 * day)
	purge(0, held)
	other, _ := stopped(t, path)
	other.cfg.Now = db.cfg.Now
	db = other
	move(day - time.Minute)
	purge(0, "216 hours") // since the last purge, and not yet a day since they are held
	move(time.Minute)
	purge(3, "")

	_, err = db.Insert(t.Context(), records[3:])
	require.NoError(t, err)
	move(30 * day)
	purge(1, "") // it was too old at the last purge too

	records[3].Timestamp = db.cfg.Now().UnixMicro()
	_, err = db.Insert(t.Context(), records[3:])
	require.NoError(t, err)
	move(8 * day)
	purge(0, held)
	require.NoError(t, db.TrustClock(t.Context()))
	purge(1, "")
}

// It knows a wrong clock for the second time too, and one that jumps again while it is held.
func TestPurgeDoubtsTheClockAgain(t *testing.T) {
	const keep, day = 7 * 24 * time.Hour, 24 * time.Hour
	db, move := stopped(t, filepath.Join(t.TempDir(), "bitville.db"))
	rows := 0
	purge := func(held bool) {
		t.Helper()
		report, err := db.Purge(t.Context(), db.cfg.Now().Add(-keep))
		require.Equal(t, held, err != nil, "%v", err)
		require.Equal(t, rows, report.Rows)
	}
	purge(false)
	move(8 * day)
	purge(false) // there is nothing to lose
	move(-8 * day)
	purge(false)
	records := storetest.Records(0, 2)
	records[0].Timestamp = db.cfg.Now().Add(60 * day).UnixMicro() // of its source none would go
	records[1].Timestamp = db.cfg.Now().UnixMicro()
	_, err := db.Insert(t.Context(), records)
	require.NoError(t, err)
	for _, step := range []time.Duration{8 * day, 22 * day, -20 * day, 2 * day, day - time.Minute} {
		move(step)
		purge(true) // no day has gone by
	}
	move(-12*day + time.Minute)
	purge(false)
	require.Equal(t, 2, count(t, db))

	for _, step := range []time.Duration{22 * day, -10 * day, day - time.Minute} {
		move(step)
		purge(true)
	}
	rows = 1
	move(time.Minute)
	purge(false) // a day after the last jump
}

// A purge that cannot read what it would delete does not say that it believed the clock: the next one would.
func TestPurgeThatCannotReadKeepsItsDoubts(t *testing.T) {
	db, move := stopped(t, filepath.Join(t.TempDir(), "bitville.db"))
	_, err := db.Purge(t.Context(), time.Unix(0, 0))
	require.NoError(t, err)
	r := storetest.Record(0)
	r.Timestamp = db.cfg.Now().UnixMicro()
	_, err = db.Insert(t.Context(), []record.Record{r})
	require.NoError(t, err)
	move(8 * 24 * time.Hour)
	exec := func(statement string) {
		t.Helper()
		require.NoError(t, db.writer.do(t.Context(), func(conn *sql.Conn) error {
			_, err := conn.ExecContext(t.Context(), statement)
			return err
		}))
	}
	before := db.cfg.Now().Add(-7 * 24 * time.Hour)
	p := &purge{db: db, before: before}
	exec("ALTER TABLE profiling_data RENAME TO away")
	require.ErrorContains(t, p.checkClock(t.Context(), []string{r.Source}), "no such table")
	exec("ALTER TABLE away RENAME TO profiling_data")
	_, err = db.Purge(t.Context(), before)
	require.ErrorContains(t, err, "192 hours after the last purge")
	require.Equal(t, 1, count(t, db))
}
