package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"

	"github.com/bitville/listener/shared/rollup"
)

const (
	tailRows    = 2000    // that are read at once
	tailRecords = 100_000 // after so many what is derived is written, if there is no reason to do so before
	tryAgain    = 30 * time.Second
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
	lowered int // see rollups
	records int // since the last write
}

// deriveTail derives everything, and tells how many records it has looked at.
func (db *DB) deriveTail(ctx context.Context) (records int, err error) {
	t := &tail{db: db}
	err = db.writer.do(ctx, func(conn *sql.Conn) (err error) {
		t.lowered = db.writer.rollups.lowered
		t.marks, err = readMarks(ctx, conn)
		return err
	})
	if err != nil {
		return 0, err
	}
	t.at = t.marks.Floor
	t.deltas.Start(t.at)
	for {
		start := time.Now()
		n, err := t.read(ctx, db.Reader.pool)
		if err != nil {
			return records, err
		}
		records += n
		if n < tailRows {
			done, err := t.finish(ctx)
			if done || err != nil {
				return records, err
			}
			continue
		}
		if t.records += n; t.records >= tailRecords || t.deltas.Due() {
			if err := t.write(ctx); err != nil {
				return records, err
			}
		}
		pause(ctx, time.Since(start))
	}
}

// write adds what was derived to the tables, a series at a time between the inserts.
func (t *tail) write(ctx context.Context) error {
	for _, s := range t.deltas.Series() {
		if err := t.do(ctx, func(r *rollups) error { return t.writeOne(r, s) }); err != nil {
			return err
		}
	}
	t.records = 0
	return t.do(ctx, func(r *rollups) error { return r.raise(t.deltas.Floor()) })
}

func (t *tail) writeOne(r *rollups, s rollup.Series) error {
	return r.write(t.deltas.Take(s), &sync.Mutex{}, &t.deltas) // nobody else sees these deltas
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

// finish does the rest while no record is stored, so that from then on each is counted when it is. done is false when
// there was too much for that.
func (t *tail) finish(ctx context.Context) (done bool, err error) {
	if err := t.write(ctx); err != nil {
		return false, err
	}
	err = t.do(ctx, func(r *rollups) error {
		n, err := t.read(ctx, r.conn)
		if n == tailRows || err != nil {
			return err
		}
		for _, s := range t.deltas.Series() {
			if err := t.writeOne(r, s); err != nil {
				return err
			}
		}
		done = true
		r.mu.Lock()
		r.deltas.Start(r.last)
		r.mu.Unlock()
		return r.raise(r.last)
	})
	return done, err
}
