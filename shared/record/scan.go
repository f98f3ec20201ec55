package record

import (
	"unicode/utf16"
	"unicode/utf8"
)

// The scanner checks JSON (RFC 8259) and finds where values end, without building anything. It is our own
// because a library's limit on nesting would refuse a whole batch for one deep record, and because the
// contract tells what they do not: the offset of the first wrong byte, a lone surrogate in one field but
// not in another, a name that stands twice. The fuzz test holds it against encoding/json.
//
// Every scan function takes the text and where to start, and returns the offset behind what it found; on
// an error that offset is the first byte that cannot be right, len(b) when the text ends too early. Bytes
// above 0x7f are taken as they are: the caller has checked that the text is UTF-8.

// plain tells the bytes of a string that need no look: not a quote, a backslash or a control character.
var plain = func() (t [256]bool) {
	for c := 0x20; c < 256; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// scanString scans the string whose opening quote stands at i.
func scanString(b []byte, i int) (end int, ok bool) {
	for i++; ; i++ {
		for i < len(b) && plain[b[i]] {
			i++
		}
		if i == len(b) || b[i] < 0x20 {
			return i, false
		}
		if b[i] == '"' {
			return i + 1, true
		}
		i++ // the byte behind the backslash
		if i == len(b) {
			return i, false
		}
		switch b[i] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		case 'u':
			for range 4 {
				i++
				if i == len(b) || !isHex(b[i]) {
					return i, false
				}
			}
		default:
			return i, false
		}
	}
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHex(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func skipDigits(b []byte, i int) int {
	for i < len(b) && isDigit(b[i]) {
		i++
	}
	return i
}

// digits scans one digit or more.
func digits(b []byte, i int) (end int, ok bool) {
	end = skipDigits(b, i)
	return end, end > i
}

func scanNumber(b []byte, i int) (end int, ok bool) {
	if b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if i, ok = digits(b, i); !ok {
		return i, false
	}
	if i < len(b) && b[i] == '.' {
		if i, ok = digits(b, i+1); !ok {
			return i, false
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		return digits(b, i)
	}
	return i, true
}

func scanWord(b []byte, i int, word string) (end int, ok bool) {
	for n := range len(word) {
		if i+n == len(b) || b[i+n] != word[n] {
			return i + n, false
		}
	}
	return i + len(word), true
}

// scanName scans a member's name and the colon behind it, up to its value.
func scanName(b []byte, i int) (nameEnd, value int, ok bool) {
	if i == len(b) || b[i] != '"' {
		return i, i, false
	}
	if nameEnd, ok = scanString(b, i); !ok {
		return nameEnd, nameEnd, false
	}
	value = skipSpace(b, nameEnd)
	if value == len(b) || b[value] != ':' {
		return value, value, false
	}
	return nameEnd, skipSpace(b, value+1), true
}

// scanValue scans one value that starts at i. depth is how deep it nests: 0 for a scalar, 1 for an object
// of scalars. It does not recurse: only the body's size limits the depth.
func scanValue(b []byte, i int) (end, depth int, ok bool) {
	var open nesting
	for {
		// A value starts at i.
		if i == len(b) {
			return i, depth, false
		}
		switch c := b[i]; c {
		case '{', '[':
			open.push(c == '{')
			depth = max(depth, open.depth)
			i = skipSpace(b, i+1)
			switch {
			case i < len(b) && (b[i] == '}' && c == '{' || b[i] == ']' && c == '['):
				open.pop()
				i, ok = i+1, true
			case c == '{':
				if i, ok = skipName(b, i); !ok {
					return i, depth, false
				}
				continue
			default:
				continue
			}
		case '"':
			i, ok = scanString(b, i)
		case 't':
			i, ok = scanWord(b, i, "true")
		case 'f':
			i, ok = scanWord(b, i, "false")
		case 'n':
			i, ok = scanWord(b, i, "null")
		default:
			i, ok = scanNumber(b, i)
		}
		if !ok {
			return i, depth, false
		}
		// A value ended before i: what it stands in goes on or ends.
		for {
			if open.depth == 0 {
				return i, depth, true
			}
			i = skipSpace(b, i)
			if i == len(b) {
				return i, depth, false
			}
			inObject := open.inObject()
			if b[i] == ',' {
				i = skipSpace(b, i+1)
				if inObject {
					if i, ok = skipName(b, i); !ok {
						return i, depth, false
					}
				}
				break
			}
			if inObject && b[i] != '}' || !inObject && b[i] != ']' {
				return i, depth, false
			}
			open.pop()
			i++
		}
	}
}

func skipName(b []byte, i int) (value int, ok bool) {
	_, value, ok = scanName(b, i)
	return value, ok
}

// nesting is the stack of open containers, a bit each: 1 for an object, 0 for an array.
type nesting struct {
	few   [8]uint64 // enough for the nesting that is accepted, without an allocation
	more  []uint64
	depth int
}

// word is where the bit of a depth stands, from 0.
func (n *nesting) word(depth int) *uint64 {
	if at := depth / 64; at < len(n.few) {
		return &n.few[at]
	}
	return &n.more[depth/64-len(n.few)]
}

func (n *nesting) push(object bool) {
	if n.depth == 64*(len(n.few)+len(n.more)) {
		n.more = append(n.more, 0)
	}
	word, bit := n.word(n.depth), uint64(1)<<(n.depth%64)
	if object {
		*word |= bit
	} else {
		*word &^= bit
	}
	n.depth++
}

func (n *nesting) pop() { n.depth-- }

func (n *nesting) inObject() bool { return *n.word(n.depth - 1)>>((n.depth-1)%64)&1 == 1 }

// invalidUTF8 returns the offset of the first byte that is not UTF-8, or -1.
func invalidUTF8(b []byte) int {
	if utf8.Valid(b) {
		return -1
	}
	for i := 0; ; {
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
}

// unquote decodes the scanned string literal raw, its quotes included. lone tells that it holds a
// surrogate without its other half, which no UTF-8 text can.
func unquote(raw []byte) (text string, lone bool) {
	raw = raw[1 : len(raw)-1]
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			out = append(out, raw[i])
			continue
		}
		i++
		switch c := raw[i]; c {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r := hex4(raw[i+1:])
			i += 4
			if utf16.IsSurrogate(r) {
				low := rune(-1)
				if len(raw) > i+6 && raw[i+1] == '\\' && raw[i+2] == 'u' {
					low = hex4(raw[i+3:])
				}
				if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
					lone = true
				} else {
					i += 6
				}
			}
			out = utf8.AppendRune(out, r)
		default: // a quote, a backslash or a slash stands for itself
			out = append(out, c)
		}
	}
	return string(out), lone
}

// hex4 decodes the four hexadecimal digits that b begins with.
func hex4(b []byte) (r rune) {
	for _, c := range b[:4] {
		switch {
		case isDigit(c):
			c -= '0'
		case c >= 'a':
			c -= 'a' - 10
		default:
			c -= 'A' - 10
		}
		r = r<<4 | rune(c)
	}
	return r
}
