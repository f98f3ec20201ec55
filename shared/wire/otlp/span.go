package otlp

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"unsafe"

	"github.com/bitville/listener/shared/record"
)

// span is what is known of each span of a body.
type span struct {
	raw        []byte // protobuf
	scope      *scope
	trace      [16]byte
	id, parent [8]byte // no parent: zeros
	start, end uint64  // Unix ns
	index      int32   // in the body, broken ones counted
	role       role
	ran        bool  // a statement of pg_tracing was planned or run
	owner      int32 // the request or statement that it is a part of, or none
	first      int32 // that it owns, in the order of the body, or none
	next       int32 // that its owner owns, or none
}

// none stands for no span.
const none = -1

type scope struct {
	name string
	of   *resource
}

type resource struct{ service string }

// A role is what becomes of a span.
type role uint8

const (
	part            role = iota // of a request
	request                     // a record of PHP
	clientStatement             // a record of Postgres, as its client saw it, and a part of a request
	serverStatement             // of pg_tracing: a record of Postgres, when it ran
	utility                     // of pg_tracing: COMMIT, SET and the like
	planOrRun                   // of pg_tracing: what a statement that ran has below it
	planNode                    // of pg_tracing: all else
)

// isServer tells pg_tracing's spans.
func (r role) isServer() bool { return r >= serverStatement }

// owns tells the spans that have parts.
func (r role) owns() bool { return r == request || r == serverStatement || r == utility }

// source is what a span's records are, or would be.
func (r role) source() record.Source {
	if r == clientStatement || r.isServer() {
		return record.Postgres
	}
	return record.PHP
}

// Kinds of spans.
const (
	kindServer   = 2
	kindConsumer = 5
)

// roleOf tells a span's role. All of pg_tracing's are of kind SERVER, so that they are told first.
func roleOf(name []byte, kind uint64, a attributes) role {
	_, hasQuery := a["query.query_id"]
	_, hasBackend := a["backend.pid"]
	switch {
	case hasQuery && hasBackend:
		return planNode
	case kind == kindServer || kind == kindConsumer:
		return request
	case a.text("db.system.name", "db.system") != "postgresql":
		return part
	}
	// PDO::prepare has a text too, and runs nothing. To connect has none.
	if isExecute(name) || a.text("db.query.text", "db.statement") != "" && string(name) != "PDO::prepare" {
		return clientStatement
	}
	return part
}

// roleIn tells the role of a span of pg_tracing, whose scope is its type.
func roleIn(scope string) role {
	switch {
	case scope == "Utility query":
		return utility
	case strings.HasSuffix(scope, " query"):
		return serverStatement
	case scope == "Planner" || scope == "ExecutorRun" || scope == "ProcessUtility":
		return planOrRun
	}
	return planNode
}

// isExecute tells the one span that runs a statement and has no text of it: that is in the span of PDO::prepare.
func isExecute(name []byte) bool { return string(name) == "PDOStatement::execute" }

// add takes the next span of the body, or rejects it.
func (d *decoder) add(raw []byte, in *scope) {
	s := span{raw: raw, scope: in, index: int32(d.index), owner: none, first: none, next: none}
	d.index++
	problem := func(path, message string) { d.reject(&s, s.role.source(), record.Detail{Path: path, Message: message}) }
	if len(raw) > record.MaxBytes {
		problem("", "the span is larger than a record may be")
		return
	}
	var name []byte
	var kind uint64
	var trace, id, parent []byte
	m := read(raw)
	for m.next() {
		switch {
		case m.is(fieldTrace):
			trace = m.bytes
		case m.is(fieldID):
			id = m.bytes
		case m.is(fieldParent):
			parent = m.bytes
		case m.is(fieldName):
			name = m.bytes
		case m.is(fieldKind):
			kind = m.number
		case m.is(fieldStart):
			s.start = m.number
		case m.is(fieldEnd):
			s.end = m.number
		}
	}
	s.role = roleOf(name, kind, d.attributes(raw))
	switch {
	case copy(s.trace[:], trace) != len(s.trace) || len(trace) > len(s.trace):
		problem("correlation_id", "must be a trace id of 16 bytes")
		return
	case copy(s.id[:], id) != len(s.id) || len(id) > len(s.id) || isZero(id):
		problem("", "the span id must be 8 bytes, and not all zeros")
		return
	case copy(s.parent[:], parent) != len(parent) || len(parent) != 0 && len(parent) != len(s.parent):
		problem("", "the parent span id must be 8 bytes, or none")
		return
	case s.end < s.start:
		problem("duration_ms", "must not be negative: the span ends before it starts")
		return
	}
	// What is wrong with any of its records would be: the id and the times.
	for _, time := range []uint64{s.start, s.end} {
		probe := record.Record{Project: d.rules.Project, CorrelationID: s.correlationID(), Timestamp: micros(time), Name: "-"}
		if found := probe.Validate(s.role.source(), d.rules); len(found) > 0 {
			d.reject(&s, s.role.source(), found...)
			return
		}
	}
	d.w.b, d.w.broken = d.w.b[:0], m.broken
	if !d.grow(most(raw)) {
		return
	}
	if d.w.span(raw, in.name, false); d.w.broken {
		problem("", "the span cannot be read to its end")
		return
	}
	if len(d.spans) == cap(d.spans) {
		grown := max(32, cap(d.spans))
		d.charge((cap(d.spans) + grown) * int(unsafe.Sizeof(s)+unsafe.Sizeof(s.index)))
		if d.err != nil {
			return
		}
		d.spans = slices.Grow(d.spans, grown)
	}
	d.spans = append(d.spans, s)
}

// most is how many bytes a span's JSON can have: its fields, and in those that it has many of up to eight for each byte.
func most(raw []byte) int { return 2048 + 8*len(raw) }

var (
	fieldTrace  = spanSchema.field([]byte("traceId"))
	fieldID     = spanSchema.field([]byte("spanId"))
	fieldParent = spanSchema.field([]byte("parentSpanId"))
	fieldName   = spanSchema.field([]byte("name"))
	fieldKind   = spanSchema.field([]byte("kind"))
	fieldStart  = spanSchema.field([]byte("startTimeUnixNano"))
	fieldEnd    = spanSchema.field([]byte("endTimeUnixNano"))
	fieldLinks  = spanSchema.field([]byte("links"))
)

// correlationID is the trace's id as a UUID.
func (s *span) correlationID() string {
	id, _ := record.CorrelationID(hex.EncodeToString(s.trace[:]))
	return id
}

// micros rounds Unix nanoseconds to microseconds.
func micros(ns uint64) int64 { return int64(ns/1000 + (ns%1000+500)/1000) }

func isZero(id []byte) bool { return len(bytes.Trim(id, "\x00")) == 0 }
