// Package store holds what every store of records has in common: what it does, what it reports and why it can refuse.
// The stores themselves stand in folders of their own, so that a program links only the database driver that it uses.
// One suite, storetest.Run, holds them to what is said here.
package store

import (
	"context"
	"time"

	"github.com/bitville/listener/shared/record"
)

// Store keeps records. Its methods may be called from any goroutine.
type Store interface {
	Writer
	Reader

	// Purge deletes the records whose timestamp is before the given time. The report tells what was done, with an error too.
	Purge(ctx context.Context, before time.Time) (PurgeReport, error)

	// Close ends the store when what was handed to it is stored.
	Close() error
}

// Writer takes records.
type Writer interface {
	// Admit tells at once whether Insert would have room: a *Unavailable, or nil. It is asked once a request, before the
	// request's body is read.
	Admit() error

	// Insert stores the records and returns once all are committed. An error is a *Unavailable.
	Insert(ctx context.Context, records []record.Record) (Result, error)

	// Ready tries whether a record could be stored now, and stores none. An error is a *Unavailable.
	Ready(ctx context.Context) error
}

// Reader gives records back. It never waits for a writer.
type Reader interface {
	// ByCorrelationID returns what is stored under one correlation id, a lower-case UUID with dashes: the PHP request and
	// the statements that it ran, in the order of their timestamps; nothing when there is none.
	ByCorrelationID(ctx context.Context, id string) ([]Entry, error)
}

// Result counts what became of the records of one insert.
type Result struct {
	Accepted   int // stored now, and committed
	Duplicates int // stored before: the same record under the same correlation id
}

// Count says what became of the records of one request or datagram, for metrics.
type Count struct {
	Source   string // what they are counted under: record.Source.ID
	Project  string
	Stored   Result
	Rejected []record.Rejection
}

// Unavailable is the error of a store that cannot take a record now. Nothing of the insert may be counted
// on, and sending it again is safe: what was stored all the same is then a duplicate.
type Unavailable struct {
	Reason     string        // for clients and /ready: no SQL, no paths
	RetryAfter time.Duration // when to try again
	Err        error         // the cause, for the log; may be nil
}

func (e *Unavailable) Error() string {
	if e.Err == nil {
		return "store unavailable: " + e.Reason
	}
	return "store unavailable: " + e.Reason + ": " + e.Err.Error()
}

func (e *Unavailable) Unwrap() error { return e.Err }

// PurgeReport says what one purge did.
type PurgeReport struct {
	Rows   int       // records deleted
	Pages  int       // database pages given back to the file system
	Bytes  int64     // the same in bytes
	Oldest time.Time // the oldest record left, zero when there is none

	Longest time.Duration // of its steps in a file, each of which inserts wait for; zero with a server

	Unfinished bool // the time was up before all were deleted; the next purge goes on
}

// Entry is one stored record as it is read back.
type Entry struct {
	CorrelationID string
	Project       string
	Source        string
	Timestamp     time.Time
	DurationMS    *float64 // nil when the agent did not know
	Name          string
	Attributes    string    // a JSON object, or ""
	Payload       string    // profiling_data as it was sent
	CreatedAt     time.Time // when it was stored; zero where a read does not ask for it
}
