package record

import (
	"bytes"
	"iter"
)

// Members returns the members of a JSON object in their order: a name with its escapes decoded, a value as it was
// written. What is not an object has none; what is broken off has those before the break.
func Members(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		i := skipSpace(object, 0)
		if i == len(object) || object[i] != '{' {
			return
		}
		for {
			start := skipSpace(object, i+1) // behind the brace or the comma
			nameEnd, valueStart, ok := scanName(object, start)
			if !ok {
				return
			}
			end, _, ok := scanValue(object, valueStart)
			if !ok {
				return
			}
			name := object[start+1 : nameEnd-1]
			if bytes.IndexByte(name, '\\') >= 0 {
				text, _ := unquote(object[start:nameEnd])
				name = []byte(text)
			}
			if !yield(name, object[valueStart:end]) {
				return
			}
			if i = skipSpace(object, end); i == len(object) || object[i] != ',' {
				return
			}
		}
	}
}

// Text returns the text of a JSON string, with U+FFFD for half of a surrogate pair, and "" for any other value. The
// value is one that Members returned.
func Text(value []byte) string {
	if len(value) == 0 || value[0] != '"' {
		return ""
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return string(value[1 : len(value)-1])
	}
	text, _ := unquote(value)
	return text
}
