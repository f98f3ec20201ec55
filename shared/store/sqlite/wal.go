package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/bitville/listener/shared/store"
)

const (
	// walInterval keeps a promise: with synchronous NORMAL a commit is safe from a power cut once a
	// checkpoint has synced the log, and at most the last second may be lost.
	walInterval  = 500 * time.Millisecond
	walAnew      = 16 << 20  // bytes of log that are worth beginning it anew
	walKept      = 64 << 20  // bytes of file that are kept then: to write over is cheaper than to append
	walSoftLimit = 96 << 20  // bytes; above it the writer helps
	walHardLimit = 128 << 20 // bytes; above it ingest waits for the checkpoint
	spaceReserve = 4 << 20   // bytes that stay free, so that a purge can work on a full disk
)

// wal is the write-ahead log as the writer sees it.
type wal struct {
	path     string
	failure  atomic.Pointer[error] // of the last checkpoint in the background: what is written meanwhile, a power cut might take
	relieved time.Time             // when the writer last tried to empty it
}

func (w *wal) size() int64 {
	info, err := os.Stat(w.path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// checkpointer copies the log into the database in the background, as long as there is anything to copy, and has it
// begin anew when it has grown.
func (db *DB) checkpointer() {
	pool := openPool(db.cfg.Path, "rw", 1)
	defer pool.Close()
	ctx := context.Background()
	tick := time.NewTicker(walInterval)
	defer tick.Stop()
	for {
		select {
		case <-db.stop:
			return
		case <-tick.C:
		}
		if db.watch.isForeign() {
			db.log.failure.Store(&errForeign)
			continue // the log may be all that is left
		}
		conn, err := pool.Conn(ctx)
		if err != nil {
			continue // an insert meets the same error, and tells it
		}
		if err := db.copyLog(ctx, conn); err != nil {
			db.log.failure.Store(&err)
			// SQLite opens what it may not write for reading, and would never write to it then.
			_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		} else {
			db.log.failure.Store(nil)
		}
		_ = conn.Close()
	}
}

// copyLog copies what it can of the log. That another process has a lock is no error.
func (db *DB) copyLog(ctx context.Context, conn *sql.Conn) error {
	frames, copied, err := checkpoint(ctx, conn, "PASSIVE")
	whole := 0
	switch {
	case err == nil && frames > walAnew/pageSize:
		db.beginAnew(ctx, conn)
	case err == nil && frames == copied:
		whole = frames
	}
	if err == nil || isLocked(err) {
		err = db.watch.note(whole)
	}
	const toWrite = 2
	if denied := syscall.Access(db.cfg.Path, toWrite); err != nil && denied != nil { // which SQLite tells as any other fault
		return &store.Unavailable{Reason: reasons[sqlite3.SQLITE_READONLY], RetryAfter: 5 * time.Second, Err: errors.Join(denied, err)}
	}
	return explain(err)
}

// beginAnew has the writer begin the log at its start again. For that a checkpoint must reach the log's end, which
// under load only the writer's can, between two groups; and that one has to wait until the disk has all pages of
// the database, those of the passes before too, which don't. So a pass here leaves it little to copy, and the sync of
// the file little to wait for: ingest waits for milliseconds, not tens of them.
func (db *DB) beginAnew(ctx context.Context, conn *sql.Conn) {
	if db.disk.Sync() != nil {
		return // the writer's checkpoint meets it too, and must not believe that all is well
	}
	_, _, _ = checkpoint(ctx, conn, "PASSIVE")
	_ = db.disk.Sync()
	_ = db.do(ctx, func(conn *sql.Conn) error {
		_, _, err := checkpoint(ctx, conn, "PASSIVE")
		return err
	})
}

// relieve lets the writer checkpoint when the log grows faster than the background copies it. Above the hard limit
// the log is cut, unless a reader still needs it.
func (db *DB) relieve() {
	size := db.log.size()
	if size <= walSoftLimit || db.log.failure.Load() != nil || time.Since(db.log.relieved) < 100*time.Millisecond {
		return
	}
	ctx := context.Background()
	frames, copied, err := checkpoint(ctx, db.conn, "PASSIVE")
	if err == nil && frames == copied && size > walHardLimit {
		_, _, _ = checkpoint(ctx, db.conn, "TRUNCATE")
	}
	db.log.relieved = time.Now()
}

// checkpoint runs one checkpoint. frames is how many pages the log holds, and copied how many of them the
// database has; a checkpoint that was kept from its work says so by these, not by an error.
func checkpoint(ctx context.Context, conn *sql.Conn, mode string) (frames, copied int, err error) {
	var busy int
	err = conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &frames, &copied)
	return frames, copied, err
}

// mayWrite refuses to write into a file that is no longer there, and while the log cannot shrink or the disk
// is nearly full.
func (db *DB) mayWrite() error {
	if info, err := os.Stat(db.cfg.Path); err != nil || !os.SameFile(info, db.file) {
		return &store.Unavailable{Reason: "the database file was removed or replaced; restart the listener", RetryAfter: 30 * time.Second, Err: err}
	}
	if err := db.log.failure.Load(); err != nil {
		return *err
	}
	log := db.log.size()
	if log > walHardLimit {
		return &store.Unavailable{Reason: "the database's log is full: a reader holds it", RetryAfter: 5 * time.Second}
	}
	free, err := db.free()
	if err == nil && free < log+spaceReserve {
		return &store.Unavailable{Reason: "the disk is nearly full", RetryAfter: 30 * time.Second}
	}
	return nil
}

// freeSpace returns the bytes that may still be written beside the database.
func (db *DB) freeSpace() (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(db.cfg.Path), &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil
}
