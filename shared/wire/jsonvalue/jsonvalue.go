// Package jsonvalue walks JSON without building anything of it: what wires keep of a body stays byte for byte as it was sent,
// and points into it.
package jsonvalue

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Value is one JSON value (RFC 8259) that is known to be valid, without space around it. nil is none: it has no members, no
// elements, no text and no number.
type Value []byte

// Parse returns the value that a text is. The error says where the text is none, and repeats
// nothing of it.
func Parse(text []byte) (Value, error) {
	switch text = Trim(text); {
	case len(text) == 0:
		return nil, errors.New("is empty")
	case !utf8.Valid(text):
		return nil, errors.New("is not UTF-8")
	case !json.Valid(text):
		var nothing struct{}
		if e, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(text, &nothing)); ok {
			return nil, fmt.Errorf("is not JSON at or behind byte %d, counted from 0", max(0, e.Offset-1))
		}
		return nil, errors.New("is not JSON")
	}
	return text, nil
}

// Trim cuts space off a text, and a byte order mark in front, which RFC 8259 lets a parser pass over (section 8.1).
func Trim(text []byte) []byte {
	return bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\ufeff")))
}

// IsObject tells whether the value is an object.
func (v Value) IsObject() bool { return len(v) > 0 && v[0] == '{' }

// IsEmptyArray tells whether the value is [], which is also what PHP makes of an array that would have had names.
func (v Value) IsEmptyArray() bool { return len(v) > 0 && v[0] == '[' && v[skipSpace(v, 1)] == ']' }

// Members are the names and values of an object, in order. Names are JSON strings.
func (v Value) Members() iter.Seq2[Value, Value] {
	return func(yield func(name, value Value) bool) {
		if !v.IsObject() {
			return
		}
		for i := skipSpace(v, 1); v[i] != '}'; {
			nameEnd := skipString(v, i)
			start := skipSpace(v, skipSpace(v, nameEnd)+1) // behind the colon
			end := skipValue(v, start)
			if !yield(v[i:nameEnd], v[start:end]) {
				return
			}
			if i = skipSpace(v, end); v[i] == ',' {
				i = skipSpace(v, i+1)
			}
		}
	}
}

// Elements are those of an array, in order.
func (v Value) Elements() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if len(v) == 0 || v[0] != '[' {
			return
		}
		for i := skipSpace(v, 1); v[i] != ']'; {
			end := skipValue(v, i)
			if !yield(v[i:end]) {
				return
			}
			if i = skipSpace(v, end); v[i] == ',' {
				i = skipSpace(v, i+1)
			}
		}
	}
}

// Get returns an object's member, the last of that name, as PHP's and most other readers do.
func (v Value) Get(path ...string) (found Value) {
	found = v
	for _, name := range path {
		in := found
		found = nil
		for n, value := range in.Members() {
			if n.is(name) {
				found = value
			}
		}
	}
	return found
}

// is tells whether a string is a text.
func (v Value) is(text string) bool {
	if bytes.IndexByte(v, '\\') < 0 {
		return string(v[1:len(v)-1]) == text
	}
	return v.Text() == text
}

// Text returns what a string holds, "" of any other value. Half of a surrogate pair becomes U+FFFD.
func (v Value) Text() (text string) {
	switch {
	case len(v) == 0 || v[0] != '"':
	case bytes.IndexByte(v, '\\') < 0:
		text = string(v[1 : len(v)-1])
	default:
		_ = json.Unmarshal(v, &text) // it is valid
	}
	return text
}

// Number returns what a number or a string that holds one is worth; ok is false of any other value, and beyond a float64.
func (v Value) Number() (x float64, ok bool) {
	text := string(v)
	if len(v) > 0 && v[0] == '"' {
		text = v.Text()
	}
	if text == "" || strings.IndexByte("0123456789-", text[0]) < 0 {
		return 0, false // "Inf", "0x1p-2", "true"
	}
	x, err := strconv.ParseFloat(text, 64)
	return x, err == nil
}

// Depth tells how deep the value nests: 0 for a scalar, 1 for an object of scalars.
func (v Value) Depth() (most int) {
	depth := 0
	for i := 0; i < len(v); i++ {
		switch v[i] {
		case '"':
			i = skipString(v, i) - 1
		case '{', '[':
			depth++
			most = max(most, depth)
		case '}', ']':
			depth--
		}
	}
	return most
}

// skipValue returns the offset behind the value that starts at i.
func skipValue(b []byte, i int) int {
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		for depth := 0; ; i++ {
			switch b[i] {
			case '"':
				i = skipString(b, i) - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
		}
	}
	for i < len(b) && strings.IndexByte(",]} \t\r\n", b[i]) < 0 {
		i++
	}
	return i
}

// skipString returns the offset behind the string that starts at i.
func skipString(b []byte, i int) int {
	for at := i + 1; ; {
		at += bytes.IndexByte(b[at:], '"')
		escapes := 0
		for b[at-1-escapes] == '\\' { // ends at the opening quote
			escapes++
		}
		if at++; escapes%2 == 0 {
			return at
		}
	}
}

func skipSpace(b []byte, i int) int {
	for b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t' {
		i++
	}
	return i
}
