package otlp

import (
	"encoding/base64"
	"encoding/hex"
	"math"
	"strconv"
	"unicode/utf8"
)

// writer writes messages as OTLP's JSON, whatever format they came in: one order of fields, none that has its default
// value, 64-bit integers as strings. So a retry in the other format is a duplicate too.
type writer struct {
	Privacy
	b      []byte
	broken bool // a message could not be read to its end, or nests too deep
}

// span writes a span, and its scope's name, without what Privacy hides. isStatement tells that its name may be one.
func (w *writer) span(raw []byte, scope string, isStatement bool) {
	w.message(raw, spanSchema, maxDepth, isStatement)
	if scope != "" {
		w.b = append(w.b[:len(w.b)-1], `,"scope":`...)
		w.b = append(appendString(w.b, []byte(scope)), '}')
	}
}

// message writes an object. The last of equal fields counts, as in protobuf, and so does the last of a oneof.
func (w *writer) message(raw []byte, s *schema, depth int, isStatement bool) {
	var last [maxFields]content
	var set [maxFields]bool
	m := read(raw)
	for m.next() {
		for i := range s.fields {
			if !m.is(&s.fields[i]) {
				continue
			}
			if s.oneof {
				set = [maxFields]bool{}
			}
			last[i], set[i] = m.content, true
			break
		}
	}
	w.broken = w.broken || m.broken || depth == 0
	w.b = append(w.b, '{')
	for i := range s.fields {
		f := &s.fields[i]
		switch {
		case !set[i] || !s.oneof && f.isDefault(last[i]) || w.broken:
		case f.kind == many:
			w.many(raw, f, s, depth)
		case s == statusSchema && f.kind == text && w.drops(statusMessage):
		case s == spanSchema && f.name == "name":
			w.member(f.name)
			w.b = appendString(w.b, []byte(w.name(string(last[i].bytes), isStatement)))
		default:
			w.member(f.name)
			w.value(last[i], f, depth)
		}
	}
	w.b = append(w.b, '}')
}

const maxFields = 16 // of one schema

func (f *field) isDefault(c content) bool {
	if f.kind == id {
		return isZero(c.bytes)
	}
	return f.kind != one && c.number == 0 && len(c.bytes) == 0
}

func (w *writer) value(c content, f *field, depth int) {
	switch f.kind {
	case text:
		w.b = appendString(w.b, c.bytes)
	case id:
		w.b = append(hex.AppendEncode(append(w.b, '"'), c.bytes), '"')
	case octets:
		w.b = append(base64.StdEncoding.AppendEncode(append(w.b, '"'), c.bytes), '"')
	case small, bits:
		w.b = strconv.AppendUint(w.b, c.number, 10)
	case whole:
		w.b = append(strconv.AppendInt(append(w.b, '"'), int64(c.number), 10), '"')
	case nanos:
		w.b = append(strconv.AppendUint(append(w.b, '"'), c.number, 10), '"')
	case double:
		w.double(math.Float64frombits(c.number))
	case truth:
		w.b = strconv.AppendBool(w.b, c.number != 0)
	case one:
		w.message(c.bytes, f.of, depth-1, false)
	}
}

// many writes the messages of one field as an array. Attributes that are dropped are written all the same at first: whether
// a span is broken does not hang on a setting.
func (w *writer) many(raw []byte, f *field, in *schema, depth int) {
	begin := len(w.b)
	w.member(f.name)
	w.b = append(w.b, '[')
	none := true
	for m := read(raw); m.next() && !w.broken; {
		if !m.is(f) {
			continue
		}
		before := len(w.b)
		if !none {
			w.b = append(w.b, ',')
		}
		if f.of == attributeSchema && in != mapSchema {
			if name := w.attribute(m.bytes, depth-1); w.drops(name) {
				w.b = w.b[:before]
				continue
			}
		} else {
			w.message(m.bytes, f.of, depth-1, false)
		}
		none = false
	}
	if none {
		w.b = w.b[:begin]
		return
	}
	w.b = append(w.b, ']')
}

// attribute writes an attribute of a span, an event or a link, and returns its name.
func (w *writer) attribute(raw []byte, depth int) (name string) {
	key, value := pair(raw)
	name = string(key)
	if plain, ok := textOf(value); ok && w.changes(name) {
		w.b = appendString(append(w.b, `{"key":`...), key)
		w.b = appendString(append(w.b, `,"value":{"stringValue":`...), []byte(w.shown(name, string(plain))))
		w.b = append(w.b, "}}"...)
	} else {
		w.message(raw, attributeSchema, depth, false)
	}
	return name
}

// member writes the name of a member, and the comma before it.
func (w *writer) member(name string) {
	if w.b[len(w.b)-1] != '{' {
		w.b = append(w.b, ',')
	}
	w.b = append(append(append(w.b, '"'), name...), `":`...)
}

// double writes a number as protobuf's JSON does, which has words for what JSON has no number for.
func (w *writer) double(x float64) {
	switch {
	case math.IsNaN(x):
		w.b = append(w.b, `"NaN"`...)
	case math.IsInf(x, 1):
		w.b = append(w.b, `"Infinity"`...)
	case math.IsInf(x, -1):
		w.b = append(w.b, `"-Infinity"`...)
	default:
		w.b = strconv.AppendFloat(w.b, x, 'g', -1, 64)
	}
}

// appendString appends a JSON string. Bytes that are no UTF-8 become U+FFFD.
func appendString(b, s []byte) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	from := 0 // what is behind it is not written yet
	for i := 0; i < len(s); {
		c := s[i]
		if ' ' <= c && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		if r, size := utf8.DecodeRune(s[i:]); c >= utf8.RuneSelf && (r != utf8.RuneError || size > 1) {
			i += size
			continue
		}
		b = append(b, s[from:i]...)
		switch {
		case c >= utf8.RuneSelf:
			b = append(b, "\ufffd"...)
		case c >= ' ':
			b = append(b, '\\', c)
		default:
			b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		}
		i++
		from = i
	}
	return append(append(b, s[from:]...), '"')
}
