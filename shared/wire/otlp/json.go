package otlp

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// jsonReader walks JSON that json.Valid has accepted, without building what nobody asks for, and writes messages of it as
// protobuf: one format is mapped alone. Each of its methods goes behind the value at hand.
type jsonReader struct {
	text []byte
	at   int
	b    []byte // the protobuf
	name []byte // of the member at hand

	malformed bool
}

// peek returns the byte that the next value begins with, or 0 at the end.
func (r *jsonReader) peek() byte {
	for ; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; c {
		case ' ', '\t', '\n', '\r', ',', ':':
		default:
			return c
		}
	}
	return 0
}

// enter goes into an object or an array, behind any other value.
func (r *jsonReader) enter(open byte) bool {
	if r.peek() != open {
		r.skip()
		return false
	}
	r.at++
	return true
}

// more tells whether another item follows in what was entered, and leaves it otherwise.
func (r *jsonReader) more(end byte) bool {
	if r.peek() == end {
		r.at++
		return false
	}
	return true
}

func (r *jsonReader) skip() {
	for depth := 0; ; {
		switch r.peek() {
		case '{', '[':
			depth++
			r.at++
		case '}', ']':
			depth--
			r.at++
		case '"':
			r.literal()
		default:
			r.word()
		}
		if depth == 0 {
			return
		}
	}
}

// literal reads a string with its quotes.
func (r *jsonReader) literal() []byte {
	r.peek()
	begin := r.at
	for r.at++; r.text[r.at] != '"'; r.at++ {
		if r.text[r.at] == '\\' {
			r.at++
		}
	}
	r.at++
	return r.text[begin:r.at]
}

// word reads a number, true, false or null.
func (r *jsonReader) word() []byte {
	r.peek()
	begin := r.at
	for r.at < len(r.text) && bytes.IndexByte([]byte(" \t\r\n,:{}[]\""), r.text[r.at]) < 0 {
		r.at++
	}
	return r.text[begin:r.at]
}

// unquote appends the text of a literal. Half of a surrogate pair becomes U+FFFD.
func unquote(b, literal []byte) []byte {
	literal = literal[1 : len(literal)-1]
	for i := 0; i < len(literal); i++ {
		if literal[i] != '\\' {
			b = append(b, literal[i])
			continue
		}
		i++
		switch c := literal[i]; c {
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			r := hex4(literal[i+1:])
			i += 4
			if utf16.IsSurrogate(r) && bytes.HasPrefix(literal[i+1:], []byte(`\u`)) {
				if pair := utf16.DecodeRune(r, hex4(literal[i+3:])); pair != utf8.RuneError {
					r = pair
					i += 6
				}
			}
			b = utf8.AppendRune(b, r)
		default: // a quote, a backslash or a slash
			b = append(b, c)
		}
	}
	return b
}

func hex4(digits []byte) rune {
	n, _ := strconv.ParseUint(string(digits[:4]), 16, 16) // json.Valid has seen that they are
	return rune(n)
}

// scalar reads a number or a string as text: a 64-bit integer is a string in OTLP's JSON, and some clients send a number.
func (r *jsonReader) scalar() string {
	switch r.peek() {
	case '"':
		literal := r.literal()
		return string(literal[1 : len(literal)-1]) // no number has an escape
	case '{', '[':
		r.skip()
		return ""
	}
	return string(r.word())
}

// message appends an object as a message. ok is false when a known field has a value of another type than it should, or
// when it nests too deep; then the message is not whole. Fields that are not known are passed over, and so is null.
func (r *jsonReader) message(s *schema, depth int) (ok bool) {
	if depth == 0 || !r.enter('{') {
		if depth == 0 {
			r.skip()
		}
		return false
	}
	ok = true
	for r.more('}') {
		r.name = unquote(r.name[:0], r.literal())
		f := s.field(r.name)
		if f == nil || r.peek() == 'n' {
			r.skip()
			continue
		}
		ok = r.value(f, depth) && ok
	}
	return ok
}

func (r *jsonReader) value(f *field, depth int) (ok bool) {
	tag := func() { r.b = protowire.AppendTag(r.b, f.number, f.kind.wire()) }
	var number uint64
	var err error
	switch f.kind {
	case text, id, octets:
		if r.peek() != '"' {
			r.skip()
			return false
		}
		literal := r.literal()
		tag()
		r.sized(func() {
			begin := len(r.b)
			r.b = unquote(r.b, literal)
			if f.kind == id {
				r.b, err = hex.AppendDecode(r.b[:begin], r.b[begin:])
			} else if f.kind == octets {
				r.b, err = base64.RawStdEncoding.AppendDecode(r.b[:begin], toRawStd(r.b[begin:]))
			}
		})
		return err == nil
	case one:
		tag()
		r.sized(func() { ok = r.message(f.of, depth-1) })
		return ok
	case many:
		if !r.enter('[') {
			return false
		}
		ok = true
		for r.more(']') {
			tag()
			r.sized(func() { ok = r.message(f.of, depth-1) && ok })
		}
		return ok
	case small, bits:
		number, err = strconv.ParseUint(r.scalar(), 10, 32)
	case whole:
		var signed int64
		signed, err = strconv.ParseInt(r.scalar(), 10, 64)
		number = uint64(signed)
	case nanos:
		number, err = strconv.ParseUint(r.scalar(), 10, 64)
	case double:
		var x float64
		x, err = strconv.ParseFloat(r.scalar(), 64)
		number = math.Float64bits(x)
	case truth:
		var is bool
		is, err = strconv.ParseBool(r.scalar())
		number = protowire.EncodeBool(is)
	}
	tag()
	switch f.kind.wire() {
	case protowire.VarintType:
		r.b = protowire.AppendVarint(r.b, number)
	case protowire.Fixed32Type:
		r.b = protowire.AppendFixed32(r.b, uint32(number))
	default:
		r.b = protowire.AppendFixed64(r.b, number)
	}
	return err == nil
}

// list reads an object: each is called at the elements of one array in it, and one at another member. What is of another type is malformed,
// for spans may stand in it.
func (r *jsonReader) list(array string, each func(), member string, one func()) {
	r.malformed = r.malformed || r.peek() != '{'
	if !r.enter('{') {
		return
	}
	for r.more('}') {
		switch r.name = unquote(r.name[:0], r.literal()); {
		case r.peek() == 'n': // null
			r.skip()
		case string(r.name) == array:
			r.malformed = r.malformed || r.peek() != '['
			if r.enter('[') {
				for r.more(']') {
					each()
				}
			}
		case one != nil && string(r.name) == member:
			one()
		default:
			r.skip()
		}
	}
}

// one returns an object as a message, as far as it has what it should.
func (r *jsonReader) one(s *schema) []byte {
	r.b = r.b[:0]
	r.message(s, maxDepth)
	return r.b
}

// sized appends what write does. Its length stands before it, in as many bytes as the longest body's would take.
func (r *jsonReader) sized(write func()) {
	begin := len(r.b)
	r.b = append(r.b, 0, 0, 0, 0)
	write()
	n := len(r.b) - begin - 4
	r.b[begin], r.b[begin+1], r.b[begin+2], r.b[begin+3] = byte(n)|0x80, byte(n>>7)|0x80, byte(n>>14)|0x80, byte(n>>21)
}

// toRawStd makes base64 of any of its spellings the one that is decoded: protobuf's JSON allows all.
func toRawStd(s []byte) []byte {
	return bytes.TrimRight(bytes.ReplaceAll(bytes.ReplaceAll(s, []byte("-"), []byte("+")), []byte("_"), []byte("/")), "=")
}
