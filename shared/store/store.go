// Package store holds what every store of records has in common: what an insert reports and why a store
// can refuse. The stores themselves stand in folders of their own, so that a program
// links only the database driver that it uses.
package store

import "time"

// Result counts what became of the records of one insert.
type Result struct {
	Accepted   int // stored now, and committed
	Duplicates int // stored before: the same record under the same correlation id
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
	Attributes    string // a JSON object, or ""
	Payload       string // profiling_data as it was sent
}
