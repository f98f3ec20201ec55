package sqlite

import (
	"context"
	"database/sql"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/rollup"
	"github.com/bitville/listener/shared/store"
)

// The queue in front of the writer is bounded by time: what finds more in it than the writer does in
// maxQueued is refused at once, and what has waited for maxQueueTime all the same (the disk stalls, another
// process has the lock) is refused then; both may be sent again. With lockTimeout on top an answer takes a second.
const (
	maxQueued     = 400 * time.Millisecond
	maxQueueTime  = 600 * time.Millisecond
	maxQueuedJobs = 4096

	recordBytes = 1 << 10               // what a row costs beside its content, as bytes that are written in the time
	firstPace   = 16 * time.Millisecond // that the writer is taken to need for a MiB, until it has shown
	paceBytes   = 256 << 10             // the smallest group that shows it: of a smaller one most is the commit itself
)

// job is one caller's records. The writer answers on done, which has room for the answer.
type job struct {
	records []record.Record
	packed  [][]byte       // a record's payload compressed, nil for one that is not
	points  []rollup.Point // of the records
	bytes   int64          // of work: see recordBytes
	taken   atomic.Bool    // by the writer, or back by the caller
	done    chan outcome
}

type outcome struct {
	result store.Result
	err    error
}

// task is work for the writing connection between two transactions.
type task struct {
	run  func(*sql.Conn) error
	done chan error // has room for the answer
}

// queue is what waits for the writer. Its methods may be called from any goroutine.
type queue struct {
	jobs  chan *job
	tasks chan task
	bytes atomic.Int64 // of work in jobs and being written
	pace  atomic.Int64 // nanoseconds that the writer needs for a MiB of work, its checkpoints included

	closing sync.RWMutex // held for reading while a job is handed to the writer
	closed  bool
	stop    chan struct{} // closed when close begins
}

func newQueue() *queue {
	q := &queue{jobs: make(chan *job, maxQueuedJobs), tasks: make(chan task), stop: make(chan struct{})}
	q.pace.Store(int64(firstPace))
	return q
}

// close has the writer end when it has stored what is queued. It returns false when that was asked before.
func (q *queue) close() bool {
	q.closing.Lock()
	defer q.closing.Unlock()
	if q.closed {
		return false
	}
	q.closed = true
	close(q.stop)
	close(q.jobs) // nobody sends any more: senders hold closing
	return true
}

// admit tells whether a job would find room: a *store.Unavailable, or nil.
func (q *queue) admit() error {
	ahead := time.Duration(q.bytes.Load() * q.pace.Load() >> 20)
	if ahead > maxQueued || len(q.jobs) == cap(q.jobs) {
		return errQueueFull
	}
	return nil
}

func (q *queue) enqueue(j *job) error {
	q.closing.RLock()
	defer q.closing.RUnlock()
	if q.closed {
		return errClosed
	}
	if err := q.admit(); err != nil {
		return err
	}
	q.bytes.Add(j.bytes)
	select {
	case q.jobs <- j:
		return nil
	default:
		q.bytes.Add(-j.bytes)
		return errQueueFull
	}
}

// do runs a task on the writing connection, between two transactions.
func (q *queue) do(ctx context.Context, run func(*sql.Conn) error) error {
	t := task{run, make(chan error, 1)}
	select {
	case q.tasks <- t:
		return <-t.done
	case <-q.stop:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// written notes that the writer has done so many bytes of work, and how long it took when it did all of it.
func (q *queue) written(bytes int64, took time.Duration, err error) {
	q.bytes.Add(-bytes) // only now: what is being written is waited for too
	if bytes >= paceBytes && err == nil {
		shown := int64(float64(took) * (1 << 20) / float64(bytes))
		q.pace.Store((15*q.pace.Load() + shown) / 16)
	}
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
