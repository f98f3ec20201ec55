package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync/atomic"
	"syscall"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/bitville/listener/shared/store"
)

const (
	// walInterval keeps a promise: with synchronous NORMAL a commit is safe from a power cut once a
	// checkpoint has synced the WAL, and at most the last second may be lost.
	walInterval  = 500 * time.Millisecond
	walRestart   = 16 << 20  // bytes of WAL from which on it is begun anew
	walKept      = 64 << 20  // bytes of file that are kept then: to write over is cheaper than to append
	walSoftLimit = 96 << 20  // bytes; above it the writer helps
	walHardLimit = 128 << 20 // bytes; above it ingest waits for the checkpoint
	spaceReserve = 4 << 20   // bytes that stay free, so that a purge can work on a full disk
)

// checkpointer copies the WAL into the database in the background, as long as there is anything to copy, and has it begin
// anew when it has grown.
type checkpointer struct {
	file     *file
	queue    *queue                // of the writer
	failure  atomic.Pointer[error] // of the last checkpoint in the background: what is written meanwhile, a power cut might take
	relieved time.Time             // when the writer last tried to empty the WAL; the writer's
}

// run is the checkpointer's goroutine. It ends when the queue is closed.
func (c *checkpointer) run() {
	pool := openPool(c.file.path, "rw", "", 1)
	defer pool.Close()
	ctx := context.Background()
	tick := time.NewTicker(walInterval)
	defer tick.Stop()
	for {
		select {
		case <-c.queue.stop:
			return
		case <-tick.C:
		}
		if c.file.look() != nil {
			c.failure.Store(&errTampered)
			continue // the WAL may be all that is left
		}
		conn, err := pool.Conn(ctx)
		if err != nil {
			continue // an insert meets the same error, and tells it
		}
		if err := c.copy(ctx, conn); err != nil {
			c.failure.Store(&err)
			// SQLite opens what it may not write for reading, and would never write to it then.
			_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		} else {
			c.failure.Store(nil)
		}
		_ = conn.Close()
	}
}

// copy copies what it can of the WAL. That another process has a lock is no error.
func (c *checkpointer) copy(ctx context.Context, conn *sql.Conn) error {
	frames, copied, err := checkpoint(ctx, conn, "PASSIVE")
	if err == nil && frames > walRestart/pageSize {
		frames, copied = c.restart(ctx, conn)
	}
	if err == nil && frames == copied {
		err = c.file.note()
	}
	const toWrite = 2
	if denied := syscall.Access(c.file.path, toWrite); err != nil && denied != nil { // which SQLite tells as any other fault
		return &store.Unavailable{Reason: reasons[sqlite3.SQLITE_READONLY], RetryAfter: 5 * time.Second, Err: errors.Join(denied, err)}
	}
	if isLocked(err) {
		return nil
	}
	return explain(err)
}

// restart has the writer begin the WAL at its start again. For that a checkpoint must reach the WAL's end, which
// under load only the writer's can, between two groups; and that one has to wait until the disk has all pages of
// the database, those of the passes before too, which don't. So a pass here leaves it little to copy, and the sync of
// the file little to wait for: ingest waits for milliseconds, not tens of them. The result is the writer's checkpoint's.
func (c *checkpointer) restart(ctx context.Context, conn *sql.Conn) (frames, copied int) {
	frames = -1 // unlike copied: not whole
	if c.file.disk.Sync() != nil {
		return // the writer's checkpoint meets it too, and must not believe that all is well
	}
	_, _, _ = checkpoint(ctx, conn, "PASSIVE")
	_ = c.file.disk.Sync()
	_ = c.queue.do(ctx, func(conn *sql.Conn) error {
		n, done, err := checkpoint(ctx, conn, "PASSIVE")
		if err == nil {
			frames, copied = n, done
		}
		return err
	})
	return frames, copied
}

// relieve lets the writer checkpoint when the WAL grows faster than the background copies it. Above the hard limit
// the WAL is cut, unless a reader still needs it.
func (c *checkpointer) relieve(conn *sql.Conn) {
	size := c.file.walBytes()
	if size <= walSoftLimit || c.failure.Load() != nil || time.Since(c.relieved) < 100*time.Millisecond {
		return
	}
	ctx := context.Background()
	frames, copied, err := checkpoint(ctx, conn, "PASSIVE")
	if err == nil && frames == copied && size > walHardLimit {
		_, _, _ = checkpoint(ctx, conn, "TRUNCATE")
	}
	c.relieved = time.Now()
}

// checkpoint runs one checkpoint. frames is how many pages the WAL holds, and copied how many of them the
// database has; a checkpoint that was kept from its work says so by these, not by an error.
func checkpoint(ctx context.Context, conn *sql.Conn, mode string) (frames, copied int, err error) {
	var busy int
	err = conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &frames, &copied)
	return frames, copied, err
}

// mayWrite refuses to write into a file that is no longer there, and while the WAL cannot shrink or the disk
// is nearly full.
func (c *checkpointer) mayWrite() error {
	if err := c.file.replaced(); err != nil {
		return err
	}
	if err := c.failure.Load(); err != nil {
		return *err
	}
	wal := c.file.walBytes()
	if wal > walHardLimit {
		return &store.Unavailable{Reason: "the database's WAL is full: a reader holds it", RetryAfter: 5 * time.Second}
	}
	free, err := c.file.free()
	if err == nil && free < wal+spaceReserve {
		return &store.Unavailable{Reason: "the disk is nearly full", RetryAfter: 30 * time.Second}
	}
	return nil
}
