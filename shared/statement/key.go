package statement

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
)

// Key tells which statement a text is: equal for texts that differ in values, case, white space and comments. It
// stays the same over restarts and may stand in a URL.
//
// queryID is PostgreSQL's own id as the agent sent it, a 64-bit integer in decimal or "": it makes the key ("q" and
// the integer). A nested statement carries the id of its caller, so its key comes from its text, as where there is no
// id: a 64-bit hash as 16 hexadecimal digits. For the hash, literals, numbers and $1 are one placeholder, (?, ?) and
// (?), (?) are (?), words are in lower case, comments, white space and a last semicolon are out.
func Key(queryID string, nested bool, text string) string {
	if queryID != "" && !nested {
		if n, err := strconv.ParseInt(queryID, 10, 64); err == nil && n != 0 {
			return "q" + strconv.FormatInt(n, 10)
		}
	}
	var sum [8]byte
	var digits [16]byte
	binary.BigEndian.PutUint64(sum[:], hash(text))
	hex.Encode(digits[:], sum[:])
	return string(digits[:])
}

// FNV-1a. It need not resist forgery: who forges a collision joins two statements of their own project.
const (
	offset = 14695981039346656037
	prime  = 1099511628211
)

func mix(h uint64, c byte) uint64 { return (h ^ uint64(c)) * prime }

// lower has the lower case of ASCII letters; PostgreSQL folds others by the server's locale, which is not known here.
var lower = func() (t [256]byte) {
	for c := range t {
		t[c] = byte(c)
		if 'A' <= c && c <= 'Z' {
			t[c] += 'a' - 'A'
		}
	}
	return t
}()

func hash(text string) uint64 {
	h := uint64(offset)
	before := symbol // the kind of the token before: two words need a gap between them
	var last byte    // the first byte of the token before
	for i := 0; i < len(text); {
		k, end := next(text, i)
		c := text[i]
		switch {
		case k == space || k == comment:
			i = end
			continue
		case c == ';' && skip(text, end) == len(text):
			return h
		case c == '?': // a masked value
			k = value
		case (c == '-' || c == '+') && strings.IndexByte("\x00(,=<>[", last) >= 0:
			if _, ok := skipValue(text, skip(text, end)); ok { // the sign of a number
				i = end
				continue
			}
		}
		if k != symbol && before != symbol {
			h = mix(h, ' ')
		}
		before, last = k, c
		switch {
		case k == value:
			h = mix(h, '?')
		case c == '(' || c == '[':
			h = mix(h, c)
			if after, ok := list(text, i); ok {
				h = mix(h, '?')
				end, last = after, text[after-1]
				h = mix(h, last)
				for ok && c == '(' { // VALUES (?), (?)
					end = after
					if after = skip(text, end); at(text, after) != ',' {
						break
					}
					after, ok = list(text, skip(text, after+1))
				}
			}
		case k == word:
			for j := i; j < end; j++ {
				h = mix(h, lower[text[j]])
			}
		default:
			for j := i; j < end; j++ {
				h = mix(h, text[j])
			}
		}
		i = end
	}
	return h
}

// skip returns where the next token begins that is neither white space nor a comment.
func skip(text string, i int) int {
	for i < len(text) {
		k, end := next(text, i)
		if k != space && k != comment {
			break
		}
		i = end
	}
	return i
}

// list reads values in brackets, (?, -?, …), that open at i. The last byte before end is what closes them.
func list(text string, i int) (end int, ok bool) {
	var closing byte
	switch at(text, i) {
	case '(':
		closing = ')'
	case '[':
		closing = ']'
	default:
		return 0, false
	}
	for {
		i = skip(text, i+1) // behind the bracket or the comma
		if c := at(text, i); c == '-' || c == '+' {
			i = skip(text, i+1)
		}
		if i, ok = skipValue(text, i); !ok {
			return 0, false
		}
		switch i = skip(text, i); at(text, i) {
		case closing:
			return i + 1, true
		case ',':
		default:
			return 0, false
		}
	}
}

// skipValue reads a value, masked or not.
func skipValue(text string, i int) (end int, ok bool) {
	if i == len(text) {
		return i, false
	}
	k, end := next(text, i)
	return end, k == value || text[i] == '?'
}
