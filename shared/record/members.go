package record

import (
	"bytes"
	"encoding/json"
	"iter"
)

// Members returns the members of Attributes, a JSON object, in their order: a name with its escapes decoded, a value as it
// was written. It is for who needs few of them, of every record that is stored: it builds nothing and checks nothing. What is
// no JSON has some members or none.
func Members(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		rest := bytes.TrimLeft(object, space)
		if len(rest) == 0 || rest[0] != '{' {
			return
		}
		for {
			rest = bytes.TrimLeft(rest[1:], space) // behind the brace or the comma
			end := stringEnd(rest)
			if end < 0 {
				return
			}
			name := rest[1 : end-1]
			if bytes.IndexByte(name, '\\') >= 0 {
				name = []byte(Text(rest[:end]))
			}
			rest = bytes.TrimLeft(rest[end:], space)
			if len(rest) == 0 || rest[0] != ':' {
				return
			}
			rest = bytes.TrimLeft(rest[1:], space)
			end = valueEnd(rest)
			if end <= 0 || !yield(name, bytes.TrimRight(rest[:end], space)) {
				return
			}
			rest = bytes.TrimLeft(rest[end:], space)
			if len(rest) == 0 || rest[0] != ',' {
				return
			}
		}
	}
}

const space = " \t\n\r"

// stringEnd returns the end of the string that b begins with, -1 when there is none.
func stringEnd(b []byte) int {
	if len(b) == 0 || b[0] != '"' {
		return -1
	}
	for i := 1; ; i++ {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return -1
		}
		i += n
		escapes := i - 1
		for b[escapes] == '\\' {
			escapes--
		}
		if (i-1-escapes)%2 == 0 {
			return i + 1
		}
	}
}

// valueEnd returns the end of the value that b begins with, -1 when it is broken off.
func valueEnd(b []byte) int {
	for i, depth := 0, 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			n := stringEnd(b[i:])
			if n < 0 {
				return -1
			}
			if i += n - 1; depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
			if depth < 0 {
				return i
			}
		case ',':
			if depth == 0 {
				return i
			}
		}
	}
	return -1
}

// Text returns the text of a JSON string, with U+FFFD for half of a surrogate pair, and "" for any other value.
func Text(value []byte) (text string) {
	if stringEnd(value) != len(value) {
		return ""
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return string(value[1 : len(value)-1])
	}
	if json.Unmarshal(value, &text) != nil {
		return ""
	}
	return text
}
