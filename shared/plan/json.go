package plan

import (
	"encoding/json"
	"iter"
	"strconv"
	"strings"
)

// A reader walks JSON without building what nobody asks for: a plan of 4 MiB may be a million empty nodes. What has another
// type than it should is skipped and counts as missing. (encoding/json would build all of it, and takes "node type" for
// "Node Type".) The text was valid JSON when it was stored; of any other text the reader makes something and comes to an
// end.
type reader struct {
	text string
	at   int
}

// peek returns the byte that the next value begins with, or 0 at the end.
func (r *reader) peek() byte {
	for r.at < len(r.text) {
		switch c := r.text[r.at]; c {
		case ' ', '\t', '\n', '\r', ',', ':':
			r.at++
		default:
			return c
		}
	}
	return 0
}

// members yields the names in the object at hand; the body reads the value, or it is skipped.
func (r *reader) members() iter.Seq[string] {
	return func(yield func(string) bool) {
		for range r.items('{', '}') {
			name := r.string()
			r.peek()
			before := r.at
			if !yield(name) {
				return
			}
			if r.at == before {
				r.skip()
			}
		}
	}
}

// elements yields once for each element of the array at hand; the body reads it, or it is skipped.
func (r *reader) elements() iter.Seq[struct{}] {
	return func(yield func(struct{}) bool) {
		for range r.items('[', ']') {
			before := r.at
			if !yield(struct{}{}) {
				return
			}
			if r.at == before {
				r.skip()
			}
		}
	}
}

// items yields before each item between open and closing, and skips a value that does not begin with open.
func (r *reader) items(open, closing byte) iter.Seq[struct{}] {
	return func(yield func(struct{}) bool) {
		if r.peek() != open {
			r.skip()
			return
		}
		r.at++
		for c := r.peek(); c != closing && c != 0; c = r.peek() {
			if !yield(struct{}{}) {
				return
			}
		}
		r.at = min(r.at+1, len(r.text))
	}
}

// skip goes behind the next value.
func (r *reader) skip() {
	for depth := 0; ; {
		switch r.peek() {
		case 0:
			return
		case '"':
			r.raw()
		case '{', '[':
			depth++
			r.at++
		case '}', ']':
			depth--
			r.at++
		default:
			r.word()
		}
		if depth <= 0 {
			return
		}
	}
}

// raw returns the string at hand with its quotes, as it is spelt.
func (r *reader) raw() string {
	begin := r.at
	for r.at++; r.at < len(r.text); r.at++ {
		switch r.text[r.at] {
		case '\\':
			r.at++
		case '"':
			r.at++
			return r.text[begin:r.at]
		}
	}
	r.at = len(r.text)
	return r.text[begin:]
}

// word returns the number, true, false or null at hand.
func (r *reader) word() string {
	begin := r.at
	for r.at++; r.at < len(r.text); r.at++ {
		switch r.text[r.at] {
		case ' ', '\t', '\n', '\r', ',', ':', '{', '}', '[', ']', '"':
			return r.text[begin:r.at]
		}
	}
	return r.text[begin:]
}

// string reads a string; any other value is skipped and "".
func (r *reader) string() string {
	if r.peek() != '"' {
		r.skip()
		return ""
	}
	text, _ := unquote(r.raw())
	return text
}

// unquote reads a JSON string. One that the end of the text cut is read as far as it goes; ok is false for one that
// is no JSON.
func unquote(raw string) (text string, ok bool) {
	if last := len(raw) - 1; last > 0 && raw[last] == '"' && strings.IndexByte(raw, '\\') < 0 {
		return raw[1:last], true
	}
	return unescape(raw)
}

// unescape is unquote for a string with escapes, or one that was cut.
func unescape(raw string) (text string, ok bool) {
	const escape = len(`\u0000`) // the last one may be cut too
	for _, end := range []string{"", `"`} {
		for cut := range min(escape, len(raw)) {
			if json.Unmarshal([]byte(raw[:len(raw)-cut]+end), &text) == nil {
				return text, true
			}
		}
	}
	return "", false
}

// maxFigure is what no figure of a plan reaches: 30,000 years in ms, 8 exabytes in blocks. Products of two such
// figures are still finite.
const maxFigure = 1e15

// figure reads a number, also one that is spelt as a string. One that is negative, absurd or no number is missing.
func (r *reader) figure() (x float64, ok bool) {
	var text string
	switch r.peek() {
	case '"':
		text = r.string()
	case '{', '[':
		r.skip()
		return 0, false
	default:
		text = r.word()
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || !(0 <= x && x <= maxFigure) {
		return 0, false
	}
	return x, true
}

// number is a figure where none and 0 are the same, as with buffers.
func (r *reader) number() float64 {
	x, _ := r.figure()
	return x
}

// isTrue reads a boolean; any other value is false.
func (r *reader) isTrue() bool {
	if r.peek() != 't' {
		r.skip()
		return false
	}
	return r.word() == "true"
}
