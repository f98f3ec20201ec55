package sqlite

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store/storetest"
)

func statsOf(t *testing.T, db *DB) Stats {
	t.Helper()
	s, err := db.Stats(t.Context())
	require.NoError(t, err)
	return s
}

func TestStats(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bitville.db")
	db := openAt(t, path)
	s := statsOf(t, db)
	require.True(t, s.Oldest.IsZero())
	require.Positive(t, s.FreeBytes)

	records := storetest.Records(0, 100)
	records[40].Timestamp -= time.Hour.Microseconds()
	_, err := db.Insert(t.Context(), records)
	require.NoError(t, err)
	s = statsOf(t, db)
	require.Equal(t, records[40].Timestamp, s.Oldest.UnixMicro())
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, info.Size(), s.DatabaseBytes)
	info, err = os.Stat(path + "-wal")
	require.NoError(t, err)
	require.Equal(t, info.Size(), s.WALBytes)
	require.Positive(t, s.WALBytes)
}

// Inserts that wait for the writer show.
func TestStatsOfTheQueue(t *testing.T) {
	db := open(t)
	working, finish := make(chan struct{}), make(chan struct{})
	done := make(chan error)
	go func() {
		done <- db.writer.do(t.Context(), func(*sql.Conn) error { close(working); <-finish; return nil })
	}()
	<-working
	for n := range 3 {
		go func() {
			_, err := db.Insert(t.Context(), []record.Record{storetest.Record(n)})
			done <- err
		}()
	}
	require.Eventually(t, func() bool { return statsOf(t, db).QueuedRequests == 3 }, 10*time.Second, time.Millisecond)
	require.Greater(t, statsOf(t, db).QueuedBytes, int64(3*recordBytes))
	close(finish)
	for range 4 {
		<-done
	}
	require.Eventually(t, func() bool { s := statsOf(t, db); return s.QueuedRequests == 0 && s.QueuedBytes == 0 }, 10*time.Second, time.Millisecond)
}
