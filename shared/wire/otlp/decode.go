// Package otlp takes spans in OTLP, OpenTelemetry's protocol, over HTTP: what its SDKs send, and pg_tracing. A request's
// span becomes a record of PHP, and a statement's span one of Postgres, joined by their trace's id.
//
// Each span is read by itself, for a trace may come in several bodies; and what a record holds comes from its body alone,
// so that a body sent twice is stored once. JSON and protobuf make the same records.
package otlp

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"

	"github.com/bitville/listener/shared/record"
)

// ErrMalformed says that a body is not OTLP as its content type says.
var ErrMalformed = errors.New("the body is not an ExportTraceServiceRequest")

// decoder reads one body.
type decoder struct {
	Wire
	rules record.Rules
	room  func(int64) error
	err   error // of room: nothing more is read

	spans []span
	order []int32 // the spans by trace and id
	index int     // of the next span in the body, from 0
	batch record.Batch

	w       writer
	scratch int // bytes that w.b may have
	found   attributes
	parts   []int32
}

// Decode makes records of a body's spans, and rejects each one that is broken by itself: Rejection.Index counts the
// spans. The error is ErrMalformed, or room's.
func (w Wire) Decode(body []byte, contentType string, rules record.Rules, room func(int64) error) (record.Batch, error) {
	d := decoder{Wire: w, rules: rules, room: room, w: writer{Privacy: w.Privacy}, found: attributes{}}
	err := ErrMalformed
	if isProtobuf(contentType) {
		err = d.protobuf(body)
	} else if json.Valid(body) {
		err = d.json(body)
	}
	if err != nil {
		return record.Batch{}, err
	}
	if d.relate(); d.err == nil {
		d.records()
	}
	slices.SortStableFunc(d.batch.Rejected, func(a, b record.Rejection) int { return a.Index - b.Index })
	return d.batch, d.err
}

// protobuf reads an ExportTraceServiceRequest.
func (d *decoder) protobuf(body []byte) error {
	m := read(body)
	for m.next() {
		if !m.is(&bodySchema.fields[0]) {
			continue
		}
		in := &resource{}
		r := read(m.bytes)
		for r.next() {
			switch {
			case r.is(&resourceSpansSchema.fields[0]):
				in.read(r.bytes)
			case r.is(&resourceSpansSchema.fields[1]):
				of := &scope{of: in}
				s := read(r.bytes)
				for s.next() {
					switch {
					case s.is(&scopeSpansSchema.fields[0]):
						of.read(s.bytes)
					case s.is(&scopeSpansSchema.fields[1]):
						d.add(s.bytes, of)
					}
				}
				if s.broken {
					return ErrMalformed
				}
			}
		}
		if r.broken {
			return ErrMalformed
		}
	}
	if m.broken {
		return ErrMalformed
	}
	return d.err
}

// json reads the same from JSON that is valid.
func (d *decoder) json(body []byte) error {
	r := jsonReader{text: body}
	r.list("resourceSpans", func() {
		in := &resource{}
		r.list("scopeSpans", func() {
			of := &scope{of: in}
			r.list("spans", func() {
				if r.b = r.b[:0]; !r.message(spanSchema, maxDepth) {
					r.b = r.b[:0] // no id, so that it is broken
				}
				d.add(d.keep(r.b), of)
			}, "scope", func() { of.read(r.one(scopeSchema)) })
		}, "resource", func() { in.read(r.one(resourceSchema)) })
	}, "", nil)
	if r.malformed {
		return ErrMalformed
	}
	return d.err
}

func (r *resource) read(raw []byte) {
	for m := read(raw); m.next(); {
		if m.is(&resourceSchema.fields[0]) {
			if key, value := pair(m.bytes); string(key) == "service.name" {
				service, _ := textOf(value)
				r.service = string(service)
			}
		}
	}
}

func (s *scope) read(raw []byte) {
	for m := read(raw); m.next(); {
		if m.is(&scopeSchema.fields[0]) {
			s.name = string(m.bytes)
		}
	}
}

// grow makes sure that so many bytes can be written.
func (d *decoder) grow(n int) bool {
	if n > d.scratch {
		d.charge(n - d.scratch)
		d.scratch = n
	}
	if d.err == nil {
		d.w.b = slices.Grow(d.w.b, n-len(d.w.b))
	}
	return d.err == nil
}

// charge asks for memory.
func (d *decoder) charge(n int) {
	if d.err == nil {
		d.err = d.room(int64(n))
	}
}

// keep copies what a record will hold.
func (d *decoder) keep(b []byte) []byte {
	if d.charge(len(b)); d.err != nil {
		return nil
	}
	return bytes.Clone(b)
}

// reject lists what is wrong with a span.
func (d *decoder) reject(s *span, source record.Source, problems ...record.Detail) {
	d.charge(512)
	if d.err == nil {
		d.batch.Rejected = append(d.batch.Rejected, record.Rejection{Index: int(s.index), Details: problems, Source: source.ID})
	}
}
