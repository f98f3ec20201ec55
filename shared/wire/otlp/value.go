package otlp

import (
	"strconv"

	"github.com/bitville/listener/shared/wire/jsonvalue"
)

// attributes are those of a span that its records are made from: values by name.
type attributes map[string][]byte

// wanted are their names.
var wanted = map[string]string{}

func init() {
	for _, name := range []string{
		"db.system.name", "db.system", "db.query.text", "db.statement",
		"url.path", "url.query", "url.full", "http.url", "http.target", "http.route",
		"http.request.method", "http.method", "http.response.status_code", "http.status_code",
		"query.query_id", "backend.pid", "backend.database_id", "node.rows", "query.sql_error_code", "query.parameters",
	} {
		wanted[name] = name
	}
}

// attributes finds a span's. They hold until the next call.
func (d *decoder) attributes(raw []byte) attributes {
	clear(d.found)
	for m := read(raw); m.next(); {
		if m.is(fieldAttributes) {
			key, value := pair(m.bytes)
			if name, ok := wanted[string(key)]; ok {
				d.found[name] = value
			}
		}
	}
	return d.found
}

var (
	fieldAttributes = spanSchema.field([]byte("attributes"))
	fieldString     = valueSchema.field([]byte("stringValue"))
	fieldInt        = valueSchema.field([]byte("intValue"))
)

// pair returns the key and the value of an attribute.
func pair(raw []byte) (key, value []byte) {
	for m := read(raw); m.next(); {
		switch {
		case m.is(&attributeSchema.fields[0]):
			key = m.bytes
		case m.is(&attributeSchema.fields[1]):
			value = m.bytes
		}
	}
	return key, value
}

// textOf returns the string that a value is.
func textOf(value []byte) (text []byte, ok bool) {
	for m := read(value); m.next(); {
		text, ok = m.bytes, m.is(fieldString)
	}
	return text, ok
}

// text returns the first of some attributes that is a string and not empty.
func (a attributes) text(names ...string) string {
	for _, name := range names {
		if text, ok := textOf(a[name]); ok && len(text) > 0 {
			return string(text)
		}
	}
	return ""
}

// scalar returns the first of some attributes that is an integer or a string, nil when none is.
func (a attributes) scalar(names ...string) jsonvalue.Value {
	for _, name := range names {
		if text, ok := textOf(a[name]); ok {
			return appendString(nil, text)
		}
		for m := read(a[name]); m.next(); {
			if m.is(fieldInt) {
				return strconv.AppendInt(nil, int64(m.number), 10)
			}
		}
	}
	return nil
}
