// Package record holds what one profiling record is: its fields, its limits, the rules for its values, and the digest
// that tells a retry from another record. It knows no wire: how a client writes its records stands in shared/wire.
package record

import (
	"log/slog"
	"time"
)

// Limits of every wire and every host, where a wire does not set its own.
const (
	MaxRecords = 5000     // records in one body
	MaxBody    = 32 << 20 // bytes of one body, decompressed
	MaxBytes   = 4 << 20  // bytes of one record: a libSQL server refuses a row above 5,000,000
	MaxDepth   = 512      // nesting of profiling_data or of an extra field: PHP's limit; SQLite's JSON functions end at 1,000
	MaxProject = 50       // characters of a project's name
)

// Source is what sets one kind of agent's records apart from another's.
type Source struct {
	ID           string // what the column source holds: "php_agent"
	NameField    string // the required field that says what was profiled: "request_uri"
	MaxNameBytes int    // the longest NameField, in bytes of UTF-8
}

// Record is one profiling record. It can be stored when Validate finds nothing and Seal was called. Attributes and
// Payload may share memory with the body that they were decoded from.
type Record struct {
	CorrelationID string   // lower-case UUID with dashes: the PHP request that caused it
	Project       string   // as the key spells it, so that one project never splits
	Source        string   // Source.ID
	Timestamp     int64    // Unix microseconds
	DurationMS    *float64 // milliseconds, finite and not negative; nil when the agent does not know
	Name          string   // the request_uri or the query
	Attributes    []byte   // every other field as one JSON object, nil when there is none
	Payload       []byte   // profiling_data: a JSON object, byte for byte as it was sent
	Digest        int64    // set by Seal: equal records under one correlation id are stored once
}

// Rules are what the records of one request are held against.
type Rules struct {
	Project   string // that the request's key is for, as the key spells it
	Now       time.Time
	Retention time.Duration // older records are refused
}

// Detail is one problem of a record.
type Detail struct {
	Path    string `json:"path"` // the field, or "" for the record as a whole
	Message string `json:"message"`
}

// Rejection lists the problems of one record of a body, at least one; Index counts the body's records from 0.
type Rejection struct {
	Index   int      `json:"index"`
	Details []Detail `json:"details"`
	Offset  *int     `json:"-"` // of the first byte that cannot be right, in a line that is not JSON; else nil
}

// Attrs are the attributes of a log line on the rejection: the record's index, the path and the message of its first
// problem, and how many more it has. They hold nothing that a field held.
func (r Rejection) Attrs() []slog.Attr {
	first := r.Details[0]
	attrs := []slog.Attr{slog.Int("index", r.Index), slog.String("path", first.Path), slog.String("message", first.Message)}
	if r.Offset != nil {
		attrs = append(attrs, slog.Int("offset", *r.Offset))
	}
	if more := len(r.Details) - 1; more > 0 {
		attrs = append(attrs, slog.Int("more", more))
	}
	return attrs
}

// Batch is what a wire read from one body.
type Batch struct {
	Records  []Record
	Rejected []Rejection
	Single   bool // the body was one value, not a list of records
}
