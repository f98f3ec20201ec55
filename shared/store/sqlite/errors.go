package sqlite

import (
	"errors"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/bitville/listener/shared/store"
)

var (
	errClosed    = &store.Unavailable{Reason: "the listener is stopping", RetryAfter: time.Second}
	errQueueFull = &store.Unavailable{Reason: "the queue to the database is full", RetryAfter: time.Second}

	errTampered error = &store.Unavailable{
		Reason:     "the database file was cut or overwritten by another program; stop the listener, keep the file and its -wal, and restore a backup",
		RetryAfter: 30 * time.Second,
	}
)

// reasons are SQLite's primary result codes (sqlite.org/rescode.html) in words for clients.
var reasons = map[int]string{
	sqlite3.SQLITE_BUSY:     "the database is locked by another process",
	sqlite3.SQLITE_LOCKED:   "the database is locked by another process",
	sqlite3.SQLITE_READONLY: "the database is read-only",
	sqlite3.SQLITE_IOERR:    "the disk failed to read or write",
	sqlite3.SQLITE_CORRUPT:  "the database is damaged",
	sqlite3.SQLITE_FULL:     "the disk is full",
	sqlite3.SQLITE_CANTOPEN: "the database cannot be opened",
	sqlite3.SQLITE_NOTADB:   "the file is not a database",
}

// explain makes an error of the driver a *store.Unavailable whose reason a client may read.
func explain(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*store.Unavailable](err); ok {
		return err
	}
	u := &store.Unavailable{Reason: reasons[code(err)], RetryAfter: 5 * time.Second, Err: err}
	if u.Reason == "" {
		u.Reason = "the database failed"
	}
	if isLocked(err) {
		u.RetryAfter = time.Second
	}
	return u
}

func isLocked(err error) bool {
	c := code(err)
	return c == sqlite3.SQLITE_BUSY || c == sqlite3.SQLITE_LOCKED
}

// code returns SQLite's primary result code, 0 for an error that is not SQLite's.
func code(err error) int { return extendedCode(err) & 0xff }

func extendedCode(err error) int {
	coded, ok := errors.AsType[interface {
		error
		Code() int
	}](err)
	if !ok {
		return 0
	}
	return coded.Code()
}
