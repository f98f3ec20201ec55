package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"database/sql"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/storetest"
)

func open(t testing.TB) *DB {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "bitville.db"))
}

func openAt(t testing.TB, path string) *DB {
	t.Helper()
	db, err := Open(t.Context(), Config{Path: path, Synchronous: "NORMAL", Now: time.Now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func count(t testing.TB, db *DB) (n int) {
	t.Helper()
	require.NoError(t, db.Reader.pool.QueryRowContext(t.Context(), "SELECT count(*) FROM profiling_data").Scan(&n))
	return n
}

// whyNot returns the reason of a *store.Unavailable.
func whyNot(t testing.TB, err error) string {
	t.Helper()
	var u *store.Unavailable
	require.ErrorAs(t, err, &u)
	require.GreaterOrEqual(t, u.RetryAfter, time.Second)
	return u.Reason
}

// A long payload is one zstd frame in the file, and what was sent when it is read back.
func TestPayloadsAreCompressed(t *testing.T) {
	db := open(t)
	records := storetest.Records(0, 4)
	for i, length := range []int{compressFrom - 1, compressFrom, 150_000, record.MaxBytes} {
		var edges strings.Builder
		for n := 0; edges.Len() < length; n++ {
			fmt.Fprintf(&edges, `"a%d==>b%d":{"wt":%d},`, n%90, n%40, n*7919%100000)
		}
		records[i].Payload = []byte(`{` + edges.String()[:length-2] + "}")
	}
	_, err := db.Insert(t.Context(), records)
	require.NoError(t, err)
	for i, r := range records {
		entries, err := db.ByCorrelationID(t.Context(), r.CorrelationID)
		require.NoError(t, err)
		require.Equal(t, string(r.Payload), entries[0].Payload)
		stored := storetest.Text(t, db.Reader.pool, "SELECT typeof(payload), length(payload), hex(substr(payload, 1, 4)) FROM profiling_data WHERE correlation_id = ?", r.CorrelationID)[0]
		if i == 0 {
			require.Equal(t, []string{"text", fmt.Sprint(compressFrom - 1)}, stored[:2])
			continue
		}
		require.Equal(t, []string{"blob", "28B52FFD"}, []string{stored[0], stored[2]}, "the magic number of RFC 8878")
		length, err := strconv.Atoi(stored[1])
		require.NoError(t, err)
		require.Less(t, length, len(r.Payload)/2)
	}
}

// A damaged payload is told, and is not taken for another.
func TestDamagedPayload(t *testing.T) {
	db := open(t)
	r := storetest.Record(0)
	r.Payload = []byte(`{"a":"` + strings.Repeat("x", compressFrom) + `"}`)
	_, err := db.Insert(t.Context(), []record.Record{r})
	require.NoError(t, err)
	for _, change := range []string{"substr(payload, 1, length(payload) - 5)", "x'00'", "5"} {
		require.NoError(t, db.writer.do(t.Context(), func(conn *sql.Conn) error {
			_, err := conn.ExecContext(t.Context(), "UPDATE profiling_data SET payload = "+change)
			return err
		}))
		_, err = db.ByCorrelationID(t.Context(), r.CorrelationID)
		require.ErrorContains(t, err, "read a record of "+r.CorrelationID+": ")
	}
}

// An insert that returned has committed: another connection sees its record at once, and each caller is
// told of its own records though they share transactions.
func TestConcurrentInserts(t *testing.T) {
	db := open(t)
	const writers, rounds = 16, 60
	var wg sync.WaitGroup
	var commits atomic.Int64
	for w := range writers {
		wg.Go(func() {
			for i := range rounds {
				n := (w*rounds + i) * 2
				result, err := db.Insert(context.Background(), []record.Record{storetest.Record(n), storetest.Record(n + 1), storetest.Record(n)})
				if err != nil || result != (store.Result{Accepted: 2, Duplicates: 1}) {
					t.Errorf("insert %d: %+v, %v", n, result, err)
				}
				entries, err := db.ByCorrelationID(context.Background(), storetest.Record(n).CorrelationID)
				if err != nil || len(entries) != 1 {
					t.Errorf("record %d is not there after its insert: %v, %v", n, entries, err)
				}
				commits.Add(1)
			}
		})
	}
	wg.Wait()
	require.Equal(t, writers*rounds*2, count(t, db))
	require.Eventually(t, func() bool { return db.writer.bytes.Load() == 0 }, 5*time.Second, time.Millisecond, "bytes left in the queue's account")
}

func TestClientThatHangsUpIsStored(t *testing.T) {
	db := open(t)
	release := holdWriter(db)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := db.Insert(ctx, storetest.Records(0, 1))
	require.Equal(t, "the database did not answer in time", whyNot(t, err))
	release()
	require.Eventually(t, func() bool { return count(t, db) == 1 }, 5*time.Second, time.Millisecond)
}

// holdWriter keeps the writer busy until release is called.
func holdWriter(db *DB) (release func()) {
	held, done := make(chan struct{}), make(chan struct{})
	go func() {
		_ = db.writer.do(context.Background(), func(*sql.Conn) error { close(held); <-done; return nil })
	}()
	<-held
	return func() { close(done) }
}

func TestQueueIsBounded(t *testing.T) {
	big := storetest.Record(0)
	big.Attributes = []byte("{" + strings.Repeat(" ", int(100*time.Millisecond/firstPace)<<20) + "}") // a tenth of a second
	for name, fill := range map[string]struct {
		record record.Record
		until  int
	}{
		"by count": {storetest.Record(0), maxQueuedJobs},
		"by time":  {big, 5},
	} {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			release := holdWriter(db)
			var done sync.WaitGroup
			for range fill.until {
				done.Go(func() { _, _ = db.Insert(context.Background(), []record.Record{fill.record}) })
			}
			require.Eventually(t, func() bool { return db.Admit() != nil }, 5*time.Second, time.Microsecond)
			start := time.Now()
			_, err := db.Insert(t.Context(), storetest.Records(1, 2))
			require.Equal(t, "the queue to the database is full", whyNot(t, err))
			require.Less(t, time.Since(start), maxQueueTime, "refused at once and not by a time-out")
			release()
			done.Wait()
			require.Eventually(t, func() bool { return db.writer.bytes.Load() == 0 }, 5*time.Second, time.Millisecond)
			require.NoError(t, db.Admit())
			_, err = db.Insert(t.Context(), storetest.Records(1, 2))
			require.NoError(t, err)
		})
	}
}

// What waits too long is taken back: it is refused while the writer is still busy, and not stored later.
func TestQueueTime(t *testing.T) {
	db := open(t)
	release := holdWriter(db)
	_, err := db.Insert(t.Context(), storetest.Records(0, 1))
	require.Equal(t, "the queue to the database is full", whyNot(t, err))
	release()
	result, err := db.Insert(t.Context(), storetest.Records(1, 2))
	require.NoError(t, err)
	require.Equal(t, store.Result{Accepted: 1}, result)
	require.Equal(t, 1, count(t, db), "the one that was refused is not stored")
	require.Eventually(t, func() bool { return db.writer.bytes.Load() == 0 }, 5*time.Second, time.Millisecond)
}

// The writer learns how much it does in a second from groups that are large enough to show it.
func TestPace(t *testing.T) {
	var groups []Commit
	db := open(t)
	db.writer.observe = func(c Commit) { groups = append(groups, c) }
	_, err := db.Insert(t.Context(), storetest.Records(0, 1))
	require.NoError(t, err)
	require.EqualValues(t, firstPace, db.writer.pace.Load(), "a small group shows nothing")
	_, err = db.Insert(t.Context(), storetest.Records(1, 2+paceBytes/recordBytes))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return db.writer.pace.Load() != int64(firstPace) }, 5*time.Second, time.Millisecond)
	require.Len(t, groups, 2)
	require.Equal(t, []int{1, 1}, []int{groups[0].Requests, groups[1].Requests})
	require.Equal(t, []int{1, 1 + paceBytes/recordBytes}, []int{groups[0].Records, groups[1].Records})
	require.Positive(t, groups[1].Took)
}

func TestLockedByAnotherProcess(t *testing.T) {
	db := open(t)
	other := openPool(db.cfg.Path, "rw", "", 1)
	defer other.Close()
	conn, err := other.Conn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, db.Ready(t.Context()))
	_, err = conn.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	require.NoError(t, err)
	const locked = "the database is locked by another process"
	require.Equal(t, locked, whyNot(t, db.Ready(t.Context())))
	_, err = db.Insert(t.Context(), storetest.Records(0, 1))
	require.Equal(t, locked, whyNot(t, err))
	require.Zero(t, count(t, db), "reads work meanwhile, and nothing was stored")
	_, err = conn.ExecContext(t.Context(), "ROLLBACK")
	require.NoError(t, err)
	require.NoError(t, db.Ready(t.Context()))
	result, err := db.Insert(t.Context(), storetest.Records(0, 1))
	require.NoError(t, err)
	require.Equal(t, store.Result{Accepted: 1}, result)
}

// A record is not acknowledged into a file that nobody will find again.
func TestFileRemovedOrReplaced(t *testing.T) {
	const gone = "the database file was removed or replaced; restart the listener"
	db := open(t)
	_, err := db.Insert(t.Context(), storetest.Records(0, 1))
	require.NoError(t, err)
	require.NoError(t, os.Rename(db.cfg.Path, db.cfg.Path+".away"))
	_, err = db.Insert(t.Context(), storetest.Records(1, 2))
	require.Equal(t, gone, whyNot(t, err))
	require.NoError(t, os.WriteFile(db.cfg.Path, nil, 0o600))
	_, err = db.Insert(t.Context(), storetest.Records(1, 2))
	require.Equal(t, gone, whyNot(t, err))
	require.Equal(t, gone, whyNot(t, db.Ready(t.Context())))
	require.NoError(t, os.Rename(db.cfg.Path+".away", db.cfg.Path))
	_, err = db.Insert(t.Context(), storetest.Records(1, 2))
	require.NoError(t, err)
}

// Being ready is proved by the table itself, and leaves nothing behind.
func TestReadyTriesTheTable(t *testing.T) {
	db := open(t)
	require.NoError(t, db.Ready(t.Context()))
	require.Zero(t, count(t, db))
	_, err := db.writer.conn.ExecContext(t.Context(), "ALTER TABLE profiling_data RENAME TO elsewhere")
	require.NoError(t, err)
	require.Equal(t, "the database failed", whyNot(t, db.Ready(t.Context())))
	_, err = db.writer.conn.ExecContext(t.Context(), "ALTER TABLE elsewhere RENAME TO profiling_data")
	require.NoError(t, err)
	require.NoError(t, db.Ready(t.Context()))
}

func TestDiskNearlyFull(t *testing.T) {
	db := open(t)
	free := db.file.free
	var left atomic.Int64
	db.file.free = func() (int64, error) { return left.Load(), nil }
	left.Store(spaceReserve - 1)
	_, err := db.Insert(t.Context(), storetest.Records(0, 1))
	require.Equal(t, "the disk is nearly full", whyNot(t, err))
	require.Equal(t, "the disk is nearly full", whyNot(t, db.Ready(t.Context())))
	_, err = db.Purge(t.Context(), time.Now())
	require.NoError(t, err, "a purge works on a full disk")
	left.Store(1 << 30)
	_, err = db.Insert(t.Context(), storetest.Records(0, 1))
	require.NoError(t, err)
	n, err := free()
	require.NoError(t, err)
	require.Positive(t, n)
}

// The WAL begins anew under load, and is cut; with a reader that holds it, ingest stops before it grows
// past its limit, and goes on when the reader is gone.
func TestWALIsBounded(t *testing.T) {
	db := open(t)
	big := func(n int) []record.Record {
		r := storetest.Record(n)
		r.Attributes = []byte(`{"a":"` + strings.Repeat("x", record.MaxBytes-1000) + `"}`)
		return []record.Record{r}
	}
	// A machine that is slow at the moment has the queue refuse such records; they come again, as an agent's would.
	insert := func(n int) error {
		for {
			if _, err := db.Insert(t.Context(), big(n)); !errors.Is(err, errQueueFull) {
				return err
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	n := 0
	for ; n < 30; n++ {
		require.NoError(t, insert(n))
	}
	require.Less(t, db.file.walBytes(), int64(walHardLimit))

	tx, err := db.Reader.pool.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
	require.NoError(t, err)
	var rows int
	require.NoError(t, tx.QueryRowContext(t.Context(), "SELECT count(*) FROM profiling_data").Scan(&rows))
	for err == nil && n < 100 {
		err = insert(n)
		n++
	}
	require.Equal(t, "the database's WAL is full: a reader holds it", whyNot(t, err))
	require.Less(t, db.file.walBytes(), int64(walHardLimit+3*record.MaxBytes))
	require.NoError(t, tx.Rollback())
	require.Eventually(t, func() bool {
		_, err := db.Insert(t.Context(), big(n))
		return err == nil
	}, 5*time.Second, 50*time.Millisecond, "ingest goes on when the reader is gone")
}

func TestCloseStoresWhatIsQueued(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bitville.db")
	db, err := Open(t.Context(), Config{Path: path, Synchronous: "FULL", Now: time.Now})
	require.NoError(t, err)
	release := holdWriter(db)
	waiting := db.newJob(storetest.Records(0, 2))
	require.NoError(t, db.writer.enqueue(waiting))
	closed := make(chan error)
	go func() { closed <- db.Close() }()
	<-db.writer.stop
	_, err = db.Insert(t.Context(), storetest.Records(2, 3))
	require.Equal(t, "the listener is stopping", whyNot(t, err))
	release()
	require.NoError(t, <-closed)
	result, err := waiting.wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, store.Result{Accepted: 2}, result)
	require.NoError(t, db.Close(), "closing twice does nothing")
	_, err = os.Stat(path + "-wal")
	require.ErrorIs(t, err, os.ErrNotExist, "the WAL was copied into the database")
	require.Equal(t, 2, count(t, openAt(t, path)))
}
