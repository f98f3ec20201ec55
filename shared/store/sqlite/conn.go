package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // pure Go: one static binary, no C compiler
)

const (
	// lockTimeout is how long to wait for another process's lock. With the time in the queue it is a second,
	// below what an agent waits for an answer: a locked database is told and not timed out.
	lockTimeout = 400 * time.Millisecond
	// lockPoll is how often the writer tries meanwhile. SQLite's own schedule ends at every 100 ms, which
	// misses the gaps that a purge by another process leaves between its chunks.
	lockPoll = 2 * time.Millisecond

	pageSize = 2048 // bytes, of a new file
)

// openPool opens a pool of so many connections to a file; vfs may be "", for SQLite's own.
func openPool(path, mode, vfs string, conns int, pragmas ...string) *sql.DB {
	query := url.Values{"mode": {mode}, "_pragma": append(pragmas, fmt.Sprintf("busy_timeout(%d)", lockTimeout.Milliseconds()))}
	if vfs != "" {
		query.Set("vfs", vfs)
	}
	// An absolute path in a URL: a name may hold "?", "#" or "%".
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}
	pool, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		panic("sqlite driver is linked in: " + err.Error())
	}
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	return pool
}

// configure sets what the writing connection needs, and reads it back: SQLite ignores what it cannot do.
func configure(ctx context.Context, conn *sql.Conn, synchronous string) error {
	level, ok := map[string]string{"NORMAL": "1", "FULL": "2"}[synchronous]
	if !ok {
		return fmt.Errorf("synchronous is %q: NORMAL or FULL", synchronous)
	}
	// Before the first table; an older file keeps its own. A record dirties fewer bytes of small pages.
	if _, err := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA page_size = %d", pageSize)); err != nil {
		return explain(err)
	}
	for _, p := range []struct{ name, value string }{
		{"auto_vacuum", "2"}, // INCREMENTAL, so that a purge gives space back; only before the first table
		{"journal_mode", "wal"},
		{"synchronous", level},
		{"wal_autocheckpoint", "0"}, // the checkpointer does it, off the request path
		{"journal_size_limit", fmt.Sprint(walKept)},
		{"cache_size", "-8192"}, // 8 MiB; each commit walks the whole cache, so that more is slower
		{"busy_timeout", "0"},   // from here on whileLocked waits
	} {
		var got string
		err := conn.QueryRowContext(ctx, "PRAGMA "+p.name+" = "+p.value).Scan(&got)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return explain(err)
		}
		if err := conn.QueryRowContext(ctx, "PRAGMA "+p.name).Scan(&got); err != nil {
			return explain(err)
		}
		if got != p.value {
			return fmt.Errorf("PRAGMA %s is %s and cannot be set to %s", p.name, got, p.value)
		}
	}
	return nil
}

// whileLocked tries until no other process has the lock, for lockTimeout.
func whileLocked(try func() error) error {
	for deadline := time.Now().Add(lockTimeout); ; time.Sleep(lockPoll) {
		if err := try(); !isLocked(err) || time.Now().After(deadline) {
			return err
		}
	}
}

func pragmaInt(ctx context.Context, conn *sql.Conn, name string) (n int, err error) {
	err = conn.QueryRowContext(ctx, "PRAGMA "+name).Scan(&n)
	return n, err
}
