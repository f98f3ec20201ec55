package sqlite

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store/storetest"
)

// fill stores n records, half of them an hour older than cut and half at cut or younger.
func fill(t testing.TB, db *DB, n int, cut time.Time, payload string) {
	t.Helper()
	var batch []record.Record
	for i := range n {
		r := storetest.Record(i)
		r.Timestamp = cut.Add(-time.Hour).UnixMicro() - int64(i)
		if i%4 < 2 { // both sources have both
			r.Timestamp = cut.UnixMicro() + int64(i)
		}
		r.Payload = []byte(payload)
		if batch = append(batch, r); len(batch) == 2000 || i == n-1 {
			_, err := db.Insert(t.Context(), batch)
			require.NoError(t, err)
			batch = nil
		}
	}
}

func TestPurgeDeletesTheOldAndGivesSpaceBack(t *testing.T) {
	db := open(t)
	cut := time.Now().Add(-24 * time.Hour).Truncate(time.Microsecond)
	fill(t, db, 2400, cut, `{"a":"`+strings.Repeat("x", 3000)+`"}`)
	pages := pragmas{t, db.writer.conn}.get("page_count")
	report, err := db.Purge(t.Context(), cut)
	require.NoError(t, err)
	require.Equal(t, 1200, report.Rows)
	require.Greater(t, report.Pages, 800, "of %s pages", pages)
	require.Equal(t, int64(report.Pages)*pageSize, report.Bytes)
	require.True(t, report.Oldest.Equal(cut), "%s is not %s", report.Oldest, cut)
	require.Equal(t, 1200, count(t, db))
	require.Equal(t, "0", pragmas{t, db.writer.conn}.get("freelist_count"), "every free page was given back")
	require.Equal(t, "ok", pragmas{t, db.writer.conn}.get("integrity_check"))

	require.Eventually(t, func() bool { // with the next checkpoint
		after, err := os.Stat(db.cfg.Path)
		return err == nil && after.Size() < 1200*5000
	}, 5*time.Second, 10*time.Millisecond, "the file got smaller")

	report, err = db.Purge(t.Context(), cut)
	require.NoError(t, err)
	require.Zero(t, report.Rows)
	report, err = db.Purge(t.Context(), time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, 1200, report.Rows)
	require.True(t, report.Oldest.IsZero(), "nothing is left")
}

// Ingest goes on while a purge runs, in the same process and from another one.
func TestPurgeDuringIngest(t *testing.T) {
	for name, another := range map[string]bool{"same process": false, "another": true} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bitville.db")
			db := openAt(t, path)
			cut := time.Now().Add(-24 * time.Hour)
			fill(t, db, 3000, cut, `{"a":"`+strings.Repeat("x", 500)+`"}`)
			purger := db
			if another {
				purger = openAt(t, path) // SQLite's locks hold between two handles as between two processes
			}
			var stop atomic.Bool
			stored := make(chan int)
			go func() {
				n := 0
				for ; !stop.Load(); n++ {
					if result, err := db.Insert(context.Background(), storetest.Records(1_000_000+n, 1_000_001+n)); err != nil || result.Accepted != 1 {
						t.Errorf("insert while a purge runs: %+v, %v", result, err)
						break
					}
				}
				stored <- n
			}()
			report, err := purger.Purge(t.Context(), cut)
			stop.Store(true)
			n := <-stored
			require.NoError(t, err)
			require.Equal(t, 1500, report.Rows)
			require.Positive(t, n)
			require.Equal(t, 1500+n, count(t, db))
		})
	}
}

func TestPurgeStopsWhenAsked(t *testing.T) {
	db := open(t)
	cut := time.Now().Add(-24 * time.Hour)
	fill(t, db, 1600, cut, "{}")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	report, err := db.Purge(ctx, cut)
	require.NoError(t, err)
	require.True(t, report.Unfinished)
	require.Equal(t, 1600, count(t, db)+report.Rows)
	report, err = db.Purge(t.Context(), cut)
	require.NoError(t, err)
	require.Equal(t, 800, count(t, db))
	require.NotZero(t, report.Rows)
}

// What the next hours' records will fill stays free: no page is moved for it, and the file doesn't grow and shrink.
func TestPurgeKeepsRoomForTheNext(t *testing.T) {
	db := open(t)
	cut := time.Now().Add(-24 * time.Hour).Truncate(time.Microsecond)
	fill(t, db, 4000, cut, `{"a":"`+strings.Repeat("\u00e4x\u00f6", 700)+`"}`) // two pages each
	ofFile := func(pragma string) int {
		n, err := pragmaInt(t.Context(), db.writer.conn, pragma)
		require.NoError(t, err)
		return n
	}
	before := ofFile("page_count")
	require.Greater(t, before, keepFrom)
	report, err := db.Purge(t.Context(), cut.Add(-time.Hour-3800*time.Microsecond))
	require.NoError(t, err)
	require.Equal(t, 100, report.Rows)
	require.Zero(t, report.Pages)
	require.Equal(t, before, ofFile("page_count"))
	require.Greater(t, ofFile("freelist_count"), 100)

	report, err = db.Purge(t.Context(), cut.Add(-time.Hour-1000*time.Microsecond))
	require.NoError(t, err)
	require.Equal(t, 1400, report.Rows)
	require.Positive(t, report.Pages)
	require.Equal(t, before-report.Pages, ofFile("page_count"))
	require.LessOrEqual(t, float64(ofFile("freelist_count")), float64(ofFile("page_count"))*keepFree)
}

// Space is given back while rows are deleted, not only when millions of pages are free: each would take SQLite long.
func TestPurgeGivesBackAsItDeletes(t *testing.T) {
	db := open(t)
	cut := time.Now().Add(-24 * time.Hour)
	fill(t, db, 8000, cut, `{"a":"`+strings.Repeat("x", 2500)+`"}`)
	before := pragmas{t, db.writer.conn}.get("page_count")
	p := &purge{db: db, before: cut}
	n, err := p.deleteAll(t.Context(), "php_agent", 500)
	require.NoError(t, err)
	require.Equal(t, 2000, n)
	require.Greater(t, p.report.Pages, 1000, "of %s pages", before)
}

// Many rows of one time are deleted in several chunks all the same.
func TestPurgeOfOneTime(t *testing.T) {
	db := open(t)
	records := storetest.Records(0, 4*firstRows)
	for i := range records {
		records[i].Timestamp = 1_000_000
	}
	_, err := db.Insert(t.Context(), records)
	require.NoError(t, err)
	n, err := deleteSome(t.Context(), db.writer.conn, "php_agent", time.Unix(2, 0), 10)
	require.NoError(t, err)
	require.Equal(t, 10, n)
	report, err := db.Purge(t.Context(), time.Unix(2, 0))
	require.NoError(t, err)
	require.Equal(t, 4*firstRows-10, report.Rows)
}
