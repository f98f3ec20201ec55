package otlp

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/bitville/listener/shared/mask"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/statement"
	"github.com/bitville/listener/shared/wire/jsonvalue"
)

// records makes the body's records, in the order of its spans.
func (d *decoder) records() {
	for i := range d.spans {
		if d.err != nil {
			return
		}
		s := &d.spans[i]
		switch {
		case s.role == request:
			d.request(i, s)
		case s.role == clientStatement:
			d.clientStatement(i, s)
		case s.role == serverStatement && s.ran:
			d.serverStatement(s)
		}
	}
}

// request makes a record of PHP. Its profile is its own span and its parts.
func (d *decoder) request(i int, s *span) {
	a := d.attributes(s.raw)
	uri := a.uri()
	if !d.keeps("query_values") {
		uri = mask.URI(uri)
	}
	if uri == "" {
		uri = d.w.name(s.name(), false)
	}
	o := attributesOf("otlp", s)
	o.Text("route", a.text("http.route"))
	o.Text("method", a.text("http.request.method", "http.method"))
	o.Value("status", a.scalar("http.response.status_code", "http.status_code"))
	o.Text("service", s.scope.of.service)
	d.record(record.PHP, s, uri, o, d.partsOf(s, append(d.parts[:0], int32(i))))
}

// clientStatement makes a record of Postgres of what a client saw: its time has the network's in it.
func (d *decoder) clientStatement(i int, s *span) {
	a := d.attributes(s.raw)
	query := a.text("db.query.text", "db.statement")
	o := attributesOf("otlp", s)
	o.Text("observed_by", "client")
	if query == "" {
		query = d.prepared(s)
	}
	if query == "" {
		query = s.name()
		o.Value("query_missing", isTrue)
	}
	_, bare, _ := statement.ID(query)
	d.record(record.Postgres, s, d.query(query, bare), o, append(d.parts[:0], int32(i)))
}

// prepared returns the text that a span of PDOStatement::execute ran: its first link is to the span that has it.
func (d *decoder) prepared(s *span) string {
	for m := read(s.raw); m.next(); {
		if !m.is(fieldLinks) {
			continue
		}
		var trace [16]byte
		var id [8]byte
		for l := read(m.bytes); l.next(); {
			switch {
			case l.is(&linkSchema.fields[0]):
				copy(trace[:], l.bytes)
			case l.is(&linkSchema.fields[1]):
				copy(id[:], l.bytes)
			}
		}
		if to := d.find(trace, id); to != none {
			return d.attributes(d.spans[to].raw).text("db.query.text", "db.statement")
		}
		return ""
	}
	return ""
}

// serverStatement makes a record of Postgres of what pg_tracing saw. The comment behind a statement is that of the first
// request that ran it, and tells nothing of this one.
func (d *decoder) serverStatement(s *span) {
	a := d.attributes(s.raw)
	o := attributesOf("pg_tracing", s)
	o.Value("query_id", a.scalar("query.query_id"))
	o.Value("rows", a.scalar("node.rows"))
	if p := d.parent(s); p != none && d.spans[p].scope.name == "ExecutorRun" {
		o.Value("nested", isTrue)
	}
	o.Value("sql_error_code", a.scalar("query.sql_error_code"))
	o.Value("database_id", a.scalar("backend.database_id"))
	o.Value("backend_pid", a.scalar("backend.pid"))
	if values, ok := a["query.parameters"]; ok && d.keeps("query.parameters") {
		d.w.b = d.w.b[:0]
		if d.grow(most(values)) {
			d.w.message(values, valueSchema, maxDepth, false)
			o.Value("query.parameters", d.w.b)
		}
	}
	name := s.name()
	d.record(record.Postgres, s, d.query(name, statement.WithoutComments(name)), o, d.partsOf(s, d.parts[:0]))
}

// query returns what is stored of a statement: bare is it without a comment, which may be all of it.
func (d *decoder) query(text, bare string) string {
	if bare == "" {
		bare = text
	}
	if d.Redact {
		return cmp.Or(statement.Mask(bare), "?") // a comment alone leaves nothing
	}
	return bare
}

// partsOf appends the spans that a span owns.
func (d *decoder) partsOf(s *span, parts []int32) []int32 {
	for p := s.first; p != none; p = d.spans[p].next {
		parts = append(parts, p)
	}
	d.parts = parts
	return parts
}

// record makes a record of a span with the parts as its profile, unless it breaks a rule.
func (d *decoder) record(source record.Source, s *span, name string, o jsonvalue.Object, parts []int32) {
	name = strings.ToValidUTF8(name, "\ufffd")
	if len(name) > source.MaxNameBytes {
		name = cut(name, source.MaxNameBytes)
		o.Value(source.NameField+"_cut", isTrue)
	}
	duration := float64(s.end-s.start) / 1e6
	r := record.Record{
		CorrelationID: s.correlationID(),
		Project:       d.rules.Project,
		Source:        source.ID,
		Timestamp:     micros(s.start),
		DurationMS:    &duration,
		Name:          name,
	}
	r.Attributes = o.JSON()
	const note = `,"spans_left_out":%d}`
	if left := d.payload(parts, record.MaxBytes-len(name)-len(r.Attributes)-2*len(note)); left > 0 {
		r.Attributes = fmt.Appendf(r.Attributes[:len(r.Attributes)-1], note, left)
	}
	r.Payload = d.keep(d.w.b)
	d.charge(len(name) + cap(r.Attributes) + 4*int(unsafe.Sizeof(r)))
	if problems := r.Validate(source, d.rules); len(problems) > 0 {
		d.reject(s, source, problems...)
		return
	}
	r.Seal()
	d.batch.Records = append(d.batch.Records, r)
}

// payload writes the spans of a profile into d.w.b. It leaves out those that would make it longer than limit, and returns
// how many.
func (d *decoder) payload(parts []int32, limit int) (left int) {
	d.w.b = append(d.w.b[:0], `{"spans":[`...)
	begin := len(d.w.b)
	for _, i := range parts {
		s := &d.spans[i]
		before := len(d.w.b)
		if !d.grow(before + most(s.raw)) {
			return 0
		}
		if before > begin {
			d.w.b = append(d.w.b, ',')
		}
		if d.w.span(s.raw, s.scope.name, s.role == clientStatement); len(d.w.b)+len("]}") > limit {
			d.w.b = d.w.b[:before]
			left++
		}
	}
	d.w.b = append(d.w.b, "]}"...)
	return left
}

// cut shortens a text to at most n bytes, between two characters.
func cut(text string, n int) string {
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

func (s *span) name() (name string) {
	for m := read(s.raw); m.next(); {
		if m.is(fieldName) {
			name = string(m.bytes)
		}
	}
	return name
}

// uri returns what was asked for, "" when no attribute tells. PHP's Slim has the query in url.full alone.
func (a attributes) uri() string {
	path, full := a.text("url.path"), a.text("url.full", "http.url")
	switch {
	case path != "" && a["url.query"] != nil:
		if query := a.text("url.query"); query != "" {
			return path + "?" + query
		}
		return path
	case full != "":
		_, rest, ok := strings.Cut(full, "://")
		if !ok {
			return full
		}
		if at := strings.IndexAny(rest, "/?#"); at >= 0 {
			return "/" + strings.TrimPrefix(rest[at:], "/")
		}
		return "/"
	case path != "":
		return path
	}
	return a.text("http.target", "http.route")
}

// attributesOf begins the attributes of a record. A client of each dialect sends its spans.
func attributesOf(dialect string, s *span) (o jsonvalue.Object) {
	o.Text("dialect", dialect)
	o.Text("span_id", hex.EncodeToString(s.id[:]))
	if !isZero(s.parent[:]) && s.role != request {
		o.Text("parent_span_id", hex.EncodeToString(s.parent[:]))
	}
	return o
}

var isTrue = jsonvalue.Value("true")
