package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store/storetest"
)

func TestStats(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bitville.db")
	db := openAt(t, path)
	meter := NewMeter(db)
	rowsBecome(t, meter, 0)
	s := meterStats(t, meter)
	require.True(t, s.Oldest.IsZero())
	require.Positive(t, s.FreeBytes)

	records := storetest.Records(0, 100)
	records[40].Timestamp -= time.Hour.Microseconds()
	_, err := db.Insert(t.Context(), records)
	require.NoError(t, err)
	meter.next = time.Time{}
	rowsBecome(t, meter, 100)
	s = meterStats(t, meter)
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
	meter := NewMeter(db)
	working, finish := make(chan struct{}), make(chan struct{})
	done := make(chan error)
	go func() {
		_ = db.do(t.Context(), func(*sql.Conn) error { close(working); <-finish; return nil })
		done <- nil
	}()
	<-working
	for n := range 3 {
		go func() {
			_, err := db.Insert(t.Context(), []record.Record{storetest.Record(n)})
			done <- err
		}()
	}
	require.Eventually(t, func() bool { return meterStats(t, meter).QueuedRequests == 3 }, 10*time.Second, time.Millisecond)
	require.Greater(t, meterStats(t, meter).QueuedBytes, int64(3*recordBytes))
	close(finish)
	for range 4 {
		<-done
	}
	require.Eventually(t, func() bool { s := meterStats(t, meter); return s.QueuedRequests == 0 && s.QueuedBytes == 0 }, 10*time.Second, time.Millisecond)
}

// A count is made once at a time, in the background, and its result is kept for a while.
func TestRowsAreCountedNowAndThen(t *testing.T) {
	db := open(t)
	meter := NewMeter(db)
	var begun atomic.Int64
	result := make(chan int64)
	meter.count = func(ctx context.Context) (int64, error) {
		begun.Add(1)
		if n := <-result; n >= 0 {
			return n, nil
		}
		return 0, errors.New("the time is up")
	}
	next := func(n int64) {
		meter.mu.Lock()
		ended := meter.counting
		meter.mu.Unlock()
		result <- n
		<-ended
	}
	require.EqualValues(t, -1, meterStats(t, meter).Rows, "not counted yet, and nobody waits for it")
	require.EqualValues(t, -1, meterStats(t, meter).Rows, "nor for one that is under way")
	next(7)
	require.EqualValues(t, 7, meterStats(t, meter).Rows)
	require.EqualValues(t, 7, meterStats(t, meter).Rows)
	require.EqualValues(t, 1, begun.Load(), "one at a time, and its result is new enough")
	require.Greater(t, time.Until(meter.next), countAtLeast, "the two that waited made it a long count")

	meter.next = time.Time{}
	require.EqualValues(t, 7, meterStats(t, meter).Rows, "the last count, until the next one has ended")
	next(-1)
	require.EqualValues(t, 2, begun.Load())
	require.EqualValues(t, -1, meterStats(t, meter).Rows, "the count failed")
}

// Close ends a count that is under way, and none begins behind it.
func TestCloseEndsACount(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bitville.db")
	db, err := Open(t.Context(), Config{Path: path, Synchronous: "NORMAL", Now: time.Now})
	require.NoError(t, err)
	meter := NewMeter(db)
	var begun atomic.Int64
	var ended error
	meter.count = func(ctx context.Context) (int64, error) {
		begun.Add(1)
		<-ctx.Done()
		time.Sleep(50 * time.Millisecond)
		ended = ctx.Err()
		return 0, ended
	}
	meterStats(t, meter)
	require.Eventually(t, func() bool { return begun.Load() == 1 }, 10*time.Second, time.Millisecond)
	require.NoError(t, db.Close())
	require.Equal(t, context.Canceled, ended, "Close has not waited until its time was up, and has waited for its end")
	_, err = meter.Stats(t.Context())
	require.Error(t, err)
	meter.next = time.Time{}
	<-meter.begin()
	require.EqualValues(t, 1, begun.Load())
}

func meterStats(t *testing.T, m *Meter) Stats {
	t.Helper()
	s, err := m.Stats(t.Context())
	require.NoError(t, err)
	return s
}

func rowsBecome(t *testing.T, m *Meter, rows int64) {
	t.Helper()
	require.Eventually(t, func() bool { return meterStats(t, m).Rows == rows }, 10*time.Second, time.Millisecond)
}
