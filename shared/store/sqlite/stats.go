package sqlite

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"
)

// Stats is what an operator watches of a database.
type Stats struct {
	QueuedRequests int       // inserts that wait for the writer
	QueuedBytes    int64     // of their work and of what is being written: see recordBytes
	WALBytes       int64     // size of the write-ahead log
	DatabaseBytes  int64     // size of the file, without the log
	FreeBytes      int64     // that may still be written beside it
	Rows           int64     // as they were last counted: see Meter; -1 when they are not
	Oldest         time.Time // the earliest timestamp of a record, zero when there is none
}

// Counting reads an index through, half a second and 200 MB for 10 million records. It is done again when a thousand
// times as long has passed, within bounds.
const (
	countShare   = 1000
	countAtLeast = 10 * time.Second // between two counts
	countAtMost  = time.Hour
	countTimeout = 10 * time.Second // after which a count is given up, and Rows is -1
	countWait    = 100 * time.Millisecond
)

// Meter reads Stats. The rows are counted in the background, once at a time, so that whoever asks waits for a count
// no longer than countWait and gets the last one otherwise.
type Meter struct {
	db    *DB
	count func(context.Context) (int64, error) // countRows, or what a test makes of it

	mu       sync.Mutex
	rows     int64
	next     time.Time     // when to count again
	counting chan struct{} // closed when the count under way ends; nil when there is none
}

// NewMeter returns a meter of an open database. What it does in the background ends with the database's Close.
func NewMeter(db *DB) *Meter { return &Meter{db: db, count: db.countRows, rows: -1} }

// Stats returns the figures of this moment. Rows is older: as old as the last count, which is up to ten seconds
// for a small database, ten minutes for one of 10 million records, and never more than an hour.
func (m *Meter) Stats(ctx context.Context) (s Stats, err error) {
	s.QueuedRequests, s.QueuedBytes = len(m.db.queue), m.db.queued.Load()
	s.WALBytes = m.db.log.size()
	info, err := os.Stat(m.db.cfg.Path)
	if err != nil {
		return s, fmt.Errorf("look at the database: %w", err)
	}
	s.DatabaseBytes = info.Size()
	if s.FreeBytes, err = m.db.free(); err != nil {
		return s, fmt.Errorf("ask for free space: %w", err)
	}
	sources, err := m.db.sources(ctx)
	if err == nil {
		s.Oldest, err = m.db.oldest(ctx, sources)
	}
	if err != nil {
		return s, fmt.Errorf("look for the oldest record: %w", err)
	}
	s.Rows = m.lastCount(ctx)
	return s, nil
}

// lastCount begins a count when it is time for one.
func (m *Meter) lastCount(ctx context.Context) int64 {
	ctx, cancel := context.WithTimeout(ctx, countWait)
	defer cancel()
	select {
	case <-m.begin():
	case <-ctx.Done():
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rows
}

// begin returns what is closed when there is no count to wait for.
func (m *Meter) begin() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.counting != nil {
		return m.counting
	}
	ended := make(chan struct{})
	m.db.closing.RLock() // so that Close waits for what begins here
	defer m.db.closing.RUnlock()
	if m.db.closed || time.Now().Before(m.next) {
		close(ended)
		return ended
	}
	m.counting = ended
	m.db.done.Go(m.recount)
	return ended
}

func (m *Meter) recount() {
	ctx, cancel := context.WithTimeout(context.Background(), countTimeout)
	defer cancel()
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-m.db.stop:
			cancel()
		case <-ended:
		}
	}()
	start := time.Now()
	rows, err := m.count(ctx)
	if err != nil {
		rows = -1
	}
	pause := min(max(countShare*time.Since(start), countAtLeast), countAtMost)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows, m.next = rows, time.Now().Add(pause)
	close(m.counting)
	m.counting = nil
}

func (db *DB) countRows(ctx context.Context) (rows int64, err error) {
	err = db.Reader.pool.QueryRowContext(ctx, "SELECT count(*) FROM profiling_data").Scan(&rows)
	return rows, err
}
