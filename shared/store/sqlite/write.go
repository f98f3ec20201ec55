package sqlite

import (
	"context"
	"database/sql"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
)

// insertSQL stores a record that profiling_data_seen does not know. A file of the first version has a constraint
// instead, which may know more.
const insertSQL = `INSERT OR FAIL INTO profiling_data
	(correlation_id, project, source, timestamp, duration_ms, name, attributes, payload, digest, created_at)
	SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10
	WHERE NOT EXISTS (SELECT 1 FROM profiling_data_seen WHERE timestamp = ?4 AND digest = ?9) ON CONFLICT DO NOTHING`

// The queue in front of the writer is bounded by time: what finds more in it than the writer does in
// maxQueued is refused at once, and what has waited for maxQueueTime all the same (the disk stalls, another
// process has the lock) is refused then; both may be sent again. With lockTimeout on top an answer takes a second.
const (
	maxQueued     = 400 * time.Millisecond
	maxQueueTime  = 600 * time.Millisecond
	maxQueuedJobs = 4096
	maxGroupJobs  = 256     // of one transaction
	maxGroupBytes = 4 << 20 // of one transaction: what is behind it waits no longer than this takes

	recordBytes = 1 << 10               // what a row costs beside its content, as bytes that are written in the time
	firstPace   = 16 * time.Millisecond // that the writer is taken to need for a MiB, until it has shown
	paceBytes   = 256 << 10             // the smallest group that shows it: of a smaller one most is the commit itself
)

// job is one caller's work for the writer. The writer answers on done, which has room for the answer.
type job struct {
	records []record.Record
	packed  [][]byte              // a record's payload compressed, nil for one that is not
	bytes   int64                 // of work: see recordBytes
	task    func(*sql.Conn) error // for a job of tasks
	taken   atomic.Bool           // by the writer, or back by the caller
	done    chan outcome
}

type outcome struct {
	result store.Result
	err    error
}

// Insert stores the records in one transaction and returns once it has committed. An error is a
// *store.Unavailable: the records may or may not have been stored, and sending them again is safe. When ctx
// ends first the caller is let go, but what is queued is stored all the same.
func (db *DB) Insert(ctx context.Context, records []record.Record) (store.Result, error) {
	if err := db.Admit(); err != nil { // before the work of compressing
		return store.Result{}, err
	}
	j := db.newJob(records)
	if err := db.enqueue(j); err != nil {
		return store.Result{}, err
	}
	return j.wait(ctx)
}

// newJob does what needs no writer.
func (db *DB) newJob(records []record.Record) *job {
	j := &job{records: records, packed: make([][]byte, len(records)), done: make(chan outcome, 1)}
	for i := range records {
		r := &records[i]
		stored := r.Payload
		if packed := db.packer.pack(r.Payload); packed != nil {
			j.packed[i], stored = packed, packed
		}
		j.bytes += int64(recordBytes + len(stored) + len(r.Attributes) + len(r.Name))
	}
	return j
}

// Ready tells whether a record could be stored now, by the path that records take; see probe. The error is a *store.Unavailable that says why not.
func (db *DB) Ready(ctx context.Context) error {
	_, err := db.Insert(ctx, nil)
	return err
}

func (db *DB) enqueue(j *job) error {
	db.closing.RLock()
	defer db.closing.RUnlock()
	if db.closed {
		return errClosed
	}
	if err := db.Admit(); err != nil {
		return err
	}
	db.queued.Add(j.bytes)
	select {
	case db.queue <- j:
		return nil
	default:
		db.queued.Add(-j.bytes)
		return errQueueFull
	}
}

// Admit tells at once whether Insert would find the queue full: a *store.Unavailable, or nil. Who asks before it
// reads and decodes a body does not do so for nothing.
func (db *DB) Admit() error {
	ahead := time.Duration(db.queued.Load() * db.pace.Load() >> 20)
	if ahead > maxQueued || len(db.queue) == cap(db.queue) {
		return errQueueFull
	}
	return nil
}

// do runs a task on the writing connection, between two transactions.
func (db *DB) do(ctx context.Context, task func(*sql.Conn) error) error {
	j := &job{task: task, done: make(chan outcome, 1)}
	select {
	case db.tasks <- j:
	case <-db.stop:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	return (<-j.done).err
}

// wait returns what the writer answers. What the writer does not begin within maxQueueTime is taken back, and
// is not stored.
func (j *job) wait(ctx context.Context) (store.Result, error) {
	late := time.NewTimer(maxQueueTime)
	defer late.Stop()
	for {
		select {
		case o := <-j.done:
			return o.result, o.err
		case <-late.C:
			if j.taken.CompareAndSwap(false, true) {
				return store.Result{}, errQueueFull
			}
		case <-ctx.Done():
			return store.Result{}, &store.Unavailable{Reason: "the database did not answer in time", RetryAfter: 5 * time.Second, Err: ctx.Err()}
		}
	}
}

// write is the writer goroutine. It ends when the queue is closed and empty.
func (db *DB) write() {
	var group []*job
	idle := time.NewTicker(fillAfter)
	defer idle.Stop()
	for {
		select {
		case <-idle.C:
			if db.lookups.due() && db.mayWrite() == nil {
				_, _ = db.transact(nil) // an insert meets the same error, and tells it
			}
		case j, ok := <-db.queue:
			if !ok {
				return
			}
			start := time.Now()
			group = db.collect(append(group[:0], j))
			bytes, err := db.commit(group)
			clear(group) // the records must not live on until the next group
			db.relieve()
			db.queued.Add(-bytes) // only now: what is being written is waited for too
			if bytes >= paceBytes && err == nil {
				shown := int64(float64(time.Since(start)) * (1 << 20) / float64(bytes))
				db.pace.Store((15*db.pace.Load() + shown) / 16)
			}
		case t := <-db.tasks:
			t.done <- outcome{err: t.task(db.conn)}
			db.relieve()
		}
	}
}

// collect takes what else is queued into the group. Yielding first lets the requests that are being
// decoded reach the queue: at 32 connections a group grows from two records to ten.
func (db *DB) collect(group []*job) []*job {
	runtime.Gosched()
	runtime.Gosched()
	bytes := group[0].bytes
	for len(group) < maxGroupJobs && bytes < maxGroupBytes {
		select {
		case j, ok := <-db.queue:
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

// Commit tells how one group went.
type Commit struct {
	Requests int // that shared the transaction
	Records  int
	Took     time.Duration // from BEGIN to COMMIT, with the wait for another process's lock
	Err      error
}

// commit stores the records of a group in one transaction and answers every job of it. bytes is how much work
// it was, and err what kept it from being done.
func (db *DB) commit(group []*job) (bytes int64, err error) {
	start := time.Now()
	live := group[:0]
	c := Commit{}
	for _, j := range group {
		if !j.taken.CompareAndSwap(false, true) {
			db.queued.Add(-j.bytes)
			continue
		}
		live = append(live, j)
		c.Records += len(j.records)
		bytes += j.bytes
	}
	if len(live) == 0 {
		return 0, nil
	}
	db.inserted = start
	err = db.mayWrite()
	var results []store.Result
	if err == nil {
		results, err = db.transact(live)
	}
	c.Requests, c.Took, c.Err = len(live), time.Since(start), err
	if db.cfg.Observe != nil {
		db.cfg.Observe(c)
	}
	for i, j := range live {
		if err != nil {
			j.done <- outcome{err: err}
		} else {
			j.done <- outcome{result: results[i]}
		}
	}
	return bytes, err
}

// transact inserts the records of the jobs in one transaction. When it returns an error nothing of it was
// stored, unless the commit itself failed: then it is not known.
func (db *DB) transact(jobs []*job) (results []store.Result, err error) {
	ctx := context.Background() // a client that hangs up never cancels the writer
	err = whileLocked(func() error {
		_, err := db.conn.ExecContext(ctx, "BEGIN IMMEDIATE")
		return err
	})
	if err != nil {
		return nil, explain(err)
	}
	defer func() {
		if err != nil {
			// SQLite may have rolled back by itself already; the error that counts is the first one.
			_, _ = db.conn.ExecContext(ctx, "ROLLBACK")
			db.lookups.forget()
			err = explain(err)
		}
	}()
	if err := db.lookups.refresh(ctx); err != nil {
		return nil, err
	}
	created := db.cfg.Now().UnixMicro()
	results = make([]store.Result, len(jobs))
	records := 0
	for i, j := range jobs {
		for k := range j.records {
			stored, err := db.insertNew(ctx, &j.records[k], j.packed[k], created)
			if err != nil {
				return nil, err
			}
			if stored {
				results[i].Accepted++
			} else {
				results[i].Duplicates++
			}
			records++
		}
	}
	if len(jobs) > 0 && records == 0 {
		if err := db.probe(ctx, created); err != nil {
			return nil, err
		}
		records = 1
	}
	if db.lookups.due() {
		if err := db.lookups.fill(ctx, records); err != nil {
			return nil, err
		}
	}
	if _, err := db.conn.ExecContext(ctx, "COMMIT"); err != nil {
		return nil, err
	}
	return results, nil
}

// probe stores a record and takes it back, within the transaction: whoever asks whether one could be stored
// is answered by the table and its indexes, and by a commit.
func (db *DB) probe(ctx context.Context, created int64) error {
	id, err := db.insertRecord(ctx, &record.Record{CorrelationID: "probe", Payload: []byte("{}")}, nil, created)
	if err != nil {
		return err
	}
	_, err = db.conn.ExecContext(ctx, "DELETE FROM profiling_data WHERE id = ?", id)
	return err
}

// insertNew stores a record unless it was stored before.
func (db *DB) insertNew(ctx context.Context, r *record.Record, packed []byte, created int64) (stored bool, err error) {
	if db.lookups.has(r) {
		return false, nil
	}
	id, err := db.insertRecord(ctx, r, packed, created)
	if err != nil || id == 0 {
		return false, err
	}
	db.lookups.add(id, r)
	return true, nil
}

// insertRecord returns the id that the record has got, 0 when the tables know it already.
func (db *DB) insertRecord(ctx context.Context, r *record.Record, packed []byte, created int64) (id int64, err error) {
	var payload any = packed
	if packed == nil {
		payload = string(r.Payload)
	}
	var attributes sql.NullString
	if r.Attributes != nil {
		attributes = sql.NullString{String: string(r.Attributes), Valid: true}
	}
	res, err := db.insert.ExecContext(ctx, r.CorrelationID, r.Project, r.Source, r.Timestamp, r.DurationMS,
		r.Name, attributes, payload, r.Digest, created)
	if err != nil {
		return 0, err
	}
	if n, err := res.RowsAffected(); n == 0 || err != nil {
		return 0, err
	}
	return res.LastInsertId()
}
