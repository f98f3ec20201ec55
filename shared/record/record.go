// Package record knows what one profiling record is: which fields the wire format has, what each must
// hold, and how a request body is cut into records. A record is checked whole, so that an agent's author
// sees every problem of it at once, and what is free-form (profiling_data, extra fields) is kept byte for
// byte: no number passes through a float and no text is written anew.
package record

import "time"

// Limits of the wire format. They hold in every host.
const (
	MaxRecords    = 5000     // records in one body
	MaxBody       = 32 << 20 // bytes of one body, decompressed
	MaxBytes      = 4 << 20  // bytes of one record's JSON: a libSQL server refuses a row above 5,000,000
	MaxDepth      = 512      // nesting of profiling_data or of an extra field: PHP's limit; SQLite's JSON functions end at 1,000
	MaxAttributes = 1000     // extra fields of one record
	MaxProject    = 50       // characters of a project's name
	maxDetails    = 20       // problems listed for one record
	maxTold       = 500      // problems told of one body; a record beyond has its first problem's path alone
	maxAhead      = time.Hour
)

// Source is what sets one kind of agent's records apart from another's.
type Source struct {
	ID           string // what the column source holds: "php_agent"
	NameField    string // the required field that says what was profiled: "request_uri"
	MaxNameBytes int    // the longest NameField, in bytes of UTF-8
}

// Record is one valid profiling record, ready to be stored. Attributes and Payload may share memory with
// the body that they were decoded from.
type Record struct {
	CorrelationID string   // lower-case UUID with dashes: the PHP request that caused it
	Project       string   // as the key spells it, so that one project never splits
	Source        string   // Source.ID
	Timestamp     int64    // Unix microseconds
	DurationMS    *float64 // milliseconds, finite and not negative; nil when the agent does not know
	Name          string   // the request_uri or the query
	Attributes    []byte   // every other field as one JSON object, nil when there is none
	Payload       []byte   // profiling_data: a JSON object, byte for byte as it was sent
	Digest        int64    // see digest: equal records under one correlation id are stored once
}

// Detail is one problem of a record.
type Detail struct {
	Path    string `json:"path"` // the field, or "" for the record as a whole
	Message string `json:"message"`
}

// Rejection lists the problems of one record of a batch; Index counts the batch's records from 0.
type Rejection struct {
	Index   int      `json:"index"`
	Details []Detail `json:"details"`
	Offset  *int     `json:"-"` // of the first byte that cannot be right, in a line that is not JSON; else nil
}

// Batch is what a body held.
type Batch struct {
	Records  []Record
	Rejected []Rejection
	Single   bool // the body was one JSON value, not an array or lines
}
