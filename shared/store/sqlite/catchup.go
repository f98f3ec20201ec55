package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"
)

const (
	tailRows    = 500     // that are read at once
	tailRecords = 100_000 // after so many what is derived is written, if there is no reason to do so before
	lastReads   = 8       // while no record is stored
	tryAgain    = 30 * time.Second
	tellEvery   = 30 * time.Second
)

var errIDsBeganAnew = errors.New("records were purged and others have their ids")

// catchUp derives rollups from records that are stored and not in them: after a kill, when an older file was brought up
// to date, and when rollups could not be written for long. It runs behind the inserts and takes half of the time at most. Its
// goroutine ends when the queue is closed.
func (db *DB) catchUp() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-db.writer.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case <-db.writer.rollups.behind:
		}
		start := time.Now()
		for {
			records, err := db.deriveTail(ctx)
			if ctx.Err() != nil {
				return
			}
			if err == nil {
				db.cfg.Log.Info("the rollups have caught up with the records", "records", records, "duration_ms", time.Since(start).Milliseconds())
				break
			}
			if !errors.Is(err, errIDsBeganAnew) {
				db.cfg.Log.Warn("the rollups cannot catch up with the records; trying again", "error", err.Error())
				pause(ctx, tryAgain)
			}
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// tail derives what the marks do not have, and writes it.
type tail struct {
	derivation
	db      *DB
	lowered int   // see rollups
	written int   // of the records, when it last wrote
	upTo    int64 // the last record when it began
}

// deriveTail derives everything, and returns how many records it has looked at.
func (db *DB) deriveTail(ctx context.Context) (records int, err error) {
	t := &tail{db: db}
	err = db.writer.do(ctx, func(conn *sql.Conn) (err error) {
		t.lowered, t.upTo = db.writer.rollups.lowered, db.writer.rollups.last
		t.marks, err = readMarks(ctx, conn)
		return err
	})
	if err != nil {
		return 0, err
	}
	t.at = t.marks.Floor
	t.deltas.Start(t.at)
	for told := time.Now(); ; {
		start := time.Now()
		if start.Sub(told) > tellEvery {
			told = start
			db.cfg.Log.Info("the rollups are catching up with the records; pages count the others later", "records", t.records, "left", max(0, t.upTo-t.at))
		}
		n, err := t.read(ctx, db.Reader.pool)
		done := false
		if n < tailRows && err == nil {
			done, err = t.finish(ctx)
		}
		if done || err != nil {
			return t.records, err
		}
		if t.records-t.written >= tailRecords || t.deltas.Due() {
			if err := t.write(ctx); err != nil {
				return t.records, err
			}
		}
		pause(ctx, time.Since(start))
	}
}

// write adds what was derived to the tables, a batch at a time between the inserts.
func (t *tail) write(ctx context.Context) error {
	for _, b := range t.deltas.Batches() {
		err := t.do(ctx, func(r *rollups) error {
			t.deltas.Take(b)
			return r.write(b, &sync.Mutex{}, &t.deltas) // nobody else sees these deltas
		})
		if err != nil {
			return err
		}
	}
	t.written = t.records
	return t.do(ctx, func(r *rollups) error { return r.raise(t.deltas.Floor()) })
}

// do runs a task between the inserts, unless what was derived is of records that are purged and whose ids others have.
func (t *tail) do(ctx context.Context, task func(r *rollups) error) error {
	return t.db.writer.do(ctx, func(*sql.Conn) error {
		r := t.db.writer.rollups
		if r.lowered != t.lowered {
			return errIDsBeganAnew
		}
		return task(r)
	})
}

// finish derives the rest while no record is stored, so that from then on each is counted when it is. What is not written
// is the writer's to write. done is false when the rest was too much for that.
func (t *tail) finish(ctx context.Context) (done bool, err error) {
	err = t.do(ctx, func(r *rollups) error {
		for range lastReads {
			n, err := t.read(ctx, r.conn)
			if err != nil {
				return err
			}
			if n < tailRows {
				r.mu.Lock()
				r.deltas, done = t.deltas, true
				r.mu.Unlock()
				return nil
			}
		}
		return nil
	})
	return done, err
}
