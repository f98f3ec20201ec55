package profile

import (
	"bytes"
	"iter"
	"math"
	"strconv"
)

// limit bounds each number that is read. No profiler means a larger one, and sums of larger ones could overflow.
const limit = 1 << 53

// cursor reads JSON in place. It builds nothing and does not recurse, so that neither size nor depth of a text costs memory.
// The listener has checked the text before it stored it: the cursor is lenient. At a text that it cannot read it goes to the
// end and is bad.
type cursor struct {
	b       []byte
	i       int
	bad     bool
	scratch []byte
}

// ends tells the bytes that a number, true, false or null ends before.
var ends = func() (t [256]bool) {
	for _, b := range []byte(" \n\r\t,:{}[]\"") {
		t[b] = true
	}
	return t
}()

func (c *cursor) fail() { c.bad, c.i = true, len(c.b) }

// peek moves to the next byte that is no space and returns it, 0 at the end.
func (c *cursor) peek() byte {
	for ; c.i < len(c.b); c.i++ {
		switch c.b[c.i] {
		case ' ', '\n', '\r', '\t':
		default:
			return c.b[c.i]
		}
	}
	return 0
}

// members reads an object. It yields each name as a literal, for text; what the loop does not read of the value is skipped.
// A value of another type is skipped and yields nothing.
func (c *cursor) members() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for range c.values('{', '}') {
			name := c.literal()
			if c.peek() != ':' {
				c.fail()
				return
			}
			c.i++
			c.peek()
			at := c.i
			if !yield(name) {
				return
			}
			if c.i == at {
				c.skip()
			}
		}
	}
}

// elements reads an array, as members does an object.
func (c *cursor) elements() iter.Seq[struct{}] {
	return func(yield func(struct{}) bool) {
		for range c.values('[', ']') {
			at := c.i
			if !yield(struct{}{}) {
				return
			}
			if c.i == at {
				c.skip()
			}
		}
	}
}

// values goes through what stands between the commas of an object or array.
func (c *cursor) values(open, end byte) iter.Seq[struct{}] {
	return func(yield func(struct{}) bool) {
		if c.peek() != open {
			c.skip()
			return
		}
		c.i++
		if c.peek() == end {
			c.i++
			return
		}
		for c.peek() != 0 {
			if !yield(struct{}{}) {
				return
			}
			switch c.peek() {
			case ',':
				c.i++
			case end:
				c.i++
				return
			default:
				c.fail()
			}
		}
		c.fail()
	}
}

// skip passes over one value, however deep it nests.
func (c *cursor) skip() {
	for depth := 0; ; {
		switch c.peek() {
		case '{', '[':
			depth++
			c.i++
		case '}', ']':
			depth--
			c.i++
		case ',', ':':
			c.i++
			if depth == 0 {
				c.fail()
			}
		case '"':
			c.literal()
		case 0:
			c.fail()
		default:
			c.word()
		}
		if depth <= 0 || c.bad {
			c.bad = c.bad || depth < 0
			return
		}
	}
}

// word passes over a number, true, false or null.
func (c *cursor) word() []byte {
	start := c.i
	for c.i < len(c.b) && !ends[c.b[c.i]] {
		c.i++
	}
	return c.b[start:c.i]
}

// literal reads a string and returns what stands between its quotes, escapes included.
func (c *cursor) literal() []byte {
	if c.peek() != '"' {
		c.fail()
		return nil
	}
	start := c.i + 1
	for i := start; i < len(c.b); i++ {
		quote := bytes.IndexByte(c.b[i:], '"')
		if quote < 0 {
			break
		}
		i += quote
		slash := i // behind the backslashes before the quote, an even number of which are pairs
		for slash > start && c.b[slash-1] == '\\' {
			slash--
		}
		if (i-slash)%2 == 0 {
			c.i = i + 1
			return c.b[start:i]
		}
	}
	c.fail()
	return nil
}

// text decodes a literal. The bytes hold until the next call.
func (c *cursor) text(literal []byte) []byte {
	if bytes.IndexByte(literal, '\\') < 0 {
		return literal
	}
	c.scratch, _ = unescape(c.scratch[:0], literal, 0)
	return c.scratch
}

// number reads a number, alone or in a string. ok is false for any other value, which it passes over, and beyond limit.
func (c *cursor) number() (n float64, ok bool) {
	digits := c.digits()
	if n, ok = integer(digits); !ok {
		var err error
		n, err = strconv.ParseFloat(string(digits), 64)
		ok = err == nil
	}
	return n, ok && math.Abs(n) <= limit // false for NaN
}

// digits reads what may be a number, alone or in a string; it is empty for an object, an array, and nothing.
func (c *cursor) digits() []byte {
	switch c.peek() {
	case '"':
		return c.literal()
	case '{', '[', 0:
		c.skip()
		return nil
	}
	return c.word()
}

// integer is the short way for what most numbers are.
func integer(digits []byte) (n float64, ok bool) {
	sum, negative := int64(0), len(digits) > 1 && digits[0] == '-'
	if negative {
		digits = digits[1:]
	}
	if len(digits) == 0 || len(digits) > 15 {
		return 0, false
	}
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0, false
		}
		sum = sum*10 + int64(d-'0')
	}
	if negative {
		sum = -sum
	}
	return float64(sum), true
}

// string reads a string; a value of another type is "".
func (c *cursor) string() string {
	if c.peek() != '"' {
		c.skip()
		return ""
	}
	return string(c.text(c.literal()))
}

// nanoseconds reads a 64-bit integer, which OTLP writes as a string and some write as a number.
func (c *cursor) nanoseconds() (ns uint64, ok bool) {
	ns, err := strconv.ParseUint(string(c.digits()), 10, 64)
	return ns, err == nil
}
