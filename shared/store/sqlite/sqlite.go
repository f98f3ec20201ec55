// Package sqlite keeps records in one SQLite file beside the process.
//
// One goroutine owns the only writing connection. Concurrent inserts share a transaction (group commit),
// and each of them returns after that transaction has committed: a process killed at any moment has kept
// every record that it acknowledged. Reads have connections of their own and never wait for the writer.
package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/rollup"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/sqlite/walfile"
)

const defaultHistory = 90 * 24 * time.Hour

// Config says how to open a database.
type Config struct {
	Path        string // of the file; it is made when missing, its folder is not
	Synchronous string // NORMAL or FULL: what a power cut may cost, see PRAGMA synchronous
	Now         func() time.Time
	Log         *slog.Logger  // told what is done to an older file, or one that lacks something; may be nil
	Observe     func(Commit)  // told of each group, by the writer, which waits meanwhile; may be nil
	History     time.Duration // that daily figures are kept; 0 is 90 days
	Exclusive   bool          // fail when another process has it open so; keep the rollups, which one process must do alone

	vfs func() (string, error) // walfile.Register, or what a test makes of it
}

// DB is an open database. Its methods may be called from any goroutine.
type DB struct {
	*Reader
	cfg    Config
	file   *file
	writer *writer
	done   sync.WaitGroup // the goroutines of the writer and of its checkpointer
}

// Open opens or makes the database and brings its schema up to date. A file that is not a listener's, or
// that a newer version made, is refused and left as it is.
func Open(ctx context.Context, cfg Config) (_ *DB, err error) {
	if cfg.Path, err = reach(cfg.Path); err != nil {
		return nil, err
	}
	defer func() { err = refusal(cfg.Path, err) }()
	cfg.History = cmp.Or(cfg.History, defaultHistory)
	cfg.Log = cmp.Or(cfg.Log, slog.New(slog.DiscardHandler))
	if cfg.vfs == nil {
		cfg.vfs = walfile.Register
	}
	if err := prepareFile(ctx, cfg.Path); err != nil {
		return nil, err
	}
	db := &DB{cfg: cfg}
	if db.file, err = openFile(cfg.Path); err != nil {
		return nil, err
	}
	vfs, err := cfg.vfs()
	if err != nil {
		cfg.Log.Warn("writing the WAL as SQLite does, which takes more time", "error", err.Error())
		vfs = ""
	}
	pool := openPool(cfg.Path, "rw", vfs, 1)
	defer func() {
		if err != nil { // in this order: to close the file drops the process's locks on it
			_ = pool.Close()
			_ = db.file.disk.Close()
		}
	}()
	if cfg.Exclusive && !tryLock(db.file.disk) {
		return nil, errors.New("another listener serves it; stop that one first, or name another file")
	}
	if db.writer, err = db.newWriter(ctx, pool); err != nil {
		return nil, err
	}
	if db.Reader, err = OpenReader(ctx, cfg.Path); err != nil {
		return nil, err
	}
	if cfg.Exclusive {
		db.Reader.rollups = db.writer.rollups
	}
	db.done.Go(db.writer.run)
	db.done.Go(db.writer.wal.run)
	if cfg.Exclusive {
		db.done.Go(db.catchUp)
	}
	return db, nil
}

// newWriter opens the writing connection and makes the file one of today's version.
func (db *DB) newWriter(ctx context.Context, pool *sql.DB) (*writer, error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, explain(err)
	}
	if err := configure(ctx, conn, db.cfg.Synchronous); err != nil {
		return nil, err
	}
	changed, err := migrate(ctx, conn, db.cfg.Log)
	if err != nil {
		return nil, err
	}
	if changed { // the WAL may be too long to take records
		_, _, _ = checkpoint(ctx, conn, "TRUNCATE")
	}
	insert, err := conn.PrepareContext(ctx, insertRecord)
	if err != nil {
		return nil, fmt.Errorf("prepare insert: %w", err)
	}
	queue := newQueue()
	wal := &checkpointer{file: db.file, queue: queue}
	rollups, err := newRollups(ctx, conn, wal.mayWrite, db.cfg.Log, db.cfg.Exclusive)
	if err != nil {
		return nil, err
	}
	return &writer{
		queue: queue, pool: pool, conn: conn, insert: insert, now: db.cfg.Now, observe: db.cfg.Observe,
		wal: wal, rollups: rollups,
	}, nil
}

// Admit tells at once whether Insert would find the queue full: a *store.Unavailable, or nil.
func (db *DB) Admit() error { return db.writer.admit() }

// Insert stores the records in one transaction and returns once it has committed. An error is a
// *store.Unavailable: the records may or may not have been stored, and sending them again is safe. When ctx
// ends first the caller is let go, but what is queued is stored all the same.
func (db *DB) Insert(ctx context.Context, records []record.Record) (store.Result, error) {
	j := db.newJob(records)
	if err := db.writer.enqueue(j); err != nil {
		return store.Result{}, err
	}
	return j.wait(ctx)
}

// newJob does what needs no writer.
func (db *DB) newJob(records []record.Record) *job {
	j := &job{records: records, packed: make([][]byte, len(records)), points: make([]rollup.Point, len(records)), done: make(chan outcome, 1)}
	for i := range records {
		r := &records[i]
		j.points[i] = rollup.Derive(r)
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

// Close stores what is queued, copies the WAL into the database and closes it. A file that another program wrote to it
// leaves as it is, with its WAL, and open: SQLite would copy as well.
func (db *DB) Close() error {
	if !db.writer.queue.close() {
		return nil
	}
	db.done.Wait()
	if err := db.file.look(); err != nil {
		return err
	}
	err := db.Reader.Close()
	_, _, cpErr := checkpoint(context.Background(), db.writer.conn, "TRUNCATE")
	return errors.Join(err, cpErr, db.writer.insert.Close(), db.writer.rollups.close(), db.writer.conn.Close(), db.writer.pool.Close(), db.file.disk.Close())
}
