package bitville

import (
	"bytes"
	"fmt"

	"github.com/bitville/listener/shared/record"
)

// The fields of the contract, in the order in which their problems are told.
const (
	fieldProject = iota
	fieldCorrelationID
	fieldTimestamp
	fieldDuration
	fieldName // request_uri or query: Source.NameField
	fieldPayload
	contractFields
)

// fields is where the fields of one record stand in the body. Nothing is decoded or copied yet.
type fields struct {
	problem string                 // why this is no record at all, or ""
	offset  *int                   // where it stops being JSON, nil when it does not
	value   [contractFields][]byte // the raw JSON of each, nil when missing
	depth   [contractFields]int
	repeats [contractFields]bool
	other   []member // at most maxAttributes of them: there is no record with more
	others  int      // how many there are
	size    int      // bytes of the record's JSON
}

type member struct {
	name  []byte // the raw JSON string
	value []byte
	depth int
}

// scanFields scans the value that starts at i.
func scanFields(b []byte, i int, nameField string) (f fields, end int, ok bool) {
	if i == len(b) {
		return f, i, false
	}
	start := i
	if b[i] != '{' {
		if end, _, ok = scanValue(b, i); ok {
			f.problem = "must be a JSON object, not " + kind(b[i]) + noRecord(b[i:end])
		}
		return f, end, ok
	}
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == '}' {
		f.size = i + 1 - start
		return f, i + 1, true
	}
	for {
		nameStart := i
		nameEnd, valueStart, ok := scanName(b, i)
		if !ok {
			return f, valueStart, false
		}
		end, depth, ok := scanValue(b, valueStart)
		if !ok {
			return f, end, false
		}
		f.add(member{b[nameStart:nameEnd], b[valueStart:end], depth}, nameField)
		i = skipSpace(b, end)
		switch {
		case i < len(b) && b[i] == ',':
			i = skipSpace(b, i+1)
		case i < len(b) && b[i] == '}':
			f.size = i + 1 - start
			return f, i + 1, true
		default:
			return f, i, false
		}
	}
}

func (f *fields) add(m member, nameField string) {
	n := contractField(m.name, nameField)
	switch {
	case n == contractFields:
		if f.others++; f.others <= maxAttributes {
			f.other = append(f.other, m)
		}
	case f.value[n] != nil:
		f.repeats[n] = true
	default:
		f.value[n], f.depth[n] = m.value, m.depth
	}
}

// envelopeLevels is how deep records are looked for in what is none: {"data":{"records":[…]}} has two levels.
const envelopeLevels = 2

// isEnvelope tells whether no field of the contract is there, but an object or an array that begins with one has some, at
// most so many levels down.
func (f *fields) isEnvelope(nameField string, levels int) bool {
	if levels == 0 || f.hasAny() {
		return false
	}
	for _, m := range f.other {
		at := 0
		if m.value[0] == '[' {
			at = skipSpace(m.value, 1)
		}
		if m.value[at] != '{' {
			continue
		}
		if inner, _, _ := scanFields(m.value, at, nameField); inner.hasAny() || inner.isEnvelope(nameField, levels-1) {
			return true
		}
	}
	return false
}

// hasAny tells whether a field of the contract is there.
func (f *fields) hasAny() bool {
	for _, v := range f.value {
		if v != nil {
			return true
		}
	}
	return false
}

// contractField tells which field a member's raw name is, contractFields for none of them. Names are
// compared exactly, after their escapes are decoded.
func contractField(raw []byte, nameField string) int {
	name := raw[1 : len(raw)-1]
	if bytes.IndexByte(name, '\\') >= 0 {
		text, _ := unquote(raw)
		name = []byte(text)
	}
	switch string(name) {
	case "project":
		return fieldProject
	case "correlation_id":
		return fieldCorrelationID
	case "timestamp":
		return fieldTimestamp
	case "duration_ms":
		return fieldDuration
	case nameField:
		return fieldName
	case "profiling_data":
		return fieldPayload
	}
	return contractFields
}

// attributes writes the extra fields as one JSON object, names and values as they were sent.
func (f *fields) attributes() []byte {
	if len(f.other) == 0 {
		return nil
	}
	size := 1
	for _, m := range f.other {
		size += len(m.name) + len(m.value) + 2
	}
	out := make([]byte, 0, size)
	for i, m := range f.other {
		out = append(out, "{,"[min(i, 1)])
		out = append(out, m.name...)
		out = append(out, ':')
		out = append(out, m.value...)
	}
	return append(out, '}')
}

// kind names the JSON type of a value by its first byte, with its article.
func kind(first byte) string {
	switch first {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

// tooDeep says that a value nests deeper than record.MaxDepth.
func tooDeep(depth int) string {
	return fmt.Sprintf("is nested %d deep; at most %d", depth, record.MaxDepth)
}
