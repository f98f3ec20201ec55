package bitville

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/bitville/listener/shared/record"
)

// checker makes a record of the fields that hold one, and collects what is wrong with it.
type checker struct {
	source       record.Source
	rules        record.Rules
	details      []record.Detail
	wrongProject bool // the record names another project than the key's
}

func (c *checker) fail(path, format string, args ...any) {
	if len(c.details) < maxDetails {
		c.details = append(c.details, record.Detail{Path: path, Message: fmt.Sprintf(format, args...)})
	}
}

// record returns the record that f holds, without its seal. It is valid when c.details is empty.
func (c *checker) record(f *fields) record.Record {
	if f.problem != "" {
		c.fail("", "%s", f.problem)
		return record.Record{}
	}
	if f.isEnvelope(c.source.NameField, envelopeLevels) {
		c.fail("", "is no record, but records stand in it; send their array alone (PHP: array_values makes one of an array with gaps), or one record alone")
		return record.Record{}
	}
	if f.size > record.MaxBytes {
		c.fail("", "is %d bytes long; a record holds at most %d: leave out part of profiling_data", f.size, record.MaxBytes)
	}
	rec := record.Record{
		Source:        c.source.ID,
		Project:       record.Project(c.text(f, fieldProject, "project")),
		CorrelationID: c.correlationID(f),
		Timestamp:     c.timestamp(f),
		DurationMS:    c.duration(f),
		Name:          c.text(f, fieldName, c.source.NameField),
		Payload:       c.payload(f),
	}
	c.addProblems(rec.Validate(c.source, c.rules))
	c.wrongProject = rec.Project != c.rules.Project && !c.isTold("project")
	rec.Attributes = c.attributes(f)
	if len(c.details) > 0 {
		return record.Record{}
	}
	return rec
}

// addProblems adds the problems of the values to those of the fields, in the contract's order. A field that could not be read
// has no value to judge.
func (c *checker) addProblems(values []record.Detail) {
	if len(values) == 0 {
		return
	}
	all := slices.Clone(c.details)
	for _, v := range values {
		if !c.isTold(v.Path) {
			all = append(all, v)
		}
	}
	order := []string{"", "project", "correlation_id", "timestamp", "duration_ms", c.source.NameField, "profiling_data"}
	slices.SortStableFunc(all, func(a, b record.Detail) int { return slices.Index(order, a.Path) - slices.Index(order, b.Path) })
	c.details = all
}

// isTold tells whether a problem of a field is known.
func (c *checker) isTold(path string) bool {
	return slices.ContainsFunc(c.details, func(d record.Detail) bool { return d.Path == path })
}

// raw returns the JSON of a contract field, nil when it is missing, stands twice or is not of the type
// that a first byte from want begins; whatever is wrong is told.
func (c *checker) raw(f *fields, field int, path, want, missing string) []byte {
	v := f.value[field]
	wanted := kind(want[0])
	if strings.Contains(want, "n") {
		wanted += " or null"
	}
	switch {
	case v == nil:
		c.fail(path, "%s", missing)
	case f.repeats[field]:
		c.fail(path, "stands more than once; send it once")
	case strings.IndexByte(want, v[0]) < 0:
		c.fail(path, "must be %s, not %s%s", wanted, kind(v[0]), instead(field, v))
	default:
		return v
	}
	return nil
}

// text returns a required string field. What cannot be used is told.
func (c *checker) text(f *fields, field int, path string) string {
	missing := "is required"
	if field == fieldName {
		missing += f.otherAgent()
	}
	v := c.raw(f, field, path, `"`, missing)
	if v == nil {
		return ""
	}
	if bytes.IndexByte(v, '\\') < 0 {
		return string(v[1 : len(v)-1])
	}
	text, lone := unquote(v)
	if lone {
		c.fail(path, "holds half of a surrogate pair (\\ud800 to \\udfff), which is no character; send \\ufffd for it")
	}
	return text
}

const number = "0123456789-"

func (c *checker) correlationID(f *fields) string {
	text := c.text(f, fieldCorrelationID, "correlation_id")
	if id, ok := record.CorrelationID(text); ok {
		return id
	}
	return text
}

// finite returns the number that v is; ok is false when it is missing or beyond a float64.
func (c *checker) finite(v []byte, path string) (x float64, ok bool) {
	if v == nil {
		return 0, false
	}
	x, err := strconv.ParseFloat(string(v), 64)
	if err != nil {
		c.fail(path, "is too large a number")
		return 0, false
	}
	return x, true
}

func (c *checker) timestamp(f *fields) int64 {
	const path = "timestamp"
	seconds, ok := c.finite(c.raw(f, fieldTimestamp, path, number, "is required; send Unix seconds, such as "+now), path)
	if !ok {
		return 0
	}
	if seconds <= 0 {
		c.fail(path, "must be positive Unix seconds")
		return 0
	}
	// The year 5138 in seconds is 1973 in milliseconds: nothing that is meant falls between.
	for _, unit := range []struct {
		from float64
		name string
		by   string
	}{{1e17, "nanoseconds", "1,000,000,000"}, {1e14, "microseconds", "1,000,000"}, {1e11, "milliseconds", "1,000"}} {
		if seconds < unit.from {
			continue
		}
		if seconds >= 100*unit.from { // a date written in digits, in ticks or from another epoch
			c.fail(path, "is no Unix time; send Unix seconds, such as %s", now)
		} else {
			c.fail(path, "seems to be in %s; send Unix seconds, fractions allowed: divide it by %s", unit.name, unit.by)
		}
		return 0
	}
	return int64(math.Round(seconds * 1e6))
}

func (c *checker) duration(f *fields) *float64 {
	const path = "duration_ms"
	v := c.raw(f, fieldDuration, path, number+"n", "is required; null when it is not known")
	if v == nil || v[0] == 'n' {
		return nil
	}
	ms, _ := c.finite(v, path)
	if ms == 0 {
		ms = 0 // and not -0, which has another digest
	}
	return &ms
}

func (c *checker) payload(f *fields) []byte {
	const path = "profiling_data"
	v := c.raw(f, fieldPayload, path, "{[", "is required; {} when there is nothing")
	if v == nil {
		return nil
	}
	if v[0] == '[' {
		inner := skipSpace(v, 1)
		if v[inner] == ']' {
			return []byte("{}") // what PHP makes of an empty array
		}
		if end, _, _ := scanValue(v, inner); v[inner] == '{' && v[skipSpace(v, end)] == ']' {
			c.fail(path, "is an array of one object, as EXPLAIN (FORMAT JSON) prints it; send its element")
		} else {
			c.fail(path, "must be an object, not an array%s", instead(fieldPayload, v))
		}
		return nil
	}
	if depth := f.depth[fieldPayload]; depth > record.MaxDepth {
		c.fail(path, "%s", tooDeep(depth))
	}
	return v
}

func (c *checker) attributes(f *fields) []byte {
	if f.others > maxAttributes {
		c.fail("", "has %d fields beside the contract's; at most %d: put some into one object", f.others, maxAttributes)
	}
	for _, m := range f.other {
		if m.depth > record.MaxDepth {
			name, _ := unquote(m.name)
			c.fail(clip(name), "%s", tooDeep(m.depth))
		}
	}
	if len(c.details) > 0 {
		return nil
	}
	return f.attributes()
}

// clip cuts a name that a client chose to what an answer may repeat.
func clip(name string) string {
	const most = 64
	if len(name) <= most {
		return name
	}
	return strings.ToValidUTF8(name[:most], "") + "…"
}
