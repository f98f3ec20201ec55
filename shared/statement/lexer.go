package statement

import "strings"

// A kind is what a token is, as far as anybody here asks.
type kind uint8

const (
	space   kind = iota
	comment      // -- to the end of the line, /* nested */
	value        // 'a literal', E'…', B'…', X'…', N'…', U&'…', $tag$…$tag$, a number, $1
	word         // a keyword or a bare identifier
	quoted       // "an identifier", U&"…"
	symbol       // one byte of an operator or of punctuation
)

// blanks is what PostgreSQL takes for white space.
const blanks = " \t\n\r\f\v"

// What a byte can begin or continue. Bytes above 0x7f are letters, as PostgreSQL has them.
const (
	isBlank = 1 << iota
	isDigit
	isLetter
)

var class = func() (t [256]uint8) {
	for _, c := range []byte(blanks) {
		t[c] = isBlank
	}
	for c := '0'; c <= '9'; c++ {
		t[c] = isDigit
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-'a'+'A'] = isLetter, isLetter
	}
	for c := 0x80; c < 0x100; c++ {
		t[c] = isLetter
	}
	t['_'] = isLetter
	return t
}()

// at is the byte at i, or 0 behind the end.
func at(s string, i int) byte {
	if i < len(s) {
		return s[i]
	}
	return 0
}

// while returns the end of the bytes of these classes that stand at i.
func while(s string, i int, classes uint8) int {
	for i < len(s) && class[s[i]]&classes != 0 {
		i++
	}
	return i
}

// next reads the token that begins at i, which is inside s. Its end is behind i, and len(s) for what is unfinished.
func next(s string, i int) (k kind, end int) {
	c := s[i]
	switch class[c] {
	case isBlank:
		return space, while(s, i, isBlank)
	case isDigit:
		return value, number(s, i)
	case isLetter:
		return letters(s, i)
	}
	switch {
	case c == '\'':
		return value, literal(s, i, false)
	case c == '"':
		return quoted, until(s, i+1, '"', false)
	case c == '-' && at(s, i+1) == '-':
		return comment, line(s, i)
	case c == '/' && at(s, i+1) == '*':
		return comment, block(s, i)
	case c == '.' && class[at(s, i+1)] == isDigit:
		return value, number(s, i)
	case c == '$' && class[at(s, i+1)] == isDigit:
		return value, while(s, i+1, isDigit|isLetter)
	case c == '$':
		if end, ok := dollar(s, i); ok {
			return value, end
		}
	}
	return symbol, i + 1
}

// letters reads what begins with a letter: a word, or a literal or a quoted identifier with a prefix.
func letters(s string, i int) (k kind, end int) {
	switch at(s, i+1) {
	case '\'':
		switch s[i] | 0x20 {
		case 'e':
			return value, literal(s, i+1, true)
		case 'b', 'x', 'n':
			return value, literal(s, i+1, false)
		}
	case '&':
		if s[i]|0x20 != 'u' {
			break
		}
		switch at(s, i+2) {
		case '\'':
			return value, literal(s, i+2, false)
		case '"':
			return quoted, until(s, i+3, '"', false)
		}
	}
	for end = i; end < len(s) && (class[s[end]]&(isLetter|isDigit) != 0 || s[end] == '$'); end++ {
	}
	return word, end
}

// number reads 1, 1.5, .5, 1e-5, 0x1f, 1_000, and with them letters that have no business there: what follows a
// digit without a gap is no word that should be shown.
func number(s string, i int) int {
	hex := s[i] == '0' && at(s, i+1)|0x20 == 'x'
	end := while(s, i, isDigit|isLetter)
	if at(s, end) == '.' && at(s, end+1) != '.' { // 1..10 is a range of PL/pgSQL
		end = while(s, end+1, isDigit|isLetter)
	}
	if sign := at(s, end); !hex && (sign == '-' || sign == '+') && s[end-1]|0x20 == 'e' && class[at(s, end+1)] == isDigit {
		end = while(s, end+1, isDigit|isLetter)
	}
	return end
}

// literal reads the literal whose quote stands at i. White space with a line end in it and another quote continue
// it, by the same rules: E'a' and, on the next line, 'it\'s' are one literal with one way to escape.
func literal(s string, i int, escapes bool) int {
	for {
		i = until(s, i+1, '\'', escapes)
		more, newline := i, false
		for more < len(s) {
			if class[s[more]] == isBlank {
				newline = newline || s[more] == '\n' || s[more] == '\r'
				more++
			} else if s[more] == '-' && at(s, more+1) == '-' {
				more = line(s, more)
			} else {
				break
			}
		}
		if !newline || at(s, more) != '\'' {
			return i
		}
		i = more
	}
}

// until returns the end of what the quote closes, behind the quote. A doubled quote closes nothing, nor does one
// behind a backslash where backslashes are escapes.
func until(s string, i int, quote byte, escapes bool) int {
	for i < len(s) {
		c := s[i]
		i++
		if c == '\\' && escapes {
			i++
		} else if c == quote {
			if at(s, i) != quote {
				return i
			}
			i++
		}
	}
	return len(s)
}

// line returns the end of a comment that ends with the line. The line end is not in it.
func line(s string, i int) int {
	if n := strings.IndexAny(s[i:], "\n\r"); n >= 0 {
		return i + n
	}
	return len(s)
}

// block returns the end of a comment that may have comments in it.
func block(s string, i int) int {
	depth := 0
	for ; i < len(s); i++ {
		if s[i] == '/' && at(s, i+1) == '*' {
			depth++
			i++
		} else if s[i] == '*' && at(s, i+1) == '/' {
			depth--
			i++
			if depth == 0 {
				return i + 1
			}
		}
	}
	return len(s)
}

// dollar reads $tag$ … $tag$; ok is false where no such thing begins.
func dollar(s string, i int) (end int, ok bool) {
	open := i + 1
	if class[at(s, open)]&isLetter != 0 {
		open = while(s, open, isLetter|isDigit)
	}
	if at(s, open) != '$' {
		return 0, false
	}
	open++
	if n := strings.Index(s[open:], s[i:open]); n >= 0 {
		return open + n + open - i, true
	}
	return len(s), true
}
