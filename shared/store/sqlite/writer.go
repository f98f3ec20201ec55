package sqlite

import (
	"context"
	"database/sql"
	"runtime"
	"time"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
)

const (
	maxGroupJobs  = 256     // of one transaction
	maxGroupBytes = 4 << 20 // of one transaction: what is behind it waits no longer than this takes
)

// Commit tells how one group went.
type Commit struct {
	Requests int // that shared the transaction
	Records  int
	Took     time.Duration // from BEGIN to COMMIT, with the wait for another process's lock
	Err      error
}

// writer stores what is queued, on the only connection that records are written by. Its goroutine owns all of it but the
// queue.
type writer struct {
	*queue
	pool     *sql.DB // holds conn and nothing else
	conn     *sql.Conn
	insert   *sql.Stmt // on conn
	wal      *checkpointer
	rollups  *rollups
	now      func() time.Time
	observe  func(Commit) // may be nil
	inserted time.Time    // when it last had a group
	stored   []stored     // by the transaction under way
}

// run is the writer goroutine. It ends when the queue is closed and empty.
func (w *writer) run() {
	var group []*job
	for {
		select {
		case j, ok := <-w.jobs:
			if !ok {
				w.rollups.flush()
				return
			}
			start := time.Now()
			group = w.collect(append(group[:0], j))
			bytes, err := w.commit(group)
			clear(group) // the records must not live on until the next group
			w.wal.relieve(w.conn)
			w.written(bytes, time.Since(start), err)
		case t := <-w.tasks:
			t.done <- t.run(w.conn)
			w.wal.relieve(w.conn)
		case <-w.rollups.tick.C:
			w.rollups.begin()
		case <-w.rollups.due():
			w.rollups.step()
			w.wal.relieve(w.conn)
		}
	}
}

// collect takes what else is queued into the group. Yielding first lets the requests that are being
// decoded reach the queue: at 32 connections a group grows from two records to ten.
func (w *writer) collect(group []*job) []*job {
	runtime.Gosched()
	runtime.Gosched()
	bytes := group[0].bytes
	for len(group) < maxGroupJobs && bytes < maxGroupBytes {
		select {
		case j, ok := <-w.jobs:
			if !ok {
				return group
			}
			group = append(group, j)
			bytes += j.bytes
		default:
			return group
		}
	}
	return group
}

// commit stores the records of a group in one transaction and answers every job of it. bytes is how much work
// it was, and err what kept it from being done.
func (w *writer) commit(group []*job) (bytes int64, err error) {
	start := time.Now()
	live := group[:0]
	c := Commit{}
	for _, j := range group {
		if !j.taken.CompareAndSwap(false, true) {
			w.bytes.Add(-j.bytes)
			continue
		}
		live = append(live, j)
		c.Records += len(j.records)
		bytes += j.bytes
	}
	if len(live) == 0 {
		return 0, nil
	}
	w.inserted = start
	err = w.wal.mayWrite()
	results := make([]store.Result, len(live))
	if err == nil {
		err = w.transact(live, results)
	}
	c.Requests, c.Took, c.Err = len(live), time.Since(start), err
	if w.observe != nil {
		w.observe(c)
	}
	for i, j := range live {
		if err != nil {
			results[i] = store.Result{}
		}
		j.done <- outcome{results[i], err}
	}
	return bytes, err
}

// transact inserts the records of the jobs in one transaction. When it returns an error nothing of it was
// stored, unless the commit itself failed: then it is not known.
func (w *writer) transact(jobs []*job, results []store.Result) (err error) {
	ctx := context.Background() // a client that hangs up never cancels the writer
	if err := begin(ctx, w.conn); err != nil {
		return err
	}
	err = w.storeAll(ctx, jobs, results)
	if err = end(ctx, w.conn, err); err == nil {
		w.rollups.add(w.stored)
	}
	clear(w.stored) // the points must not live on until the next group
	return err
}

func (w *writer) storeAll(ctx context.Context, jobs []*job, results []store.Result) error {
	created := w.now().UnixMicro()
	records, last := 0, w.rollups.last
	w.stored = w.stored[:0]
	for i, j := range jobs {
		for k := range j.records {
			id, err := w.store(ctx, &j.records[k], j.packed[k], created)
			if err != nil {
				return err
			}
			records++
			if id == 0 {
				results[i].Duplicates++
				continue
			}
			results[i].Accepted++
			if id <= last {
				if err := w.rollups.lower(ctx, id); err != nil {
					return err
				}
			}
			last = id
			w.stored = append(w.stored, stored{id, &j.points[k]})
		}
	}
	if records > 0 {
		return nil
	}
	return w.probe(ctx, created)
}

// probe stores a record and takes it back, within the transaction: whoever asks whether one could be stored
// is answered by the table and its indexes, and by a commit.
func (w *writer) probe(ctx context.Context, created int64) error {
	if _, err := w.store(ctx, &record.Record{CorrelationID: "probe", Payload: []byte("{}")}, nil, created); err != nil {
		return err
	}
	_, err := w.conn.ExecContext(ctx, "DELETE FROM profiling_data WHERE correlation_id = 'probe'")
	return err
}

// store stores a record and returns its id, 0 when it is stored already.
func (w *writer) store(ctx context.Context, r *record.Record, packed []byte, created int64) (id int64, err error) {
	var payload any = packed
	if packed == nil {
		payload = string(r.Payload)
	}
	var attributes sql.NullString
	if r.Attributes != nil {
		attributes = sql.NullString{String: string(r.Attributes), Valid: true}
	}
	res, err := w.insert.ExecContext(ctx, r.CorrelationID, r.Project, r.Source, r.Timestamp, r.DurationMS,
		r.Name, attributes, payload, r.Digest, created)
	if err != nil {
		return 0, err
	}
	if n, err := res.RowsAffected(); n == 0 || err != nil {
		return 0, err
	}
	return res.LastInsertId()
}
