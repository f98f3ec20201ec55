package record

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// checker holds one record against the rules and collects what is wrong.
type checker struct {
	*Decoder
	details []Detail
	foreign bool // the record names another project than the key's
}

func (c *checker) fail(path, format string, args ...any) {
	if len(c.details) < maxDetails {
		c.details = append(c.details, Detail{path, fmt.Sprintf(format, args...)})
	}
}

// record returns the record that f holds. It is valid when c.details is empty.
func (c *checker) record(f *fields) Record {
	if f.problem != "" {
		c.fail("", "%s", f.problem)
		return Record{}
	}
	if f.size > MaxBytes {
		c.fail("", "is %d bytes long; a record holds at most %d: leave out part of profiling_data", f.size, MaxBytes)
	}
	rec := Record{
		Source:        c.Source.ID,
		Project:       c.project(f),
		CorrelationID: c.correlationID(f),
		Timestamp:     c.timestamp(f),
		DurationMS:    c.duration(f),
		Name:          c.name(f),
		Payload:       c.payload(f),
		Attributes:    c.attributes(f),
	}
	if len(c.details) == 0 {
		rec.Digest = digest(&rec)
	}
	return rec
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

// text returns a required string field; ok is false when it cannot be used, which has been told then.
func (c *checker) text(f *fields, field int, path string) (text string, ok bool) {
	v := c.raw(f, field, path, `"`, "is required")
	if v == nil {
		return "", false
	}
	if bytes.IndexByte(v, '\\') < 0 {
		return string(v[1 : len(v)-1]), true
	}
	text, lone := unquote(v)
	if lone {
		c.fail(path, "holds half of a surrogate pair (\\ud800 to \\udfff), which is no character; send \\ufffd for it")
	}
	return text, !lone
}

const number = "0123456789-"

func (c *checker) project(f *fields) string {
	name, ok := c.text(f, fieldProject, "project")
	if !ok {
		return ""
	}
	if n := utf8.RuneCountInString(name); n < 1 || n > MaxProject {
		c.fail("project", "is %d characters long; 1 to %d: send the project that the key is for", n, MaxProject)
	} else if Project(name) != c.Project {
		c.foreign = true
	}
	return c.Project
}

// Project spells a project's name as keys and stored records do: ASCII letters in lower case, "-" and "."
// as "_". Nothing else is folded, so that no two scripts' look-alikes meet.
func Project(name string) string {
	same := func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		case r == '-' || r == '.':
			return '_'
		}
		return r
	}
	return strings.Map(same, name)
}

func (c *checker) correlationID(f *fields) string {
	text, ok := c.text(f, fieldCorrelationID, "correlation_id")
	if !ok {
		return ""
	}
	id, ok := CorrelationID(text)
	if !ok {
		c.fail("correlation_id", "must be a UUID (d37cc455-87f5-457f-b02d-86776b296414, its dashes may be left out) or a trace id of 32 hexadecimal digits%s", almostID(text))
	}
	// Agents without an id send one of these, and they would put together what has nothing to do with one another.
	switch strings.Trim(id, "-0") {
	case "":
		if ok {
			c.fail("correlation_id", "is all zeros, which stands for no id (the nil UUID of RFC 9562, no W3C trace id either); send the request's own, or make one")
		}
	case "ffffffff-ffff-ffff-ffff-ffffffffffff":
		c.fail("correlation_id", "is all ones, which stands for no id (the max UUID of RFC 9562); send the request's own, or make one")
	}
	return id
}

// CorrelationID returns the lower-case dashed UUID that text is: a UUID with or without its dashes, or the
// 32 hexadecimal digits of a W3C trace id. No braces, no "urn:uuid:".
func CorrelationID(text string) (id string, ok bool) {
	dashed := len(text) == 36
	if !dashed && len(text) != 32 {
		return "", false
	}
	var out [36]byte
	next := 0
	for i := range out {
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash {
			out[i] = '-'
			if !dashed {
				continue
			}
			if text[next] != '-' {
				return "", false
			}
		} else {
			h := text[next]
			if !isHex(h) {
				return "", false
			}
			if 'A' <= h && h <= 'F' {
				h += 'a' - 'A'
			}
			out[i] = h
		}
		next++
	}
	return string(out[:]), true
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
	t := int64(math.Round(seconds * 1e6))
	if t > c.Now.Add(maxAhead).UnixMicro() {
		c.fail(path, "is more than an hour ahead of the listener's clock, which says %d; set the sender's clock", c.Now.Unix())
	} else if t < c.Now.Add(-c.Retention).UnixMicro() {
		c.fail(path, "is older than the %g hours that records are kept; send records sooner, in Unix seconds, and set the sender's clock", c.Retention.Hours())
	}
	return t
}

func (c *checker) duration(f *fields) *float64 {
	const path = "duration_ms"
	v := c.raw(f, fieldDuration, path, number+"n", "is required; null when it is not known")
	if v == nil || v[0] == 'n' {
		return nil
	}
	ms, ok := c.finite(v, path)
	if ok && ms < 0 {
		c.fail(path, "must not be negative; measure it with a clock that is not set, such as PHP's hrtime")
	}
	ms = math.Abs(ms) // -0 is 0
	return &ms
}

func (c *checker) name(f *fields) string {
	path := c.Source.NameField
	text, ok := c.text(f, fieldName, path)
	if !ok {
		return ""
	}
	if len(text) < 1 {
		c.fail(path, "is empty; 1 to %d bytes", c.Source.MaxNameBytes)
	} else if len(text) > c.Source.MaxNameBytes {
		c.fail(path, "is %d bytes long; at most %d, and a longer one may be cut, between two characters", len(text), c.Source.MaxNameBytes)
	}
	if strings.IndexByte(text, 0) >= 0 {
		c.fail(path, "holds a NUL character (\\u0000); leave it out")
	}
	return text
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
	if depth := f.depth[fieldPayload]; depth > MaxDepth {
		c.fail(path, "%s", tooDeep(depth))
	}
	return v
}

func (c *checker) attributes(f *fields) []byte {
	if f.others > MaxAttributes {
		c.fail("", "has %d fields beside the contract's; at most %d: put some into one object", f.others, MaxAttributes)
	}
	for _, m := range f.other {
		if m.depth > MaxDepth {
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
